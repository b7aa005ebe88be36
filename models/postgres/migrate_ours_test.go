package postgres_test

import "testing"

// The migration marks a Stripe customer as ours only where no payment link can have created it, and defers again
// events that waited in vain.
func TestUpgradeTellsOursFromOthers(t *testing.T) {
	t.Parallel()
	db := newSchema(t)
	db.up(24)
	db.exec(`INSERT INTO users (email) VALUES ('ada@example.com'), ('link@example.com');
		INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 500, 2000);
		INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key) VALUES
			(gen_random_uuid(), 1, 'price_1', 1, 500, 2000, 'eur', 'en', 'a'), (gen_random_uuid(), 2, 'price_1', 1, 500, 2000, 'eur', 'en', 'b'),
			(gen_random_uuid(), 2, NULL, 1, 500, 2000, 'eur', 'en', 'session:cs_link');
		INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_ours', 1, false), ('cus_unknown', 2, false);
		INSERT INTO stripe_events (event_id, type, livemode, payload, status, attempts, last_error, created_at_stripe) VALUES
			('evt_waited', 'charge.refunded', false, '', 'review', 6, 'waits for the purchase that it belongs to', 0),
			('evt_amount', 'checkout.session.completed', false, '', 'review', 1, 'the session''s amount is not what was ordered', 0)`)
	db.up(25)
	for query, want := range map[string]string{
		`SELECT string_agg(customer_id || ' ' || coalesce(created_by_us::text, 'unknown'), ', ' ORDER BY customer_id) FROM stripe_customers`: "cus_ours true, cus_unknown unknown",
		`SELECT string_agg(event_id || ' ' || status, ', ' ORDER BY event_id) FROM stripe_events`:                                            "evt_amount review, evt_waited deferred",
		`SELECT count(*)::text FROM installations`: "1",
	} {
		db.wantText(want, query)
	}
	db.down(24)
}
