package ledger_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// What Stripe reports of a deleted account is repeated like any other request. Nothing else finds the account.
func TestRepeatOnADeletedAccount(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := dbtest.User(t, db, "ada@example.com")
	entries := map[models.Reason]ledger.Entry{}
	for _, reason := range []models.Reason{models.ReasonPurchase, models.ReasonRefund, models.ReasonDispute,
		models.ReasonManual} {
		e := ledger.Entry{UserID: user.ID, Delta: 10, Reason: reason, StripeEventID: "evt_" + string(reason),
			Meta: models.Meta{IdempotencyKey: string(reason)}}
		if reason.Overdraws() {
			e.Delta = -10
		}
		if posted := mustPost(t, db, e); posted.StripeEventID == nil || *posted.StripeEventID != e.StripeEventID {
			t.Errorf("%s is of event %v, want %s", reason, posted.StripeEventID, e.StripeEventID)
		}
		entries[reason] = e
	}
	before := balance(t, db, user.ID)
	if err := db.Exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = current_date
		WHERE id = ?`, user.ID).Error; err != nil {
		t.Fatal(err)
	}
	for reason, e := range entries {
		again, err := post(t, db, e)
		if reason == models.ReasonManual && !fault.Is(err, fault.NotFound) ||
			reason != models.ReasonManual && (err != nil || !again.Replayed) {
			t.Errorf("%s again = %+v, %v; want a replay, or not found for %s", reason, again, err, models.ReasonManual)
		}
	}
	if got := balance(t, db, user.ID); got != before {
		t.Errorf("balance = %d credits, want %d", got, before)
	}
	dbtest.CheckLedger(t, db)
}
