-- +goose Up
-- Every event that carried a good signature, stored before it is answered.
CREATE TABLE stripe_events (
    event_id          text PRIMARY KEY,
    type              text        NOT NULL,
    api_version       text        NOT NULL DEFAULT '',
    livemode          boolean     NOT NULL,
    object_id         text        NOT NULL DEFAULT '',
    payment_ref       text        NOT NULL DEFAULT '',
    payload           bytea       NOT NULL,
    status            text        NOT NULL DEFAULT 'received',
    attempts          integer     NOT NULL DEFAULT 0,
    next_attempt_at   timestamptz NOT NULL DEFAULT now(),
    last_error        text        NOT NULL DEFAULT '',
    created_at_stripe bigint      NOT NULL,
    received_at       timestamptz NOT NULL DEFAULT now(),
    processed_at      timestamptz,
    CONSTRAINT stripe_events_event_id_not_blank CHECK (event_id <> ''),
    CONSTRAINT stripe_events_status_known CHECK (status IN ('received', 'done', 'ignored', 'deferred', 'failed', 'review'))
);
CREATE INDEX stripe_events_due ON stripe_events (next_attempt_at) WHERE status IN ('received', 'deferred', 'failed');
CREATE INDEX stripe_events_payment_ref ON stripe_events (payment_ref) WHERE payment_ref <> '';

-- What Stripe said of money that goes back. payment_ref is the payment intent, or the charge where there is none.
-- Kept also while the purchase is unknown: settling it later reads the same rows.
CREATE TABLE stripe_charges (
    charge_id       text PRIMARY KEY,
    payment_ref     text        NOT NULL,
    amount          bigint      NOT NULL,
    amount_refunded bigint      NOT NULL,
    currency        text        NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stripe_charges_charge_id_not_blank CHECK (charge_id <> ''),
    CONSTRAINT stripe_charges_amounts_not_negative CHECK (amount >= 0 AND amount_refunded >= 0)
);
CREATE INDEX stripe_charges_payment_ref ON stripe_charges (payment_ref);

CREATE TABLE stripe_refunds (
    refund_id      text PRIMARY KEY,
    charge_id      text        NOT NULL DEFAULT '',
    payment_ref    text        NOT NULL,
    amount         bigint      NOT NULL,
    currency       text        NOT NULL,
    status         text        NOT NULL,
    failure_reason text        NOT NULL DEFAULT '',
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stripe_refunds_refund_id_not_blank CHECK (refund_id <> ''),
    CONSTRAINT stripe_refunds_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT stripe_refunds_status_known CHECK (status IN ('pending', 'requires_action', 'succeeded', 'failed', 'canceled'))
);
CREATE INDEX stripe_refunds_payment_ref ON stripe_refunds (payment_ref);

CREATE TABLE stripe_disputes (
    dispute_id  text PRIMARY KEY,
    charge_id   text        NOT NULL DEFAULT '',
    payment_ref text        NOT NULL,
    amount      bigint      NOT NULL,
    currency    text        NOT NULL,
    status      text        NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stripe_disputes_dispute_id_not_blank CHECK (dispute_id <> ''),
    CONSTRAINT stripe_disputes_amount_not_negative CHECK (amount >= 0),
    CONSTRAINT stripe_disputes_status_known CHECK (status IN ('warning_needs_response', 'warning_under_review',
        'warning_closed', 'needs_response', 'under_review', 'lost', 'won'))
);
CREATE INDEX stripe_disputes_payment_ref ON stripe_disputes (payment_ref);

-- Every Stripe customer a user ever had; users.stripe_customer_id is the one in use.
CREATE TABLE stripe_customers (
    customer_id text PRIMARY KEY,
    user_id     integer     NOT NULL REFERENCES users (id),
    livemode    boolean     NOT NULL,
    deleted_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stripe_customers_customer_id_not_blank CHECK (customer_id <> '')
);
CREATE INDEX stripe_customers_user ON stripe_customers (user_id);

-- +goose Down
DROP TABLE stripe_customers;
DROP TABLE stripe_disputes;
DROP TABLE stripe_refunds;
DROP TABLE stripe_charges;
DROP TABLE stripe_events;
