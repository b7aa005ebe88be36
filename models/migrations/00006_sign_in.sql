-- +goose Up
-- How somebody signs in: the provider's own id for them, never their e-mail address.
CREATE TABLE identities (
    issuer          text        NOT NULL,
    subject         text        NOT NULL,
    user_id         integer     NOT NULL REFERENCES users (id),
    provider        text        NOT NULL,
    email           text        NOT NULL DEFAULT '',
    email_verified  boolean     NOT NULL DEFAULT false,
    name            text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject),
    CONSTRAINT identities_not_blank CHECK (issuer <> '' AND subject <> '')
);
CREATE INDEX identities_user ON identities (user_id);
CREATE INDEX identities_email ON identities (lower(email));

-- Browser sessions. The cookie's value is never stored, only its hash.
CREATE TABLE sessions (
    key_hash   text PRIMARY KEY,
    data       bytea       NOT NULL,
    user_id    integer     REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_user ON sessions (user_id);

-- +goose Down
DROP TABLE sessions;
DROP TABLE identities;
