-- +goose Up
-- What a declaration of withdrawal concerns, and what became of it. used_credits are those of the purchase that were
-- used when it was declared, NULL if no purchase is named or an earlier release received it. Credits in holds of running
-- work then count as used, and in running_credits. The hold has no foreign key: holds are erased with an account.
ALTER TABLE withdrawals
    ADD COLUMN reworded        boolean NOT NULL DEFAULT false,
    ADD COLUMN used_credits    integer,
    ADD COLUMN running_credits integer NOT NULL DEFAULT 0,
    ADD COLUMN waived_credits  integer NOT NULL DEFAULT 0,
    ADD COLUMN hold_id         uuid,
    ADD COLUMN judged_at       timestamptz,
    ADD COLUMN refund_request  uuid REFERENCES refund_requests (id) ON DELETE SET NULL,
    ADD COLUMN refunded_cents  bigint,
    ADD CONSTRAINT withdrawals_credits_not_negative CHECK (used_credits >= 0 AND running_credits >= 0 AND waived_credits >= 0),
    ADD CONSTRAINT withdrawals_refunded_when_handled CHECK (refunded_cents IS NULL OR refunded_cents >= 0 AND handled_at IS NOT NULL);

-- The reason of a hold that reserves the credits of a withdrawal; no feature may take its name.
ALTER TABLE feature_prices ADD CONSTRAINT feature_prices_not_withdrawal CHECK (feature <> 'withdrawal') NOT VALID;

-- As before, and for withdrawals.
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
ALTER TABLE feature_prices DROP CONSTRAINT feature_prices_not_withdrawal;
ALTER TABLE withdrawals DROP COLUMN refunded_cents, DROP COLUMN refund_request, DROP COLUMN judged_at, DROP COLUMN hold_id,
    DROP COLUMN waived_credits, DROP COLUMN running_credits, DROP COLUMN used_credits, DROP COLUMN reworded;
