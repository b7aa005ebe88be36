-- +goose Up
-- The methods of payment that Stripe offered in the last Checkout Session for a price, in its order: the order form names
-- them (§ 312j Abs. 1 BGB). Empty until the first order. Stripe decides by the account, the currency and the amount, so
-- no setting could be right.
ALTER TABLE prices ADD COLUMN payment_methods text[] NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE prices DROP COLUMN payment_methods;
