-- +goose Up
-- The trace of the request that ordered a purchase, in W3C's form (https://www.w3.org/TR/trace-context/), so that the
-- trace of the event that books it days later can point back. It is kept here and not in Stripe's metadata: a repeated
-- call to Stripe with the same idempotency key must have the same content.
ALTER TABLE purchases ADD COLUMN traceparent text;

-- +goose Down
ALTER TABLE purchases DROP COLUMN traceparent;
