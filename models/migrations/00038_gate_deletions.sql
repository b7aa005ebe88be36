-- +goose Up
-- The deletion of an account makes Resume Matcher delete that user's resumes. It sets deletion_due_at in its own
-- transaction, so that no resumes are forgotten. The row goes once Resume Matcher has confirmed the deletion, or an admin
-- has closed it by hand. deletion_cause says why that has not happened yet.
ALTER TABLE gate_users
    ADD COLUMN deletion_due_at timestamptz,
    ADD COLUMN deletion_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN deletion_cause text NOT NULL DEFAULT '',
    ADD CONSTRAINT gate_users_deletion_cause_set CHECK ((deletion_due_at IS NULL) = (deletion_cause = ''));

-- +goose Down
ALTER TABLE gate_users
    DROP COLUMN deletion_due_at,
    DROP COLUMN deletion_attempts,
    DROP COLUMN deletion_cause;
