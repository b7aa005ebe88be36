-- +goose Up
-- Endpoints are the operators' programs that are told of credits. Each has at least one secret, sealed with
-- SESSION_SECRET; a rotated one keeps signing until it expires.
CREATE TABLE webhook_endpoints (
    id              uuid PRIMARY KEY,
    url             text        NOT NULL,
    events          text[]      NOT NULL, -- the types that it wants
    low_threshold   integer     NOT NULL, -- of credits.low
    created_by      integer,              -- the admin's number; no foreign key, so that accounts can be removed
    idempotency_key text,                 -- of the form that added it
    created_at      timestamptz NOT NULL DEFAULT now(),
    disabled_at     timestamptz,
    disabled_cause  text        NOT NULL DEFAULT '',
    CONSTRAINT webhook_endpoints_url_length CHECK (char_length(url) BETWEEN 1 AND 500),
    CONSTRAINT webhook_endpoints_events_known CHECK (cardinality(events) > 0 AND events <@ ARRAY['credits.added',
        'credits.spent', 'credits.removed', 'credits.refunded', 'credits.low', 'purchase.in_review']),
    CONSTRAINT webhook_endpoints_low_threshold_in_range CHECK (low_threshold BETWEEN 1 AND 1000000),
    CONSTRAINT webhook_endpoints_disabled_cause_known CHECK (disabled_cause IN ('', 'admin', 'gone')
        AND (disabled_at IS NULL) = (disabled_cause = '')),
    CONSTRAINT webhook_endpoints_idempotency_key_key UNIQUE (created_by, idempotency_key)
);
CREATE TABLE webhook_secrets (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id     uuid        NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    sealed          text        NOT NULL,
    idempotency_key text,       -- of the form that rotated it
    expires_at      timestamptz,
    CONSTRAINT webhook_secrets_idempotency_key_key UNIQUE (endpoint_id, idempotency_key)
);

-- One row for each event and endpoint. It has no foreign key to its endpoint: the check would lock that row in every
-- booking. A delivery whose endpoint was removed meanwhile is never due, and is deleted with the old ones.
CREATE TABLE webhook_deliveries (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id  uuid        NOT NULL DEFAULT gen_random_uuid(), -- the same in every attempt
    endpoint_id uuid        NOT NULL,
    type        text        NOT NULL,
    user_id     integer,
    entry_id    bigint,     -- of credits.*
    purchase_id uuid,       -- of purchase.in_review
    status      text        NOT NULL DEFAULT 'pending',
    attempts    integer     NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now(),
    response    integer     NOT NULL DEFAULT 0,  -- HTTP status of the last attempt; 0 without an answer
    failure     text        NOT NULL DEFAULT '', -- code of the last attempt
    created_at  timestamptz NOT NULL DEFAULT now(),
    tried_at    timestamptz,
    CONSTRAINT webhook_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'failed'))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, id) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (endpoint_id, created_at) WHERE status = 'failed';

-- The events of a statement's entries, for every writer of entries. Each entry is one of added, spent, removed and
-- refunded; one that takes the balance below an endpoint's threshold is also low.
-- +goose StatementBegin
CREATE FUNCTION webhook_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhook_endpoints WHERE disabled_at IS NULL) THEN -- a third of the time of the join below
        INSERT INTO webhook_deliveries (endpoint_id, type, user_id, entry_id)
            SELECT e.id, event.type, c.user_id, c.id
            FROM webhook_endpoints e, entries c, LATERAL (
                SELECT CASE
                    WHEN c.reason IN ('refund', 'dispute') THEN 'credits.refunded'
                    WHEN c.delta_credits > 0 THEN 'credits.added'
                    WHEN c.reason = 'manual' THEN 'credits.removed'
                    ELSE 'credits.spent' END
                UNION ALL
                SELECT 'credits.low' WHERE c.balance_after < e.low_threshold AND c.balance_after - c.delta_credits >= e.low_threshold
            ) event (type)
            WHERE e.disabled_at IS NULL AND event.type = ANY (e.events)
            ORDER BY c.id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER credit_transactions_webhooks AFTER INSERT ON credit_transactions
    REFERENCING NEW TABLE AS entries FOR EACH STATEMENT EXECUTE FUNCTION webhook_entries();

-- +goose StatementBegin
CREATE FUNCTION webhook_review() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (endpoint_id, type, user_id, purchase_id)
        SELECT e.id, 'purchase.in_review', NEW.user_id, NEW.id
        FROM webhook_endpoints e WHERE e.disabled_at IS NULL AND 'purchase.in_review' = ANY (e.events);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER purchases_webhooks_insert AFTER INSERT ON purchases
    FOR EACH ROW WHEN (NEW.status = 'review') EXECUTE FUNCTION webhook_review();
CREATE TRIGGER purchases_webhooks_update AFTER UPDATE OF status ON purchases
    FOR EACH ROW WHEN (NEW.status = 'review' AND OLD.status <> 'review') EXECUTE FUNCTION webhook_review();

-- +goose Down
DROP TRIGGER purchases_webhooks_update ON purchases;
DROP TRIGGER purchases_webhooks_insert ON purchases;
DROP TRIGGER credit_transactions_webhooks ON credit_transactions;
DROP FUNCTION webhook_review(), webhook_entries();
DROP TABLE webhook_deliveries, webhook_secrets, webhook_endpoints;
