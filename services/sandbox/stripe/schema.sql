CREATE SCHEMA IF NOT EXISTS stripe_sandbox;

-- Every object as it stands on the wire. The kinds with a slash hold what Stripe
-- knows of an object without showing it there.
CREATE TABLE IF NOT EXISTS stripe_sandbox.objects (
    id         text PRIMARY KEY,
    kind       text NOT NULL,
    seq        bigserial NOT NULL UNIQUE,
    data       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS objects_kind_seq ON stripe_sandbox.objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_payment_intent ON stripe_sandbox.objects ((data ->> 'payment_intent'));

-- delivered_at follows from the deliveries: every endpoint that listens has the event.
CREATE TABLE IF NOT EXISTS stripe_sandbox.events (
    id           text PRIMARY KEY,
    seq          bigserial NOT NULL UNIQUE,
    type         text NOT NULL,
    data         jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz
);
-- One row for each time that an event is to arrive at an endpoint.
CREATE TABLE IF NOT EXISTS stripe_sandbox.deliveries (
    id              bigserial PRIMARY KEY,
    event           text NOT NULL REFERENCES stripe_sandbox.events (id),
    endpoint        text NOT NULL,
    mode            text NOT NULL DEFAULT 'normal',
    lasting         boolean NOT NULL DEFAULT false, -- repetitions are disturbed too while the mode is set
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'held', 'dropped', 'delivered')),
    behind          bigint,                         -- goes out once that one was tried
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

-- What was set by hand: how events are delivered, and whether Checkout waits for them.
CREATE TABLE IF NOT EXISTS stripe_sandbox.settings (
    name  text PRIMARY KEY,
    value jsonb NOT NULL
);

CREATE TABLE IF NOT EXISTS stripe_sandbox.idempotency (
    key          text PRIMARY KEY,
    request_hash text NOT NULL,
    request_id   text NOT NULL,
    status       integer NOT NULL,
    body         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
