package postgres_test

import (
	"database/sql"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
)

// The migration turns the sentences of earlier releases into codes with arguments, and down restores them.
func TestCausesBecomeCodes(t *testing.T) {
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
	if _, err := provider.UpTo(t.Context(), 29); err != nil {
		t.Fatal(err)
	}
	stored := map[string]models.Cause{
		"waits for the purchase that it belongs to":        models.CauseWaits,
		"the event's mode (test or live) is not our key's": models.CauseMode,
		"unknown refund status odd":                        models.CauseRefundStatus.Of("odd"),
		"deadlock detected":                                models.CauseFailed.Of("deadlock detected"),
	}
	for sentence := range stored {
		_, err := db.ExecContext(t.Context(),
			`INSERT INTO stripe_events (event_id, type, livemode, payload, status, last_error, created_at_stripe)
			VALUES ($1, 'charge.refunded', false, '', 'review', $1, 0)`, sentence)
		if err != nil {
			t.Fatal(err)
		}
	}
	wantStored := func(want func(sentence string, code models.Cause) string) {
		t.Helper()
		for sentence, code := range stored {
			var got string
			err := db.QueryRowContext(t.Context(), `SELECT last_error FROM stripe_events WHERE event_id = $1`, sentence).
				Scan(&got)
			if err != nil || got != want(sentence, code) {
				t.Errorf("%q is stored as %q (%v), want %q", sentence, got, err, want(sentence, code))
			}
		}
	}
	if _, err := provider.UpTo(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	wantStored(func(_ string, code models.Cause) string { return string(code) })
	if _, err := provider.DownTo(t.Context(), 29); err != nil {
		t.Fatal(err)
	}
	wantStored(func(sentence string, _ models.Cause) string { return sentence })
}
