-- +goose NO TRANSACTION
-- +goose Up
-- Each new letter to the operator counts those of its kind within the last hour.
DROP INDEX CONCURRENTLY IF EXISTS letters_operator;
CREATE INDEX CONCURRENTLY letters_operator ON letters (kind, created_at) WHERE user_id IS NULL AND recipient = '';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS letters_operator;
