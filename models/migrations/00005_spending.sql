-- +goose Up
CREATE TABLE feature_prices (
    feature    text PRIMARY KEY,
    credits    integer     NOT NULL,
    active     boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feature_prices_credits_in_range CHECK (credits BETWEEN 1 AND 1000000)
);
INSERT INTO feature_prices (feature, credits) VALUES ('resume_analysis', 10), ('job_match', 5), ('resume_improvement', 15);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text        NOT NULL,
    prefix       text        NOT NULL,
    key_hash     bytea       NOT NULL,
    scopes       text[]      NOT NULL,
    created_by   integer     REFERENCES users (id),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT api_keys_name_not_blank CHECK (name <> ''),
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_key_hash_sha256 CHECK (length(key_hash) = 32),
    CONSTRAINT api_keys_scopes_known CHECK (scopes <@ ARRAY['spend', 'read'] AND cardinality(scopes) > 0)
);

-- A hold reserves credits. It counts in users.credits_held while it is open and is no ledger row until it is captured.
CREATE TABLE holds (
    id              uuid PRIMARY KEY,
    user_id         integer     NOT NULL REFERENCES users (id),
    api_key_id      uuid        REFERENCES api_keys (id),
    feature         text        NOT NULL REFERENCES feature_prices (feature),
    credits         integer     NOT NULL,
    captured        integer     NOT NULL DEFAULT 0,
    status          text        NOT NULL DEFAULT 'open',
    idempotency_key text,
    metadata        jsonb       NOT NULL DEFAULT '{}',
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT holds_credits_positive CHECK (credits > 0),
    CONSTRAINT holds_status_known CHECK (status IN ('open', 'captured', 'released', 'expired')),
    CONSTRAINT holds_captured_at_most_held CHECK (captured BETWEEN 0 AND credits AND (captured > 0) = (status = 'captured')),
    CONSTRAINT holds_idempotency_key_key UNIQUE NULLS NOT DISTINCT (api_key_id, user_id, idempotency_key)
);
CREATE INDEX holds_open_by_expiry ON holds (expires_at) WHERE status = 'open';

-- +goose Down
DROP TABLE holds;
DROP TABLE api_keys;
DROP TABLE feature_prices;
