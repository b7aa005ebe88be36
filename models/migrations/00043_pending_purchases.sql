-- +goose NO TRANSACTION
-- +goose Up
-- While a purchase waits for its payment, each server looks for the oldest one every minute.
DROP INDEX CONCURRENTLY IF EXISTS purchases_pending;
CREATE INDEX CONCURRENTLY purchases_pending ON purchases (created_at) WHERE status = 'pending';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS purchases_pending;
