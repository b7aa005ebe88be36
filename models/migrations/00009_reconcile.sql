-- +goose Up
-- When to ask Stripe for the refunds of a charge whose sum of refunds does not tell which of them stand.
ALTER TABLE stripe_charges ADD COLUMN reread_at timestamptz;
CREATE INDEX stripe_charges_reread ON stripe_charges (reread_at) WHERE reread_at IS NOT NULL;

-- One reading of what Stripe has, compared with what we booked. The unfinished one belongs to the process that holds
-- its lease, and goes on where it stopped.
CREATE TABLE reconciliations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    since        timestamptz NOT NULL,
    step         text        NOT NULL DEFAULT 'sessions',
    cursor       text        NOT NULL DEFAULT '',
    checked      bigint      NOT NULL DEFAULT 0,
    holder       uuid,
    leased_until timestamptz NOT NULL DEFAULT 'epoch',
    last_error   text        NOT NULL DEFAULT '',
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT reconciliations_step_known CHECK (step IN ('sessions', 'refunds', 'disputes', 'balances'))
);
CREATE UNIQUE INDEX reconciliations_one_unfinished ON reconciliations ((true)) WHERE finished_at IS NULL;

-- What a reconciliation mended, or hands to a person.
CREATE TABLE reconciliation_findings (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reconciliation_id bigint      NOT NULL REFERENCES reconciliations (id),
    kind              text        NOT NULL,
    object_id         text        NOT NULL,
    purchase_id       uuid,
    user_id           integer,
    credits           bigint      NOT NULL DEFAULT 0,
    note              text        NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reconciliation_findings_kind_known CHECK (kind IN ('purchase', 'refund', 'dispute', 'balance', 'review'))
);
CREATE INDEX reconciliation_findings_of ON reconciliation_findings (reconciliation_id, id);
-- What a person must decide is reported once.
CREATE UNIQUE INDEX reconciliation_findings_review ON reconciliation_findings (object_id, note) WHERE kind = 'review';

-- +goose Down
DROP TABLE reconciliation_findings;
DROP TABLE reconciliations;
DROP INDEX stripe_charges_reread;
ALTER TABLE stripe_charges DROP COLUMN reread_at;
