package webhook

import (
	"context"
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models"
)

func TestEventsOfAPurchase(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_charge", 1000))
	// This one names its charge alone; which payment that is, the charge's own event said.
	s.deliver(event("evt_alone", "charge.dispute.created", `{"id":"dp_1","amount":500,"currency":"eur","status":"needs_response","charge":"ch_1"}`))
	s.deliver(event("evt_other", "charge.refunded", `{"id":"ch_9","amount":5,"amount_refunded":5,"currency":"eur","payment_intent":"pi_9"}`))
	rows, err := s.OfPurchase(context.Background(), "cs_1", "pi_1")
	var ids []string
	for _, row := range rows {
		if len(row.Payload) != 0 {
			t.Errorf("%s comes with its payload", row.EventID)
		}
		ids = append(ids, row.EventID)
	}
	slices.Sort(ids)
	if want := []string{"evt_alone", "evt_charge", "evt_paid"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("events of the purchase are %v (%v), want %v", ids, err, want)
	}
	if rows, err := s.OfPurchase(context.Background(), "", ""); err != nil || len(rows) != 0 {
		t.Errorf("a purchase without session and payment has %d events (%v), want none", len(rows), err)
	}
}

func TestOverviewNamesThePurchase(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.must(s.DB.Exec(`UPDATE stripe_events SET status = 'review'`).Error)
	s.deliver(event("evt_other", "charge.refunded", `{"id":"ch_9","amount":5,"amount_refunded":5,"currency":"eur","payment_intent":"pi_9"}`))
	o, err := s.Overview(context.Background(), 10)
	if err != nil || len(o.Open) != 2 || len(o.Purchases) != 1 || o.Purchases["evt_paid"] != s.purchase.ID {
		t.Errorf("%d open events of purchases %v (%v), want evt_paid of %s and another of none", len(o.Open), o.Purchases, err, s.purchase.ID)
	}
	s.must(s.DB.Exec(`UPDATE stripe_events SET status = ?`, models.EventDone).Error)
	if o, err := s.Overview(context.Background(), 10); err != nil || len(o.Open) != 0 || len(o.Purchases) != 0 {
		t.Errorf("%d open events (%v), want none", len(o.Open), err)
	}
}
