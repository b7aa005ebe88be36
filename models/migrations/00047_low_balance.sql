-- +goose Up
-- The balance below which users get a letter; 0 for never. NULL is the price of the dearest feature.
ALTER TABLE installations ADD COLUMN low_balance integer,
    ADD CONSTRAINT installations_low_balance_in_range CHECK (low_balance BETWEEN 0 AND 1000000);

-- The kinds of letters that a user does not want.
CREATE TABLE letter_refusals (
    user_id    integer     NOT NULL REFERENCES users (id),
    kind       text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, kind),
    CONSTRAINT letter_refusals_kind_optional CHECK (kind IN ('low_balance'))
);

CREATE FUNCTION low_balance() RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(low_balance, (SELECT max(credits) FROM feature_prices WHERE active), 0) FROM installations
$$;

-- Whether an entry takes a balance below a threshold.
CREATE FUNCTION falls_below(threshold integer, delta integer, balance_after integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT balance_after < threshold AND balance_after - delta >= threshold
$$;

-- As in 00045_webhooks.sql, with falls_below.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION webhook_entries() RETURNS trigger LANGUAGE plpgsql AS $$
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
                SELECT 'credits.low' WHERE falls_below(e.low_threshold, c.delta_credits, c.balance_after)
            ) event (type)
            WHERE e.disabled_at IS NULL AND event.type = ANY (e.events)
            ORDER BY c.id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- The letters of a statement's entries: one for each that a user's own use takes below the threshold.
-- +goose StatementBegin
CREATE FUNCTION letter_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    threshold integer := low_balance();
BEGIN
    IF EXISTS (SELECT FROM entries WHERE falls_below(threshold, delta_credits, balance_after)) THEN
        INSERT INTO letters (id, kind, key, user_id, locale, args)
            SELECT gen_random_uuid(), 'low_balance', c.id, c.user_id, coalesce(nullif(u.locale, ''), 'en'),
                jsonb_build_object('balance', c.balance_after, 'threshold', threshold)
            FROM entries c JOIN users u ON u.id = c.user_id
            WHERE falls_below(threshold, c.delta_credits, c.balance_after) AND u.email IS NOT NULL
                AND c.reason NOT IN ('refund', 'dispute', 'manual')
                AND NOT EXISTS (SELECT FROM letter_refusals r WHERE r.user_id = c.user_id AND r.kind = 'low_balance');
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER credit_transactions_letters AFTER INSERT ON credit_transactions
    REFERENCING NEW TABLE AS entries FOR EACH STATEMENT EXECUTE FUNCTION letter_entries();

-- +goose Down
DROP TRIGGER credit_transactions_letters ON credit_transactions;
DROP FUNCTION letter_entries();
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION webhook_entries() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP FUNCTION falls_below(integer, integer, integer), low_balance();
DROP TABLE letter_refusals;
ALTER TABLE installations DROP COLUMN low_balance;
