-- +goose Up
-- Whether the credits of a purchase are held until its withdrawal period ends, unless its buyer makes both statements of
-- models.Consent, with the order or later. The order decides, so that a later change of the setting breaks no promise.
-- Both kinds of consent are evidence and never change.
ALTER TABLE purchases
    ADD COLUMN holds_credits boolean NOT NULL DEFAULT false,
    ADD COLUMN later_consent jsonb,
    ADD CONSTRAINT purchases_later_consent_object CHECK (jsonb_typeof(later_consent) = 'object') NOT VALID,
    ADD CONSTRAINT purchases_later_consent_of_hold CHECK (later_consent IS NULL OR holds_credits) NOT VALID;
CREATE TRIGGER purchases_later_consent_kept BEFORE UPDATE OF later_consent ON purchases FOR EACH ROW
    WHEN (OLD.later_consent IS NOT NULL AND NEW.later_consent IS DISTINCT FROM OLD.later_consent)
    EXECUTE FUNCTION purchases_consent_kept();

-- The reason of such a hold; no feature may take its name.
ALTER TABLE feature_prices ADD CONSTRAINT feature_prices_not_withdrawal_period CHECK (feature <> 'withdrawal_period') NOT VALID;

-- As in 00055_goodwill.sql, and for the withdrawal period.
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
    IF NEW.feature NOT IN ('withdrawal', 'refund', 'withdrawal_period') THEN
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
ALTER TABLE feature_prices DROP CONSTRAINT feature_prices_not_withdrawal_period;
DROP TRIGGER purchases_later_consent_kept ON purchases;
ALTER TABLE purchases DROP COLUMN later_consent, DROP COLUMN holds_credits;
