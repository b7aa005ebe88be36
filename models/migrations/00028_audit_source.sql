-- +goose Up
-- From where something was done: a keyed hash of the sender's address, which tells senders apart and nothing else.
-- A user's own deeds that open or close a way into an account are kept too.
ALTER TABLE audit_log
    ADD COLUMN source text NOT NULL DEFAULT '',
    ADD CONSTRAINT audit_log_source_hash CHECK (source ~ '^([0-9a-f]{16})?$'),
    DROP CONSTRAINT audit_log_actor_known,
    ADD CONSTRAINT audit_log_actor_known CHECK (actor IN ('admin', 'user', 'operator', 'system'));

-- With an account goes from where it was used.
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION forget_audit(owner integer) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, %I, pg_temp AS %L',
        current_schema(), $b$ UPDATE audit_log SET detail = detail - 'note', source = '' WHERE user_id = owner AND (jsonb_exists(detail, 'note') OR source <> '') $b$);
END $$;
-- +goose StatementEnd

-- A service key may end by itself. NULL: it does not.
ALTER TABLE api_keys
    ADD COLUMN expires_at timestamptz,
    ADD CONSTRAINT api_keys_expires_later CHECK (expires_at > created_at);

-- +goose Down
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION forget_audit(owner integer) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, %I, pg_temp AS %L',
        current_schema(), $b$ UPDATE audit_log SET detail = detail - 'note' WHERE user_id = owner AND jsonb_exists(detail, 'note') $b$);
END $$;
-- +goose StatementEnd
ALTER TABLE api_keys DROP COLUMN expires_at;
-- Lines of users stay, as lines do; an older release writes none.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_actor_known,
    ADD CONSTRAINT audit_log_actor_known CHECK (actor IN ('admin', 'operator', 'system')) NOT VALID,
    DROP COLUMN source;
