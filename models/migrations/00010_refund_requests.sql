-- +goose Up
-- A refund that an admin decided on. It is written before Stripe hears of it and sent until Stripe has answered; what
-- it does to the ledger comes from Stripe's answer and events alone.
CREATE TABLE refund_requests (
    id              uuid PRIMARY KEY,
    purchase_id     uuid        NOT NULL REFERENCES purchases (id),
    idempotency_key text        NOT NULL,
    amount_cents    bigint      NOT NULL,
    actor_id        integer     REFERENCES users (id),
    note            text        NOT NULL,
    status          text        NOT NULL DEFAULT 'pending',
    refund_id       text,
    last_error      text        NOT NULL DEFAULT '',
    next_attempt_at timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refund_requests_amount_positive CHECK (amount_cents > 0),
    CONSTRAINT refund_requests_status_known CHECK (status IN ('pending', 'sent', 'refused')),
    CONSTRAINT refund_requests_sent_has_refund CHECK ((refund_id IS NOT NULL) = (status = 'sent')),
    CONSTRAINT refund_requests_idempotency_key_key UNIQUE (purchase_id, idempotency_key),
    CONSTRAINT refund_requests_refund_id_key UNIQUE (refund_id)
);
CREATE INDEX refund_requests_due ON refund_requests (next_attempt_at) WHERE status = 'pending';

-- An admin asks which events came about one session.
CREATE INDEX stripe_events_object ON stripe_events (object_id) WHERE object_id <> '';

-- +goose Down
DROP INDEX stripe_events_object;
DROP TABLE refund_requests;
