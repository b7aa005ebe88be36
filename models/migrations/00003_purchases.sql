-- +goose Up
CREATE TABLE prices (
    stripe_price_id  text PRIMARY KEY,
    credits_per_unit integer     NOT NULL,
    price_in_cents   integer     NOT NULL,
    currency         text        NOT NULL DEFAULT 'eur',
    active           boolean     NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT prices_stripe_price_id_not_blank CHECK (stripe_price_id <> ''),
    CONSTRAINT prices_credits_in_range CHECK (credits_per_unit BETWEEN 1 AND 1000000),
    CONSTRAINT prices_price_not_negative CHECK (price_in_cents >= 0),
    CONSTRAINT prices_currency_lower_case CHECK (currency ~ '^[a-z]{3}$')
);

-- One attempt to buy one package. The first block is what was ordered, the second what Stripe said,
-- the third what the ledger got; only purchase.Settle writes the third.
CREATE TABLE purchases (
    id                  uuid PRIMARY KEY,
    user_id             integer     NOT NULL REFERENCES users (id),
    stripe_price_id     text        NOT NULL REFERENCES prices (stripe_price_id),
    quantity            integer     NOT NULL,
    credits             integer     NOT NULL,
    amount_cents        bigint      NOT NULL,
    currency            text        NOT NULL,
    locale              text        NOT NULL,
    idempotency_key     text        NOT NULL,

    status              text        NOT NULL DEFAULT 'pending',
    checkout_session_id text,
    checkout_url        text        NOT NULL DEFAULT '',
    payment_intent_id   text,
    paid_cents          bigint      NOT NULL DEFAULT 0,
    paid_at             timestamptz,

    credits_granted     integer     NOT NULL DEFAULT 0,
    credits_refunded    integer     NOT NULL DEFAULT 0,
    credits_disputed    integer     NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT purchases_quantity_in_range CHECK (quantity BETWEEN 1 AND 100),
    CONSTRAINT purchases_credits_positive CHECK (credits > 0),
    CONSTRAINT purchases_amounts_not_negative CHECK (amount_cents >= 0 AND paid_cents >= 0),
    CONSTRAINT purchases_status_known CHECK (status IN ('pending', 'awaiting_payment', 'paid', 'failed', 'expired', 'review')),
    CONSTRAINT purchases_idempotency_key_key UNIQUE (user_id, idempotency_key),
    CONSTRAINT purchases_checkout_session_id_key UNIQUE (checkout_session_id),
    CONSTRAINT purchases_payment_intent_id_key UNIQUE (payment_intent_id),
    CONSTRAINT purchases_granted_only_when_paid CHECK (credits_granted = 0 OR (credits_granted = credits AND paid_at IS NOT NULL)),
    CONSTRAINT purchases_taken_back_at_most_granted CHECK
        (credits_refunded >= 0 AND credits_disputed >= 0 AND credits_refunded + credits_disputed <= credits_granted)
);
CREATE INDEX purchases_user_newest ON purchases (user_id, created_at DESC);

-- +goose Down
DROP TABLE purchases;
DROP TABLE prices;
