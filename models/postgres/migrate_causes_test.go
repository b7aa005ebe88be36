package postgres_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
)

// The migration turns the sentences of earlier releases into codes with arguments, and down restores them.
func TestCausesBecomeCodes(t *testing.T) {
	t.Parallel()
	db := newSchema(t)
	db.up(29)
	stored := map[string]models.Cause{
		"waits for the purchase that it belongs to":        models.CauseWaits,
		"the event's mode (test or live) is not our key's": models.CauseMode,
		"unknown refund status odd":                        models.CauseRefundStatus.Of("odd"),
		"deadlock detected":                                models.CauseFailed.Of("deadlock detected"),
	}
	for sentence := range stored {
		db.exec(`INSERT INTO stripe_events (event_id, type, livemode, payload, status, last_error, created_at_stripe)
			VALUES ($1, 'charge.refunded', false, '', 'review', $1, 0)`, sentence)
	}
	wantStored := func(want func(sentence string, code models.Cause) string) {
		t.Helper()
		for sentence, code := range stored {
			db.wantText(want(sentence, code), `SELECT last_error FROM stripe_events WHERE event_id = $1`, sentence)
		}
	}
	db.up(30)
	wantStored(func(_ string, code models.Cause) string { return string(code) })
	db.down(29)
	wantStored(func(sentence string, _ models.Cause) string { return sentence })
}
