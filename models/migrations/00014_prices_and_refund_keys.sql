-- +goose Up
-- Stripe's prices are copied into ours by whoever hears of a change. A copy takes its number before it reads Stripe, and
-- writes nothing once one that was begun later has been written.
CREATE TABLE price_copies (
    only_row boolean PRIMARY KEY DEFAULT true,
    begun    bigint  NOT NULL DEFAULT 0,
    written  bigint  NOT NULL DEFAULT 0,
    CONSTRAINT price_copies_only_row CHECK (only_row),
    CONSTRAINT price_copies_written_was_begun CHECK (written <= begun)
);
INSERT INTO price_copies DEFAULT VALUES;

-- Which idempotency key a refund is sent with. Stripe keeps a failure under a key for as long as it knows the key, so
-- the next one is taken once it is certain that this one will never make the refund.
ALTER TABLE refund_requests ADD COLUMN key_number integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE refund_requests DROP COLUMN key_number;
DROP TABLE price_copies;
