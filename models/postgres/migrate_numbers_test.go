package postgres_test

import "testing"

// Earlier purchases are numbered from 1001 in the order of creation, and the release that runs meanwhile, which does
// not know the column, gets the next number.
func TestUpgradeNumbersPurchases(t *testing.T) {
	t.Parallel()
	db := newSchema(t)
	db.up(57)
	db.exec(`INSERT INTO users (email) VALUES ('ada@example.com');
		INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, created_at) VALUES
			(gen_random_uuid(), 1, 1, 500, 2000, 'eur', 'en', 'third', '2026-03-01'),
			(gen_random_uuid(), 1, 1, 500, 2000, 'eur', 'en', 'first', '2026-01-01'),
			(gen_random_uuid(), 1, 1, 500, 2000, 'eur', 'en', 'second', '2026-02-01')`)
	const numbers = `SELECT string_agg(idempotency_key || ' ' || number, ', ' ORDER BY number) FROM purchases`
	const buy = `INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		VALUES (gen_random_uuid(), 1, 1, 500, 2000, 'eur', 'en', $1)`
	db.up(58)
	db.exec(buy, "fourth")
	db.wantText("first 1001, second 1002, third 1003, fourth 1004", numbers)
	db.down(57)
	db.exec(buy, "fifth")
	db.up(58)
	db.wantText("first 1001, second 1002, third 1003, fourth 1004, fifth 1005", numbers)
	db.wantText("1", `SELECT count(*)::text FROM pg_attribute WHERE attrelid = 'purchases'::regclass AND attname = 'number' AND attnotnull`)
}
