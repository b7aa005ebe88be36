-- +goose Up
-- Where the buyer goes on after the payment, as the program asked that sent them here. It is kept with the purchase and
-- not in Stripe's addresses: a repeated call to Stripe with the same idempotency key must have the same content.
ALTER TABLE purchases ADD COLUMN return_url text CHECK (length(return_url) BETWEEN 1 AND 500);

-- +goose Down
ALTER TABLE purchases DROP COLUMN return_url;
