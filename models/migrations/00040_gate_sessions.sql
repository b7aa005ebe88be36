-- +goose Up
-- Resume Matcher's pages may have a host of their own. A browser that is signed in at ours gets a second key for that
-- host, which is accepted there only. It belongs to the session and ends with it.
CREATE TABLE gate_sessions (
    key_hash     text PRIMARY KEY,
    session_hash text        NOT NULL REFERENCES sessions (key_hash) ON UPDATE CASCADE ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gate_sessions_key_hash_sha256 CHECK (key_hash ~ '^[0-9a-f]{64}$')
);
CREATE INDEX gate_sessions_session ON gate_sessions (session_hash, created_at);

-- The code that takes a session to the other host: its row is deleted by whoever shows it, and only the browser that
-- asked for it knows the verifier of its challenge (RFC 7636).
CREATE TABLE gate_codes (
    code_hash    bytea PRIMARY KEY,
    session_hash text        NOT NULL REFERENCES sessions (key_hash) ON UPDATE CASCADE ON DELETE CASCADE,
    challenge    text        NOT NULL,
    return_to    text        NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT gate_codes_code_hash_sha256 CHECK (octet_length(code_hash) = 32),
    CONSTRAINT gate_codes_challenge_sha256 CHECK (length(challenge) = 43),
    CONSTRAINT gate_codes_return_to_path CHECK (return_to ~ '^/')
);
CREATE INDEX gate_codes_session ON gate_codes (session_hash);
CREATE INDEX gate_codes_expires_at ON gate_codes (expires_at);

-- +goose Down
DROP TABLE gate_codes;
DROP TABLE gate_sessions;
