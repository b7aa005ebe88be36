-- +goose Up
-- What a feature costs is the operator's to say, and so is which features there are. A row is never deleted and its
-- name never changes: ledger lines and holds carry it for ever. The labels are for features that the program has no
-- words of its own for.
ALTER TABLE feature_prices
    ADD COLUMN label_en text NOT NULL DEFAULT '',
    ADD COLUMN label_de text NOT NULL DEFAULT '',
    ADD CONSTRAINT feature_prices_feature_named CHECK (feature ~ '^[a-z][a-z0-9_]{0,49}$'
        AND feature NOT IN ('purchase', 'refund', 'dispute', 'manual')),
    ADD CONSTRAINT feature_prices_labels_short CHECK (length(label_en) <= 80 AND length(label_de) <= 80);

-- +goose StatementBegin
CREATE FUNCTION feature_prices_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'features are switched off, never removed or renamed: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'feature_prices_kept', TABLE = 'feature_prices';
END $$;
-- +goose StatementEnd
CREATE TRIGGER feature_prices_kept BEFORE DELETE OR UPDATE OF feature ON feature_prices
    FOR EACH ROW EXECUTE FUNCTION feature_prices_kept();
CREATE TRIGGER feature_prices_no_truncate BEFORE TRUNCATE ON feature_prices
    FOR EACH STATEMENT EXECUTE FUNCTION feature_prices_kept();

-- A key's rows stay, too: revoked is not deleted.
-- +goose StatementBegin
CREATE FUNCTION api_keys_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'service keys are revoked, never removed: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'api_keys_kept', TABLE = 'api_keys';
END $$;
-- +goose StatementEnd
CREATE TRIGGER api_keys_kept BEFORE DELETE OR UPDATE OF id ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_kept();
CREATE TRIGGER api_keys_no_truncate BEFORE TRUNCATE ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION api_keys_kept();

-- Known features instead of three fixed words; the trigger below looks them up. Not a foreign key: each spend of
-- everybody would lock the same few rows, and rows that are never deleted need no lock to stay.
ALTER TABLE credit_transactions
    DROP CONSTRAINT credit_transactions_reason_known,
    DROP CONSTRAINT credit_transactions_sign,
    -- A purchase gives and a feature takes; refunds, disputes and corrections may go both ways.
    ADD CONSTRAINT credit_transactions_sign CHECK (CASE
        WHEN reason = 'purchase' THEN delta_credits > 0
        WHEN reason IN ('refund', 'dispute', 'manual') THEN true
        ELSE delta_credits < 0 END);

-- Only of lines that an event caused: spending need not touch this index.
ALTER TABLE credit_transactions DROP CONSTRAINT credit_transactions_stripe_event_id_key;
CREATE UNIQUE INDEX credit_transactions_stripe_event_id_key ON credit_transactions (stripe_event_id) WHERE stripe_event_id IS NOT NULL;

-- One row for each idempotency key of a caller and user, kept for ever. The caller is a service key, or '' for the
-- user's own session.
DROP INDEX credit_transactions_idempotency_key;
CREATE UNIQUE INDEX credit_transactions_idempotency_key
    ON credit_transactions (user_id, (meta ->> 'idempotency_key'), (coalesce(meta ->> 'caller', '')))
    WHERE meta ->> 'idempotency_key' IS NOT NULL;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION credit_transactions_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held         integer;
    last_id      bigint;
    last_balance integer;
    known        boolean;
BEGIN
    -- Rows of one user are written one after the other, also by a writer who forgot to lock.
    SELECT credits_held INTO held FROM users WHERE id = NEW.user_id FOR UPDATE;
    SELECT c.id, c.balance_after, NEW.reason IN ('purchase', 'refund', 'dispute', 'manual')
            OR EXISTS (SELECT FROM feature_prices WHERE feature = NEW.reason)
        INTO last_id, last_balance, known
        FROM (SELECT) one LEFT JOIN LATERAL
            (SELECT id, balance_after FROM credit_transactions WHERE user_id = NEW.user_id ORDER BY id DESC LIMIT 1) c ON true;
    IF last_id >= NEW.id THEN
        RAISE EXCEPTION 'credit transaction % comes after % of the same user', last_id, NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_in_order', TABLE = 'credit_transactions';
    END IF;
    IF NOT known THEN
        RAISE EXCEPTION 'no feature is called %', NEW.reason
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_reason_known', TABLE = 'credit_transactions';
    END IF;
    NEW.balance_after := coalesce(last_balance, 0) + NEW.delta_credits;
    -- Only what Stripe took back, and what was held before it did, may leave a debt.
    IF NEW.delta_credits < 0 AND NEW.balance_after < held AND NEW.reason NOT IN ('refund', 'dispute')
        AND NEW.meta ->> 'hold_id' IS NULL THEN
        RAISE EXCEPTION 'user % has not % credits to take', NEW.user_id, -NEW.delta_credits
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_transactions_covered', TABLE = 'credit_transactions';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- As before, in one query instead of two.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION balance_equals_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner   integer;
    balance integer;
    booked  integer;
BEGIN
    IF TG_TABLE_NAME = 'users' THEN owner := NEW.id; ELSE owner := NEW.user_id; END IF;
    SELECT u.credits_balance, coalesce((SELECT c.balance_after FROM credit_transactions c WHERE c.user_id = u.id ORDER BY c.id DESC LIMIT 1), 0)
        INTO balance, booked FROM users u WHERE u.id = owner;
    IF balance <> booked THEN
        RAISE EXCEPTION 'user % has a balance of % credits but % in the ledger', owner, balance, booked
            USING ERRCODE = 'check_violation', CONSTRAINT = 'users_balance_equals_ledger', TABLE = 'users';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- A hold: its request, to know a repeat, and the line that its capture wrote.
ALTER TABLE holds
    ADD COLUMN request_hash text NOT NULL DEFAULT '',
    ADD COLUMN transaction_id bigint, -- of a table whose rows stay
    DROP CONSTRAINT holds_feature_fkey,
    DROP CONSTRAINT holds_api_key_id_fkey,
    DROP CONSTRAINT holds_idempotency_key_key,
    ADD CONSTRAINT holds_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    ADD CONSTRAINT holds_captured_has_line CHECK ((transaction_id IS NOT NULL) = (status = 'captured'));
CREATE UNIQUE INDEX holds_idempotency_key ON holds (user_id, idempotency_key, api_key_id) NULLS NOT DISTINCT WHERE idempotency_key IS NOT NULL;
CREATE INDEX holds_user_newest ON holds (user_id, id DESC);
CREATE INDEX holds_open_of_user ON holds (user_id) WHERE status = 'open';

-- What a hold names exists, by look-up rather than by foreign key for the reason above. A hold ends once.
-- +goose StatementBegin
CREATE FUNCTION holds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.status <> 'open' OR (NEW.user_id, NEW.credits, NEW.feature) IS DISTINCT FROM (OLD.user_id, OLD.credits, OLD.feature)
            OR NEW.api_key_id IS DISTINCT FROM OLD.api_key_id OR NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key THEN
            RAISE EXCEPTION 'hold % is % and changes no more', OLD.id, OLD.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_end_once', TABLE = 'holds';
        END IF;
        RETURN NEW;
    END IF;
    PERFORM 1 FROM feature_prices WHERE feature = NEW.feature;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no feature is called %', NEW.feature
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'holds_feature_known', TABLE = 'holds';
    END IF;
    IF NEW.api_key_id IS NOT NULL THEN
        PERFORM 1 FROM api_keys WHERE id = NEW.api_key_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no service key is %', NEW.api_key_id
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'holds_api_key_known', TABLE = 'holds';
        END IF;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER holds_guard BEFORE INSERT OR UPDATE ON holds FOR EACH ROW EXECUTE FUNCTION holds_guard();

-- credits_held = sum of the open holds, checked when a transaction that touched either commits.
-- +goose StatementBegin
CREATE FUNCTION held_equals_holds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner  integer;
    stated integer;
    open   bigint;
BEGIN
    IF TG_TABLE_NAME = 'users' THEN owner := NEW.id; ELSE owner := NEW.user_id; END IF;
    SELECT u.credits_held, (SELECT coalesce(sum(h.credits), 0) FROM holds h WHERE h.user_id = u.id AND h.status = 'open')
        INTO stated, open FROM users u WHERE u.id = owner;
    IF stated <> open THEN
        RAISE EXCEPTION 'user % has % credits held but open holds of %', owner, stated, open
            USING ERRCODE = 'check_violation', CONSTRAINT = 'users_held_equals_holds', TABLE = 'users';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER users_held_equals_holds AFTER INSERT OR UPDATE OF credits_held ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION held_equals_holds();
CREATE CONSTRAINT TRIGGER holds_held_equals_holds AFTER INSERT OR UPDATE OF status, credits ON holds
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION held_equals_holds();

-- Room on each page, so that a balance that moves stays on its page and touches no index.
ALTER TABLE users SET (fillfactor = 80);
ALTER TABLE holds SET (fillfactor = 80);

-- +goose Down
ALTER TABLE users RESET (fillfactor);
DROP TRIGGER users_held_equals_holds ON users;
DROP TRIGGER holds_held_equals_holds ON holds;
DROP TRIGGER holds_guard ON holds;
DROP FUNCTION held_equals_holds(), holds_guard();
DROP INDEX holds_idempotency_key, holds_user_newest, holds_open_of_user;
ALTER TABLE holds RESET (fillfactor);
ALTER TABLE holds
    DROP CONSTRAINT holds_captured_has_line,
    DROP CONSTRAINT holds_metadata_object,
    DROP COLUMN transaction_id,
    DROP COLUMN request_hash,
    ADD CONSTRAINT holds_feature_fkey FOREIGN KEY (feature) REFERENCES feature_prices (feature),
    ADD CONSTRAINT holds_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys (id),
    ADD CONSTRAINT holds_idempotency_key_key UNIQUE NULLS NOT DISTINCT (api_key_id, user_id, idempotency_key);
DROP INDEX credit_transactions_idempotency_key;
CREATE UNIQUE INDEX credit_transactions_idempotency_key
    ON credit_transactions (user_id, (meta ->> 'idempotency_key')) WHERE meta ->> 'idempotency_key' IS NOT NULL;
DROP INDEX credit_transactions_stripe_event_id_key;
ALTER TABLE credit_transactions
    ADD CONSTRAINT credit_transactions_stripe_event_id_key UNIQUE (stripe_event_id),
    DROP CONSTRAINT credit_transactions_sign,
    ADD CONSTRAINT credit_transactions_reason_known CHECK (reason IN
        ('purchase', 'refund', 'dispute', 'resume_analysis', 'job_match', 'resume_improvement', 'manual')),
    ADD CONSTRAINT credit_transactions_sign CHECK (CASE
        WHEN reason = 'purchase' THEN delta_credits > 0
        WHEN reason IN ('resume_analysis', 'job_match', 'resume_improvement') THEN delta_credits < 0
        ELSE true END);
DROP TRIGGER api_keys_no_truncate ON api_keys;
DROP TRIGGER api_keys_kept ON api_keys;
DROP TRIGGER feature_prices_no_truncate ON feature_prices;
DROP TRIGGER feature_prices_kept ON feature_prices;
DROP FUNCTION api_keys_kept(), feature_prices_kept();
ALTER TABLE feature_prices
    DROP CONSTRAINT feature_prices_labels_short,
    DROP CONSTRAINT feature_prices_feature_named,
    DROP COLUMN label_de,
    DROP COLUMN label_en;
