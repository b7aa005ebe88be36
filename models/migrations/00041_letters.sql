-- +goose Up
-- Letters are e-mails to users, consumers and the operator. A row is inserted by the transaction that gives rise to it,
-- and its key keeps a repeated event from writing it twice. Workers of any replica hand it to the mail server later.
CREATE TABLE letters (
    id              uuid PRIMARY KEY,
    kind            text        NOT NULL,
    key             text        NOT NULL,
    user_id         integer REFERENCES users (id),
    recipient       text        NOT NULL DEFAULT '',
    locale          text        NOT NULL,
    args            jsonb       NOT NULL DEFAULT '{}',
    subject         text        NOT NULL DEFAULT '',
    text            text        NOT NULL DEFAULT '',
    html            text        NOT NULL DEFAULT '',
    status          text        NOT NULL DEFAULT 'waiting',
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_error      text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    CONSTRAINT letters_kind_key UNIQUE (kind, key),
    CONSTRAINT letters_kind_code CHECK (kind ~ '^[a-z][a-z_]{0,63}$'),
    CONSTRAINT letters_key_length CHECK (length(key) BETWEEN 1 AND 200),
    CONSTRAINT letters_locale_known CHECK (locale IN ('de', 'en')),
    CONSTRAINT letters_args_object CHECK (jsonb_typeof(args) = 'object'),
    CONSTRAINT letters_status_known CHECK (status IN ('waiting', 'sent', 'failed', 'dropped')),
    CONSTRAINT letters_attempts_positive CHECK (attempts >= 0),
    CONSTRAINT letters_sent_at CHECK ((status = 'sent') = (sent_at IS NOT NULL))
);
CREATE INDEX letters_due ON letters (next_attempt_at) WHERE status = 'waiting';
CREATE INDEX letters_recipient ON letters (recipient, created_at) WHERE recipient <> '';
CREATE INDEX letters_user ON letters (user_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX letters_failed ON letters (created_at) WHERE status = 'failed';

-- +goose Down
DROP TABLE letters;
