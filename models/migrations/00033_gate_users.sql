-- +goose Up
-- The id under which a user is known to Resume Matcher. It names the folder of their resumes, so it is random, made once
-- and derived from nothing: no rotated secret and no guess leads to another folder. It outlives the account until the
-- resumes are deleted.
CREATE TABLE gate_users (
    user_id    integer PRIMARY KEY REFERENCES users (id),
    tenant_id  text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gate_users_tenant_id_key UNIQUE (tenant_id),
    CONSTRAINT gate_users_tenant_id_form CHECK (tenant_id ~ '^[a-z0-9]{26}$')
);

-- +goose Down
DROP TABLE gate_users;
