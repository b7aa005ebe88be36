-- +goose Up
-- An account that was deleted keeps its number and what tax law wants kept, and nothing that says whose it was.
-- delete_after is the last day on which that must be kept; erased_at is when the last trace of the person was found gone.
ALTER TABLE users
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN delete_after date,
    ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT users_deleted_says_until CHECK ((deleted_at IS NULL) = (delete_after IS NULL)),
    ADD CONSTRAINT users_erased_is_deleted CHECK (erased_at IS NULL OR deleted_at IS NOT NULL),
    ADD CONSTRAINT users_deleted_is_nobody CHECK (deleted_at IS NULL
        OR (email IS NULL AND name = '' AND locale = '' AND stripe_customer_id IS NULL AND credits_held = 0));
CREATE INDEX users_to_erase ON users (id) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;

-- +goose Down
ALTER TABLE users
    DROP CONSTRAINT users_deleted_is_nobody,
    DROP CONSTRAINT users_erased_is_deleted,
    DROP CONSTRAINT users_deleted_says_until,
    DROP COLUMN erased_at,
    DROP COLUMN delete_after,
    DROP COLUMN deleted_at;
