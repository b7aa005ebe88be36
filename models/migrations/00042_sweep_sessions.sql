-- +goose Up
-- When a server last asked Stripe which Checkout Sessions were completed, so that one replica does it for all.
ALTER TABLE installations ADD COLUMN sessions_swept_at timestamptz NOT NULL DEFAULT '-infinity';

-- +goose Down
ALTER TABLE installations DROP COLUMN sessions_swept_at;
