-- +goose Up
-- An account that was deleted keeps its number and what tax law wants kept, and nothing that says whose it was.
-- delete_after is the last day on which that must be kept; erased_at is when the last trace of the person was found gone.
ALTER TABLE users
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN delete_after date,
    ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT users_deleted_says_until CHECK ((deleted_at IS NULL) = (delete_after IS NULL)),
    ADD CONSTRAINT users_erased_is_deleted CHECK (erased_at IS NULL OR deleted_at IS NOT NULL),
    ADD CONSTRAINT users_deleted_is_nobody CHECK (deleted_at IS NULL
        OR (email IS NULL AND name = '' AND locale = '' AND stripe_customer_id IS NULL AND credits_held = 0));
CREATE INDEX users_to_erase ON users (id) WHERE deleted_at IS NOT NULL AND erased_at IS NULL;


-- An event's payload names who paid. Once that is of no use any more, it is cut down to what we read of it.
ALTER TABLE stripe_events ADD COLUMN reduced boolean NOT NULL DEFAULT false;

-- The ledger and the audit log stay append-only, with one way out each, for deleted accounts alone: the free words in a
-- line may be taken out of it, and everything goes once it need not be kept any more.
-- +goose StatementBegin
CREATE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone      boolean := false; -- the account is deleted
    kept      boolean := true;  -- and must be kept
    forgotten boolean := false; -- nothing but words was taken out
BEGIN
    SELECT deleted_at IS NOT NULL, coalesce(delete_after >= (now() AT TIME ZONE 'UTC')::date, true) INTO gone, kept FROM users WHERE id = OLD.user_id;
    -- Whatever the account says: a line of the ledger stays for eight years.
    IF TG_OP = 'DELETE' AND gone AND NOT kept AND (TG_TABLE_NAME <> 'credit_transactions' OR OLD.created_at < now() - interval '8 years') THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND gone THEN
        IF TG_TABLE_NAME = 'credit_transactions' THEN
            forgotten := to_jsonb(NEW) = jsonb_set(to_jsonb(OLD), '{meta}', OLD.meta - ARRAY['note', 'idempotency_key', 'request_hash', 'metadata']);
        ELSE
            forgotten := to_jsonb(NEW) = jsonb_set(to_jsonb(OLD), '{detail}', OLD.detail - 'note');
        END IF;
    END IF;
    IF forgotten THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only', TABLE = TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
DROP TRIGGER credit_transactions_append_only ON credit_transactions;
CREATE TRIGGER credit_transactions_append_only BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION forgets();
DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION forgets();

-- +goose Down
DROP TRIGGER credit_transactions_append_only ON credit_transactions;
CREATE TRIGGER credit_transactions_append_only BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION append_only();
DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION append_only();
DROP FUNCTION forgets();
ALTER TABLE stripe_events DROP COLUMN reduced;
ALTER TABLE users
    DROP CONSTRAINT users_deleted_is_nobody,
    DROP CONSTRAINT users_erased_is_deleted,
    DROP CONSTRAINT users_deleted_says_until,
    DROP COLUMN erased_at,
    DROP COLUMN delete_after,
    DROP COLUMN deleted_at;
