-- +goose NO TRANSACTION
-- +goose Up
-- Admins find users by any part of an address or a name. These indexes list the runs of three characters in a text, as
-- pg_trgm does, which some databases lack and only some owners may install. Two spaces before each text make the runs of
-- its beginning differ from all others, so that one or two letters can be searched for as a beginning.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION trigrams(text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
    SELECT coalesce(array_agg(substr($1, i, 3)), '{}') FROM generate_series(1, length($1) - 2) i
$$;
-- +goose StatementEnd
DROP INDEX CONCURRENTLY IF EXISTS users_search;
CREATE INDEX CONCURRENTLY users_search ON users
    USING gin (trigrams('  ' || lower(coalesce(email, '')) || '  ' || lower(name)));
DROP INDEX CONCURRENTLY IF EXISTS identities_search;
CREATE INDEX CONCURRENTLY identities_search ON identities USING gin (trigrams('  ' || lower(email)));

-- The id of a request, which every error shows.
DROP INDEX CONCURRENTLY IF EXISTS audit_log_request;
CREATE INDEX CONCURRENTLY audit_log_request ON audit_log (request_id) WHERE request_id <> '';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS audit_log_request;
DROP INDEX CONCURRENTLY IF EXISTS identities_search;
DROP INDEX CONCURRENTLY IF EXISTS users_search;
DROP FUNCTION IF EXISTS trigrams(text);
