-- +goose Up
-- A session that was not begun here, as from a payment link: its price need not be one of ours.
ALTER TABLE purchases ALTER COLUMN stripe_price_id DROP NOT NULL;

-- +goose Down
DELETE FROM purchases WHERE stripe_price_id IS NULL;
ALTER TABLE purchases ALTER COLUMN stripe_price_id SET NOT NULL;
