-- +goose Up
-- When a letter that no server has accepted fails. It follows the start of its attempts, which an admin can repeat.
ALTER TABLE letters ADD COLUMN expires_at timestamptz NOT NULL DEFAULT now() + interval '72 hours';

-- The user's address that the mail server last refused. It matters as long as it is the user's address.
CREATE TABLE bounces (
    user_id    integer PRIMARY KEY REFERENCES users (id),
    email      text        NOT NULL,
    cause      text        NOT NULL,
    bounced_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE bounces;
ALTER TABLE letters DROP COLUMN expires_at;
