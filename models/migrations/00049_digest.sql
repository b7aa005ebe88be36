-- +goose Up
-- Whether the operator wants a letter about each day, and the last day that was summed up.
ALTER TABLE installations ADD COLUMN digest boolean NOT NULL DEFAULT true,
    ADD COLUMN digested_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date - 1;

-- +goose Down
ALTER TABLE installations DROP COLUMN digest, DROP COLUMN digested_on;
