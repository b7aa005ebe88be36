-- +goose Up
-- A window of a limit may last longer than a minute. The default is for a server of the release before, beside this one.
ALTER TABLE rate_windows ADD COLUMN ends_at timestamptz NOT NULL DEFAULT now() + interval '1 minute';
DROP INDEX rate_windows_minute;
CREATE INDEX rate_windows_ends_at ON rate_windows (ends_at);

-- Every declaration is received. What keeps a flood of them from hiding the others, and from filling the database:
ALTER TABLE withdrawals
    ADD COLUMN priority smallint NOT NULL DEFAULT 1,  -- 0: of a purchase or a buyer of ours, 1: of anybody, 2: of a sender who floods
    ADD COLUMN fold     text     NOT NULL DEFAULT '', -- hash of what is declared, equal for copies; empty once the words are erased
    ADD COLUMN copies   integer  NOT NULL DEFAULT 1,  -- how often this sender declared the same
    ADD COLUMN sender   text     NOT NULL DEFAULT '', -- user or hash of an address, for an hour; then empty
    ADD CONSTRAINT withdrawals_priority_in_range CHECK (priority BETWEEN 0 AND 2),
    ADD CONSTRAINT withdrawals_copies_positive CHECK (copies > 0);
UPDATE withdrawals SET priority = 0 WHERE purchase_id IS NOT NULL;
CREATE UNIQUE INDEX withdrawals_sender_fold_key ON withdrawals (sender, fold) WHERE sender <> '' AND handled_at IS NULL;
CREATE INDEX withdrawals_sender ON withdrawals (sender, received_at) WHERE sender <> '';
CREATE INDEX withdrawals_email ON withdrawals (email, received_at) WHERE priority = 0;
CREATE INDEX withdrawals_fold ON withdrawals (fold) WHERE fold <> '';
CREATE INDEX withdrawals_listed ON withdrawals ((handled_at IS NOT NULL), priority, received_at, id);
CREATE INDEX withdrawals_flood ON withdrawals (received_at DESC, id DESC) WHERE priority = 2;
DROP INDEX withdrawals_received;

-- +goose Down
CREATE INDEX withdrawals_received ON withdrawals (received_at);
DROP INDEX withdrawals_flood, withdrawals_listed, withdrawals_email, withdrawals_fold, withdrawals_sender, withdrawals_sender_fold_key;
ALTER TABLE withdrawals DROP CONSTRAINT withdrawals_priority_in_range, DROP CONSTRAINT withdrawals_copies_positive,
    DROP COLUMN priority, DROP COLUMN fold, DROP COLUMN copies, DROP COLUMN sender;
DROP INDEX rate_windows_ends_at;
CREATE INDEX rate_windows_minute ON rate_windows (minute);
ALTER TABLE rate_windows DROP COLUMN ends_at;
