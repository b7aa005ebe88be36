-- +goose Up
-- What tells a user their sessions apart: the browser's and the system's name, in two words, and when it was last here.
ALTER TABLE sessions
    ADD COLUMN device text NOT NULL DEFAULT '',
    ADD COLUMN last_seen_at timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT sessions_device_short CHECK (length(device) <= 40);
UPDATE sessions SET last_seen_at = created_at; -- all that is known of those that are there

-- +goose Down
ALTER TABLE sessions DROP COLUMN last_seen_at, DROP COLUMN device;
