-- +goose Up
-- A user has at most one open hold with the same exclusive text, such as the route of a call that runs one at a time.
-- Any number of holds may have none.
ALTER TABLE holds
    ADD COLUMN exclusive text,
    ADD CONSTRAINT holds_exclusive_short CHECK (length(exclusive) BETWEEN 1 AND 200);
CREATE UNIQUE INDEX holds_exclusive_key ON holds (user_id, exclusive) WHERE status = 'open' AND exclusive IS NOT NULL;

-- +goose Down
ALTER TABLE holds DROP COLUMN exclusive;
