-- +goose Up
-- As in 00048_operator_letters.sql, for twenty letters of a kind in an hour. Further ones are stored as dropped: the digest
-- counts them, so that a thousand events in review do not send a thousand letters.
CREATE OR REPLACE FUNCTION operator_letter(text, text, jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO letters (id, kind, key, locale, args, status, last_error)
        SELECT gen_random_uuid(), $1, $2, 'en', $3, CASE WHEN over THEN 'dropped' ELSE 'waiting' END, CASE WHEN over THEN 'mail_limit' ELSE '' END
        FROM (SELECT count(*) >= 20 AS over FROM (SELECT FROM letters
            WHERE kind = $1 AND created_at > now() - interval '1 hour' AND user_id IS NULL AND recipient = '' LIMIT 20) hour) recent
        ON CONFLICT ON CONSTRAINT letters_kind_key DO NOTHING
$$;

-- +goose Down
CREATE OR REPLACE FUNCTION operator_letter(text, text, jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO letters (id, kind, key, locale, args) VALUES (gen_random_uuid(), $1, $2, 'en', $3)
        ON CONFLICT ON CONSTRAINT letters_kind_key DO NOTHING
$$;
