package webhook

import (
	"testing"

	"github.com/resume-matcher/credits/models"
)

// A refund that is booked together with its purchase names the event that reported it, and one event names one entry.
func TestRefundBookedWithItsPurchaseNamesItsEvent(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(refund("evt_refund", "re_1", 1000))
	s.deliver(at(1, refunded("evt_charge", 2000)))
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refund("evt_later", "re_2", 1500))
	var rows []models.CreditTransaction
	s.must(s.DB.Order("id").Find(&rows).Error)
	want := []string{"evt_paid", "evt_refund", "evt_later"}
	if len(rows) != len(want) {
		t.Fatalf("%d entries, want %d", len(rows), len(want))
	}
	for i, row := range rows {
		if row.StripeEventID == nil || *row.StripeEventID != want[i] {
			t.Errorf("entry %d names event %v, want %s", i, row.StripeEventID, want[i])
		}
	}
	for _, id := range []string{"evt_refund", "evt_charge", "evt_later"} {
		if status := s.statusOf(id); status != models.EventDone {
			t.Errorf("%s is %s, want done", id, status)
		}
	}
}
