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

CREATE TABLE IF NOT EXISTS stripe_sandbox.idempotency (
    key          text PRIMARY KEY,
    request_hash text NOT NULL,
    request_id   text NOT NULL,
    status       integer NOT NULL,
    body         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
