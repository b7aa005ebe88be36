-- +goose Up
-- Refunds of unused credits that buyers ask for. The hold reserves those credits until the refund has taken them; it has
-- no foreign key, because holds are erased with an account.
ALTER TABLE refund_requests
    ADD COLUMN goodwill boolean NOT NULL DEFAULT false,
    ADD COLUMN hold_id  uuid,
    ADD CONSTRAINT refund_requests_goodwill_by_buyer CHECK (NOT goodwill OR actor_id IS NULL) NOT VALID;

-- As in 00053_withdrawal_claims.sql, and for refunds.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.status <> 'open' OR (NEW.user_id, NEW.credits, NEW.feature) IS DISTINCT FROM (OLD.user_id, OLD.credits, OLD.feature)
            OR NEW.api_key_id IS DISTINCT FROM OLD.api_key_id OR NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key THEN
            RAISE EXCEPTION 'hold % is % and changes no more', OLD.id, OLD.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_end_once', TABLE = 'holds';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.feature NOT IN ('withdrawal', 'refund') THEN
        PERFORM 1 FROM feature_prices WHERE feature = NEW.feature;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no feature is called %', NEW.feature
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'holds_feature_known', TABLE = 'holds';
        END IF;
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

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION holds_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.status <> 'open' OR (NEW.user_id, NEW.credits, NEW.feature) IS DISTINCT FROM (OLD.user_id, OLD.credits, OLD.feature)
            OR NEW.api_key_id IS DISTINCT FROM OLD.api_key_id OR NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key THEN
            RAISE EXCEPTION 'hold % is % and changes no more', OLD.id, OLD.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_end_once', TABLE = 'holds';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.feature <> 'withdrawal' THEN
        PERFORM 1 FROM feature_prices WHERE feature = NEW.feature;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no feature is called %', NEW.feature
                USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'holds_feature_known', TABLE = 'holds';
        END IF;
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
ALTER TABLE refund_requests DROP COLUMN goodwill, DROP COLUMN hold_id;
