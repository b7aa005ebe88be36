-- +goose Up
-- In what currency a payment was taken: the buyer's own where Stripe converts prices for them. Refunds are in it too.
-- Empty for what was paid before this was kept, which was paid as it was ordered.
ALTER TABLE purchases ADD COLUMN paid_currency text NOT NULL DEFAULT '';
ALTER TABLE purchases ADD CONSTRAINT purchases_paid_currency_lower_case CHECK (paid_currency ~ '^([a-z]{3})?$');

-- +goose Down
ALTER TABLE purchases DROP COLUMN paid_currency;
