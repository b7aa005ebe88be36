package webhook

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// Each step of a purchase writes its letter once, however often and concurrently its event is delivered.
func TestPurchasesAreReportedByLetter(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	wantLetters := func(step string, want ...string) {
		t.Helper()
		var got []string
		s.must(s.DB.Raw(`SELECT kind || ' ' || coalesce(args ->> 'moved', '0') || ' ' || coalesce(args ->> 'balance', '0')
			FROM letters WHERE user_id = ? ORDER BY created_at, id`, s.user).Scan(&got).Error)
		if !slices.Equal(got, want) {
			t.Errorf("after %s the letters are %q, want %q", step, got, want)
		}
	}
	letters := []string{"debit_pending 0 0"}
	s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
	wantLetters("an order on account", letters...)
	paid := s.completed("evt_2", "cs_1", "paid")
	dbtest.Concurrently(20, func(int) { s.receive(paid) })
	letters = append(letters, "purchase_paid 1200 1200")
	wantLetters("its payment", letters...)
	s.deliver(refunded("evt_3", 1750))
	letters = append(letters, "refunded -600 600")
	wantLetters("a refund", letters...)
	s.deliver(refunded("evt_4", 1750))
	wantLetters("the same refund again", letters...)
	for _, step := range []struct{ event, status, letter string }{
		{"evt_5", "needs_response", "disputed -600 0"}, {"evt_6", "won", "dispute_returned 600 600"}} {
		s.deliver(at(10, dispute(step.event, "updated", step.status, 1750)))
		letters = append(letters, step.letter)
		wantLetters("a dispute that is "+step.status, letters...)
	}
	s.purchase = s.order("cs_2")
	s.deliver(event("evt_7", "checkout.session.async_payment_failed", fmt.Sprintf(
		`{"id":"cs_2","object":"checkout.session","mode":"payment","payment_status":"unpaid","metadata":{"purchase_id":%q}}`,
		s.purchase.ID)))
	wantLetters("a payment that the bank refused", append(letters, string(models.LetterDebitFailed)+" 0 0")...)
}

// The operator learns of a dispute, and until when Stripe takes an answer.
func TestOperatorLearnsOfDisputes(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	due := s.clock.Add(7 * 24 * time.Hour).Unix()
	s.deliver(event("evt_2", "charge.dispute.created", fmt.Sprintf(`{"id":"dp_1","object":"dispute","amount":1750,"currency":"eur",
		"status":"needs_response","charge":"ch_1","payment_intent":"pi_1","evidence_details":{"due_by":%d}}`, due)))
	var dates []time.Time
	s.must(s.DB.Raw(`SELECT CAST(args ->> 'due_by' AS timestamptz) FROM letters WHERE kind = ? AND args ->> 'purchase_id' = ?`,
		models.LetterOperatorDispute, s.purchase.ID.String()).Scan(&dates).Error)
	if len(dates) != 1 || dates[0].Unix() != due {
		t.Errorf("letters about the dispute name %v, want one with %d", dates, due)
	}
}
