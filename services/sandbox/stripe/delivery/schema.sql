-- delivered_at is set once every listening endpoint has accepted the event.
CREATE TABLE IF NOT EXISTS stripe_sandbox.events (
    id           text PRIMARY KEY,
    seq          bigserial NOT NULL UNIQUE,
    type         text NOT NULL,
    data         jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);

-- One row for each time that an event has to reach an endpoint.
CREATE TABLE IF NOT EXISTS stripe_sandbox.deliveries (
    id              bigserial PRIMARY KEY,
    event           text NOT NULL REFERENCES stripe_sandbox.events (id),
    endpoint        text NOT NULL,
    mode            text NOT NULL DEFAULT 'normal',
    lasting         boolean NOT NULL DEFAULT false, -- retries are tampered with too while the mode is set
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'held', 'dropped', 'delivered')),
    behind          bigint,                         -- the delivery that has to be tried before this one
    created_at      timestamptz NOT NULL DEFAULT now(),
    attempts        integer NOT NULL DEFAULT 0,
    backoff         integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    leased_until    timestamptz NOT NULL DEFAULT '-infinity',
    delivered_at    timestamptz,
    last_status     integer,
    last_error      text,
    last_ms         integer
);
CREATE INDEX IF NOT EXISTS deliveries_event ON stripe_sandbox.deliveries (event);
CREATE INDEX IF NOT EXISTS deliveries_due ON stripe_sandbox.deliveries (next_attempt_at) WHERE state = 'waiting';

-- The plan for the next deliveries, and whether Checkout waits for them.
CREATE TABLE IF NOT EXISTS stripe_sandbox.settings (
    name  text PRIMARY KEY,
    value jsonb NOT NULL
);
