-- +goose NO TRANSACTION
-- +goose Up
-- Every server asks every few seconds which declarations are to be refunded, and which were.
DROP INDEX CONCURRENTLY IF EXISTS withdrawals_unjudged;
CREATE INDEX CONCURRENTLY withdrawals_unjudged ON withdrawals (received_at)
    WHERE handled_at IS NULL AND purchase_id IS NOT NULL AND judged_at IS NULL AND refund_request IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS withdrawals_refunding;
CREATE INDEX CONCURRENTLY withdrawals_refunding ON withdrawals (refund_request)
    WHERE refund_request IS NOT NULL AND handled_at IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS withdrawals_unjudged;
DROP INDEX CONCURRENTLY IF EXISTS withdrawals_refunding;
