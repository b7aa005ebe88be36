-- +goose Up
-- Every paid Checkout Session is a purchase, also one that contradicts what we know: a person decides about it there.
-- cause says why it waits; recovered_from is the expired session of ours that this purchase was paid instead of.
-- returned: nothing was booked and all of the money went back. foreign: a person said that it is not ours.
ALTER TABLE purchases
    ADD COLUMN cause text NOT NULL DEFAULT '',
    ADD COLUMN recovered_from text,
    ADD CONSTRAINT purchases_recovered_from_key UNIQUE (recovered_from),
    ADD CONSTRAINT purchases_recovered_from_other CHECK (recovered_from <> checkout_session_id),
    DROP CONSTRAINT purchases_status_known,
    ADD CONSTRAINT purchases_status_known CHECK
        (status IN ('pending', 'awaiting_payment', 'paid', 'failed', 'expired', 'review', 'returned', 'foreign')),
    -- What was ordered may be unknown until a person says it.
    DROP CONSTRAINT purchases_credits_positive,
    ADD CONSTRAINT purchases_credits_positive CHECK (credits > 0 OR credits = 0 AND status IN ('review', 'returned', 'foreign')),
    ADD CONSTRAINT purchases_granted_only_when_booked CHECK (credits_granted = 0 OR status NOT IN ('review', 'returned', 'foreign'));
CREATE INDEX purchases_review ON purchases (created_at) WHERE status = 'review';

-- Purchases that wait already did not keep their payment; their events have it.
UPDATE purchases p SET cause = 'the session''s amount is not what was ordered', payment_intent_id = nullif(e.payment_ref, e.object_id),
    paid_cents = coalesce((convert_from(e.payload, 'UTF8')::json #>> '{data,object,amount_total}')::bigint, 0),
    paid_currency = coalesce(convert_from(e.payload, 'UTF8')::json #>> '{data,object,currency}', ''), paid_at = e.received_at
FROM stripe_events e
WHERE p.status = 'review' AND p.payment_intent_id IS NULL AND e.object_id = p.checkout_session_id AND e.status = 'review'
    AND e.event_id = (SELECT min(one.event_id) FROM stripe_events one WHERE one.object_id = p.checkout_session_id AND one.status = 'review');

-- Events of paid sessions that none of our purchases fits are booked once more: each gets a purchase that waits.
UPDATE stripe_events SET status = 'received', attempts = 0, next_attempt_at = now() WHERE status = 'review' AND last_error IN (
    'no purchase of ours has this session', 'another session of this purchase is known',
    'a paid session names neither a customer that we know nor an e-mail address');

-- What a person decided about an event: foreign has later events of the same object and payment ignored.
ALTER TABLE stripe_events
    ADD COLUMN decided text NOT NULL DEFAULT '',
    ADD CONSTRAINT stripe_events_decided_known CHECK (decided IN ('', 'foreign', 'close', 'share'));
CREATE INDEX stripe_events_foreign ON stripe_events (object_id) WHERE decided = 'foreign';
ALTER TABLE reconciliation_findings ADD COLUMN closed_at timestamptz;

-- The newest event about a dispute counts. told_at is its second; revision grows with each change, so that an answer of
-- Stripe's is not written over what was told after it. withdrawn is what the bank took, share what a person says that
-- the dispute takes of the payment, in the payment's currency.
ALTER TABLE stripe_disputes
    ADD COLUMN told_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN revision integer NOT NULL DEFAULT 0,
    ADD COLUMN withdrawn bigint NOT NULL DEFAULT 0,
    ADD COLUMN withdrawn_currency text NOT NULL DEFAULT '',
    ADD COLUMN share bigint,
    ADD CONSTRAINT stripe_disputes_share_not_negative CHECK (share >= 0 AND withdrawn >= 0);

-- +goose Down
ALTER TABLE stripe_disputes
    DROP COLUMN share,
    DROP COLUMN withdrawn_currency,
    DROP COLUMN withdrawn,
    DROP COLUMN revision,
    DROP COLUMN told_at;
ALTER TABLE reconciliation_findings DROP COLUMN closed_at;
ALTER TABLE stripe_events DROP COLUMN decided;
DROP INDEX purchases_review;
UPDATE purchases SET status = 'review', credits = greatest(credits, 1) WHERE status IN ('review', 'returned', 'foreign');
ALTER TABLE purchases
    DROP CONSTRAINT purchases_granted_only_when_booked,
    DROP CONSTRAINT purchases_credits_positive,
    ADD CONSTRAINT purchases_credits_positive CHECK (credits > 0),
    DROP CONSTRAINT purchases_status_known,
    ADD CONSTRAINT purchases_status_known CHECK (status IN ('pending', 'awaiting_payment', 'paid', 'failed', 'expired', 'review')),
    DROP COLUMN recovered_from,
    DROP COLUMN cause;
