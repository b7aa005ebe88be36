-- +goose Up
-- A sign-in on its way to a provider travels in a sealed cookie; no row until the provider has sent the browser back.
-- This row is what makes it good for one try. It is of no use once the flow has run out.
CREATE TABLE used_flows (
    state_hash bytea       PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    CONSTRAINT used_flows_is_a_hash CHECK (octet_length(state_hash) = 32)
);
CREATE INDEX used_flows_expires_at ON used_flows (expires_at);

-- A session knows the identity that opened it and ends with it, when its user last proved to be present, and which
-- sign-in in another browser its user has not been told of yet. data is no longer read; the release before this one
-- writes it while servers are replaced one by one.
ALTER TABLE sessions
    ALTER COLUMN data SET DEFAULT '',
    ADD COLUMN issuer           text NOT NULL DEFAULT '', -- empty: opened before this was known
    ADD COLUMN subject          text NOT NULL DEFAULT '',
    ADD COLUMN proved_at        timestamptz,
    ADD COLUMN elsewhere_at     timestamptz,
    ADD COLUMN elsewhere_device text NOT NULL DEFAULT '',
    ADD CONSTRAINT sessions_elsewhere_short CHECK (length(elsewhere_device) <= 40);

-- Identities that were refused because an account has their verified address already: an admin may link one of them.
-- The account's are few, the newest, and none outlives the account.
CREATE TABLE refused_identities (
    issuer       text        NOT NULL,
    subject      text        NOT NULL,
    user_id      integer     NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- who has the address
    provider     text        NOT NULL,
    email        text        NOT NULL,
    name         text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject),
    CONSTRAINT refused_identities_not_blank CHECK (issuer <> '' AND subject <> '' AND email <> '')
);
CREATE INDEX refused_identities_user ON refused_identities (user_id);

-- The one identity to which an address of ADMIN_EMAILS gives the admin's right: the first that showed it, verified.
-- It stays when the identity is gone, so that nobody who gets the address later gets the right.
CREATE TABLE admin_identities (
    email      text        PRIMARY KEY,
    issuer     text        NOT NULL,
    subject    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT admin_identities_not_blank CHECK (email <> '' AND issuer <> '' AND subject <> '')
);

-- +goose Down
DROP TABLE admin_identities;
DROP TABLE refused_identities;
ALTER TABLE sessions
    DROP COLUMN elsewhere_device, DROP COLUMN elsewhere_at, DROP COLUMN proved_at, DROP COLUMN subject, DROP COLUMN issuer,
    ALTER COLUMN data DROP DEFAULT;
DROP TABLE used_flows;
