-- +goose Up
-- Somebody with many spends who looks for their few purchases finds them without reading the spends. Spending writes
-- no row of this index.
CREATE INDEX credit_transactions_user_reason ON credit_transactions (user_id, reason, id DESC)
    WHERE reason IN ('purchase', 'refund', 'dispute', 'manual');

-- +goose Down
DROP INDEX credit_transactions_user_reason;
