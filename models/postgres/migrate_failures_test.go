package postgres_test

import (
	"database/sql"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
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
	db, err := sql.Open("pgx", dbtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	migrate := func(to int64, run func(int64) error) {
		t.Helper()
		if err := run(to); err != nil {
			t.Fatalf("migrate to %d: %v", to, err)
		}
	}
	up := func(to int64) error { _, err := provider.UpTo(t.Context(), to); return err }
	down := func(to int64) error { _, err := provider.DownTo(t.Context(), to); return err }
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	migrate(30, up)
	exec(`INSERT INTO users (email) VALUES ('ada@example.com')`)
	exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1', 10, 100)`)
	exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		SELECT gen_random_uuid(), id, 'price_1', 1, 10, 100, 'eur', 'de', 'k' FROM users`)
	for text := range storedErrors {
		exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, last_error, next_attempt_at)
			SELECT gen_random_uuid(), id, $1, 1, $1, $1, now() FROM purchases`, text)
		exec(`INSERT INTO reconciliations (since, finished_at, cursor, last_error) VALUES (now(), now(), $1, $1)`, text)
	}
	wantCodes := func() {
		t.Helper()
		for text, want := range storedErrors {
			for _, query := range []string{`SELECT last_error FROM refund_requests WHERE note = $1`,
				`SELECT last_error FROM reconciliations WHERE cursor = $1`} {
				var got models.Cause
				err := db.QueryRowContext(t.Context(), query, text).Scan(&got)
				if err != nil || got != want {
					t.Errorf("%s of %q = %q (%v), want %q", query, text, got, err, want)
				}
			}
		}
	}
	migrate(31, up)
	wantCodes()
	migrate(30, down)
	var codes int
	err = db.QueryRowContext(t.Context(), `SELECT count(*) FROM (SELECT last_error FROM refund_requests
		UNION ALL SELECT last_error FROM reconciliations) r
		WHERE split_part(last_error, ' ', 1) IN ('stripe_refused', 'stripe_failed', 'no_answer', 'key_spent', 'interrupted', 'unknown')`).
		Scan(&codes)
	if err != nil || codes != 0 {
		t.Errorf("%d codes are left after the downgrade (%v), want 0", codes, err)
	}
	migrate(31, up)
	wantCodes()
}
