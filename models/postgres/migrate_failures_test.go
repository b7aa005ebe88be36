package postgres_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
)

// storedErrors maps the error texts of earlier releases to their codes.
var storedErrors = map[string]models.Cause{
	"": "",
	"status 400, type invalid_request_error, code charge_disputed, request req_1": "stripe_refused charge_disputed",
	"status 402, type card_error, code , request req_1":                           "stripe_refused card_error",
	"look for the refund: status 500, type api_error, code , request req_1":       "stripe_failed 500",
	"unavailable: stripe: status 429, type api_error, code lock, request ":        "stripe_failed 429",
	"no answer (*url.Error)":                           "no_answer",
	"unavailable: stripe: context deadline exceeded":   "no_answer",
	"look for the refund: context deadline exceeded":   "no_answer",
	"stripe answers this key with a failure":           "key_spent",
	"save reconciliation 7: context canceled":          "interrupted",
	"save reconciliation 7: context deadline exceeded": "unknown save reconciliation 7: context deadline exceeded",
}

func TestErrorTextsBecomeCodes(t *testing.T) {
	t.Parallel()
	db := newSchema(t)
	db.up(30)
	db.exec(`INSERT INTO users (email) VALUES ('ada@example.com')`)
	db.exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 10, 100)`)
	db.exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		SELECT gen_random_uuid(), id, 'price_1', 1, 10, 100, 'eur', 'de', 'k' FROM users`)
	for text := range storedErrors {
		db.exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, last_error, next_attempt_at)
			SELECT gen_random_uuid(), id, $1, 1, $1, $1, now() FROM purchases`, text)
		db.exec(`INSERT INTO reconciliations (since, finished_at, cursor, last_error) VALUES (now(), now(), $1, $1)`, text)
	}
	wantCodes := func() {
		t.Helper()
		for text, want := range storedErrors {
			for _, query := range []string{`SELECT last_error FROM refund_requests WHERE note = $1`,
				`SELECT last_error FROM reconciliations WHERE cursor = $1`} {
				db.wantText(string(want), query, text)
			}
		}
	}
	db.up(31)
	wantCodes()
	db.down(30)
	db.wantText("0", `SELECT count(*) FROM (SELECT last_error FROM refund_requests
		UNION ALL SELECT last_error FROM reconciliations) r
		WHERE split_part(last_error, ' ', 1) IN ('stripe_refused', 'stripe_failed', 'no_answer', 'key_spent', 'interrupted', 'unknown')`)
	db.up(31)
	wantCodes()
}
