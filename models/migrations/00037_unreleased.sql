-- +goose Up
-- Databases that an unreleased build created have an earlier form of migration 12: without "named", and with a rule on
-- service keys that migration 13 states again. In every other database this changes and locks nothing.
-- +goose StatementBegin
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'holds'::regclass AND attname = 'named') THEN
        ALTER TABLE holds ADD COLUMN named text;
        CREATE UNIQUE INDEX holds_named ON holds (named) WHERE named IS NOT NULL;
        CREATE UNIQUE INDEX credit_transactions_named ON credit_transactions ((meta ->> 'named')) WHERE meta ->> 'named' IS NOT NULL;
        DROP TRIGGER api_keys_kept ON api_keys;
        DROP TRIGGER api_keys_no_truncate ON api_keys;
        DROP FUNCTION api_keys_kept();
    END IF;
END $$;
-- +goose StatementEnd

-- +goose Down
SELECT 1; -- the schema is that of version 34
