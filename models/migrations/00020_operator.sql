-- +goose Up
-- What the ledger did on one day (UTC) that is over: lines are never changed, so neither is their sum. Written by whoever
-- looks at the figures after the day has ended, so that nobody reads a million lines for a picture.
CREATE TABLE credit_days (
    day       date PRIMARY KEY,
    purchased bigint NOT NULL, -- credits in by purchases
    returned  bigint NOT NULL, -- refunds and disputes: negative when taken back
    manual    bigint NOT NULL, -- grants less corrections
    used      bigint NOT NULL, -- by features, positive
    CONSTRAINT credit_days_in_range CHECK (purchased >= 0 AND used >= 0)
);

-- The sum of what was not used is read from this index alone. Spending writes no row of it.
CREATE INDEX credit_transactions_not_used ON credit_transactions (reason) INCLUDE (delta_credits)
    WHERE reason IN ('purchase', 'refund', 'dispute', 'manual');

-- Lists of events: the newest of a kind or a status without reading payloads; those that are open.
CREATE INDEX stripe_events_newest ON stripe_events (received_at DESC, event_id DESC) INCLUDE (type, status);
CREATE INDEX stripe_events_open ON stripe_events (received_at DESC, event_id DESC)
    WHERE status IN ('review', 'failed', 'deferred', 'received');

-- +goose Down
DROP INDEX stripe_events_open, stripe_events_newest, credit_transactions_not_used;
DROP TABLE credit_days;
