-- +goose Up
-- Somebody withdraws from a contract (§ 356a BGB), signed in or not. What they declared stays as they declared it; a
-- person looks at it, gives the money back and says that it is done.
CREATE TABLE withdrawals (
    id              uuid PRIMARY KEY,
    idempotency_key text        NOT NULL,
    user_id         integer     REFERENCES users (id) ON DELETE SET NULL,
    purchase_id     uuid        REFERENCES purchases (id) ON DELETE SET NULL,
    name            text        NOT NULL,
    email           text        NOT NULL,
    contract        text        NOT NULL,
    locale          text        NOT NULL,
    received_at     timestamptz NOT NULL DEFAULT now(),
    handled_at      timestamptz,
    handled_by      integer     REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT withdrawals_idempotency_key_key UNIQUE (idempotency_key),
    CONSTRAINT withdrawals_purchase_id_key UNIQUE (purchase_id),
    CONSTRAINT withdrawals_purchase_has_user CHECK (purchase_id IS NULL OR user_id IS NOT NULL),
    CONSTRAINT withdrawals_handled_by_somebody CHECK (handled_by IS NULL OR handled_at IS NOT NULL)
);
CREATE INDEX withdrawals_user ON withdrawals (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX withdrawals_received ON withdrawals (received_at);

-- +goose Down
DROP TABLE withdrawals;
