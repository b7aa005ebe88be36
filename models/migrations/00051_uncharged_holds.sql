-- +goose NO TRANSACTION
-- +goose Up
-- The operator's overview counts the few holds that ended without a charge.
DROP INDEX CONCURRENTLY IF EXISTS holds_uncharged;
CREATE INDEX CONCURRENTLY holds_uncharged ON holds (updated_at) WHERE status IN ('released', 'expired');

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS holds_uncharged;
