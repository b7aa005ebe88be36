-- +goose Up
-- The server works as a role that may add lines to the ledger and to the audit log and read them, and no more; see
-- models.Grant. The one way out, for deleted accounts, leads through these functions of the owner's, and through the
-- trigger forgets(), which looks at each line. Their search_path is fixed, temporary tables last: nobody may put a table
-- of theirs before ours.
-- +goose StatementBegin
DO $$
DECLARE
    path text := format('SET search_path = pg_catalog, %I, pg_temp', current_schema());
BEGIN
    EXECUTE 'CREATE FUNCTION forget_entries(owner integer, after bigint, batch integer) RETURNS bigint LANGUAGE sql SECURITY DEFINER ' || path || $f$
        AS $b$
            WITH next AS MATERIALIZED (
                SELECT id FROM credit_transactions WHERE user_id = owner AND id > after ORDER BY id LIMIT batch
            ), changed AS (
                UPDATE credit_transactions c SET meta = c.meta - ARRAY['note', 'idempotency_key', 'request_hash', 'metadata']
                FROM next WHERE c.id = next.id AND jsonb_exists_any(c.meta, ARRAY['note', 'idempotency_key', 'request_hash', 'metadata'])
            )
            SELECT coalesce(max(id), 0) FROM next
        $b$ $f$;
    EXECUTE 'CREATE FUNCTION forget_audit(owner integer) RETURNS void LANGUAGE sql SECURITY DEFINER ' || path || $f$
        AS $b$ UPDATE audit_log SET detail = detail - 'note' WHERE user_id = owner AND jsonb_exists(detail, 'note') $b$ $f$;
    EXECUTE 'CREATE FUNCTION remove_entries(owner integer) RETURNS void LANGUAGE sql SECURITY DEFINER ' || path || $f$
        AS $b$ DELETE FROM credit_transactions WHERE user_id = owner $b$ $f$;
    EXECUTE 'CREATE FUNCTION remove_audit(owner integer) RETURNS void LANGUAGE sql SECURITY DEFINER ' || path || $f$
        AS $b$ DELETE FROM audit_log WHERE user_id = owner $b$ $f$;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION forget_entries(integer, bigint, integer), forget_audit(integer), remove_entries(integer), remove_audit(integer) FROM PUBLIC;

-- As before, and an account's lines in the audit log stay for as long as those in the ledger: whoever can mark an account
-- as deleted must not make what was done on its behalf disappear.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone      boolean := false; -- the account is deleted
    kept      boolean := true;  -- and must be kept
    forgotten boolean := false; -- nothing but words was taken out
BEGIN
    SELECT deleted_at IS NOT NULL, coalesce(delete_after >= (now() AT TIME ZONE 'UTC')::date, true) INTO gone, kept FROM users WHERE id = OLD.user_id;
    IF TG_OP = 'DELETE' AND gone AND NOT kept THEN
        -- Whatever the account says: a line of the ledger stays for eight years.
        IF TG_TABLE_NAME = 'credit_transactions' AND OLD.created_at < now() - interval '8 years' THEN
            RETURN OLD;
        END IF;
        IF TG_TABLE_NAME = 'audit_log' AND NOT EXISTS (SELECT FROM credit_transactions WHERE user_id = OLD.user_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' AND gone THEN
        IF TG_TABLE_NAME = 'credit_transactions' THEN
            forgotten := to_jsonb(NEW) = jsonb_set(to_jsonb(OLD), '{meta}', OLD.meta - ARRAY['note', 'idempotency_key', 'request_hash', 'metadata']);
        ELSE
            forgotten := to_jsonb(NEW) - 'source' = jsonb_set(to_jsonb(OLD) - 'source', '{detail}', OLD.detail - 'note')
                AND coalesce(to_jsonb(NEW) ->> 'source', '') IN ('', to_jsonb(OLD) ->> 'source');
        END IF;
    END IF;
    IF forgotten THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only', TABLE = TG_TABLE_NAME;
END $$;
-- +goose StatementEnd

-- +goose Down
-- forgets() stays: a line that an older release would remove is kept.
DROP FUNCTION forget_entries(integer, bigint, integer), forget_audit(integer), remove_entries(integer), remove_audit(integer);
