-- +goose Up
-- A pass lets its user make some calls that belong to a charged one without a further charge. It is stored with the hold
-- of the charged call, before the call is made, and valid once that hold is captured: a crash at any moment neither loses
-- a paid pass nor leaves an unpaid one. It ends with its hold, and so with the account. subject_hash is the SHA-256 of
-- the user's id and of what the pass is for, such as a job.
CREATE TABLE gate_passes (
    hold_id      uuid PRIMARY KEY REFERENCES holds (id) ON DELETE CASCADE,
    name         text        NOT NULL,
    subject_hash bytea       NOT NULL,
    uses         integer     NOT NULL,
    used         integer     NOT NULL DEFAULT 0,
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gate_passes_name_not_blank CHECK (name <> ''),
    CONSTRAINT gate_passes_subject_hash_sha256 CHECK (length(subject_hash) = 32),
    CONSTRAINT gate_passes_used_in_range CHECK (uses > 0 AND used BETWEEN 0 AND uses)
);
CREATE INDEX gate_passes_subject ON gate_passes (subject_hash, name, expires_at);
CREATE INDEX gate_passes_expires_at ON gate_passes (expires_at);

-- +goose Down
DROP TABLE gate_passes;
