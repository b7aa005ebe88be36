-- +goose Up
-- A key that was revoked stays: holds point at it, and the audit log names it.
ALTER TABLE api_keys
    ADD COLUMN per_minute integer NOT NULL DEFAULT 1000,
    ADD COLUMN idempotency_key text, -- of the form it was made with
    ADD CONSTRAINT api_keys_per_minute_in_range CHECK (per_minute BETWEEN 0 AND 1000000),
    ADD CONSTRAINT api_keys_name_length CHECK (char_length(name) <= 80),
    ADD CONSTRAINT api_keys_idempotency_key_key UNIQUE (created_by, idempotency_key);
-- +goose StatementBegin
CREATE FUNCTION api_keys_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a service key stays: % refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'api_keys_stay', TABLE = TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER api_keys_stay BEFORE DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_stay();
CREATE TRIGGER api_keys_stay_revoked BEFORE UPDATE ON api_keys FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) EXECUTE FUNCTION api_keys_stay();

-- How much of a limit per minute is taken, by whom it is for: "key:<id>" or "from:<hash of an address>". Replicas lease
-- from it. Not logged, because a crash may forget it: the worst is a second helping in one minute.
CREATE UNLOGGED TABLE rate_windows (
    subject text        NOT NULL,
    minute  timestamptz NOT NULL,
    taken   integer     NOT NULL,
    granted integer     NOT NULL, -- by the latest lease
    CONSTRAINT rate_windows_pkey PRIMARY KEY (subject, minute),
    CONSTRAINT rate_windows_granted_in_range CHECK (granted > 0 AND taken >= granted)
);
CREATE INDEX rate_windows_minute ON rate_windows (minute);

-- +goose Down
DROP TABLE rate_windows;
DROP TRIGGER api_keys_stay_revoked ON api_keys;
DROP TRIGGER api_keys_stay ON api_keys;
DROP FUNCTION api_keys_stay();
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_idempotency_key_key,
    DROP CONSTRAINT api_keys_name_length,
    DROP CONSTRAINT api_keys_per_minute_in_range,
    DROP COLUMN idempotency_key,
    DROP COLUMN per_minute;
