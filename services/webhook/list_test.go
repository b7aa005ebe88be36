package webhook

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
)

// Events of the payment pi_1 by its charge alone, and of another payment.
var (
	disputeOfCharge = event("evt_alone", "charge.dispute.created",
		`{"id":"dp_1","amount":500,"currency":"eur","status":"needs_response","charge":"ch_1"}`)
	otherRefund = event("evt_other", "charge.refunded",
		`{"id":"ch_9","amount":5,"amount_refunded":5,"currency":"eur","payment_intent":"pi_9"}`)
)

func TestEventsMatchQuery(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, status := range models.StripeEventStatuses() {
		for j := range 2 { // two received at the same time
			s.must(s.DB.Exec(`INSERT INTO stripe_events
				(event_id, type, livemode, object_id, payment_ref, payload, status, created_at_stripe, received_at) VALUES (?, ?, false, ?, ?, 'x', ?, 0, ?)`, fmt.Sprintf("evt_%s_%d", status, j), []string{"charge.refunded", "price.updated"}[j],
				fmt.Sprintf("ob_%d_%d", i, j), fmt.Sprintf("pi_%d", i), status, noon.Add(time.Duration(i)*24*time.Hour)).Error)
		}
	}
	for name, c := range map[string]struct {
		q    Query
		want int
	}{
		"the zero query":              {Query{}, 12},
		"a status":                    {Query{Status: models.EventReview}, 2},
		"open events":                 {Query{Open: true}, 8},
		"a type":                      {Query{Type: "price.updated"}, 6},
		"status and type":             {Query{Status: models.EventDone, Type: "price.updated"}, 1},
		"received since a time":       {Query{From: noon.Add(24 * time.Hour)}, 10},
		"received before a time":      {Query{Until: noon.Add(24 * time.Hour)}, 2},
		"an event":                    {Query{Object: "evt_done_1"}, 1},
		"an object":                   {Query{Object: "ob_0_0"}, 1},
		"a payment":                   {Query{Object: "pi_3"}, 2},
		"half an id":                  {Query{Object: "evt_done"}, 0},
		"a payment of another status": {Query{Object: "pi_3", Status: models.EventReview}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.Limit = 5
			var ids []string
			last := time.Time{}
			for range 4 {
				l, err := s.Events(context.Background(), c.q)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range l.Events {
					if slices.Contains(ids, e.EventID) || len(e.Payload) > 0 || !last.IsZero() && e.ReceivedAt.After(last) {
						t.Errorf("%s is listed twice, with its payload or out of order", e.EventID)
					}
					ids, last = append(ids, e.EventID), e.ReceivedAt
				}
				if l.Next == nil {
					break
				}
				c.q.After = *l.Next
			}
			if len(ids) != c.want {
				t.Errorf("found %v, want %d events", ids, c.want)
			}
		})
	}
	if l, err := s.Events(context.Background(), Query{Limit: 12}); err != nil || len(l.Events) != 12 || l.Next != nil {
		t.Errorf("a page of all 12 = %d events, next %v (%v); want no next", len(l.Events), l.Next, err)
	}
	if types := s.Types(); !slices.IsSorted(types) || !slices.Contains(types, "checkout.session.completed") {
		t.Errorf("types = %v, want them sorted, with checkout.session.completed", types)
	}
}

func TestOfUser(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_charge", 1000))
	s.deliver(disputeOfCharge)
	s.deliver(otherRefund)
	l, err := s.OfUser(context.Background(), s.user, 10)
	if err != nil || len(l.Events) != 3 || l.Purchases["evt_alone"] != s.purchase.ID {
		t.Errorf("%d events (%v) of purchases %v, want 3 of one purchase", len(l.Events), err, l.Purchases)
	}
	if l, err := s.OfUser(context.Background(), s.user, 2); err != nil || len(l.Events) != 2 {
		t.Errorf("%d events (%v), want the newest 2", len(l.Events), err)
	}
	if l, err := s.OfUser(context.Background(), s.user+1, 10); err != nil || len(l.Events) != 0 {
		t.Errorf("another user has %d events (%v), want 0", len(l.Events), err)
	}
}

func TestOfPurchase(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_charge", 1000))
	s.deliver(disputeOfCharge)
	s.deliver(otherRefund)
	rows, err := s.OfPurchase(context.Background(), "cs_1", "pi_1")
	var ids []string
	for _, row := range rows {
		if len(row.Payload) != 0 {
			t.Errorf("%s has its payload, want none", row.EventID)
		}
		ids = append(ids, row.EventID)
	}
	slices.Sort(ids)
	if want := []string{"evt_alone", "evt_charge", "evt_paid"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("events of the purchase = %v (%v), want %v", ids, err, want)
	}
	if rows, err := s.OfPurchase(context.Background(), "", ""); err != nil || len(rows) != 0 {
		t.Errorf("purchase without session and payment has %d events (%v), want 0", len(rows), err)
	}
}

func TestOverviewReturnsPurchases(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.must(s.DB.Exec(`UPDATE stripe_events SET status = 'review'`).Error)
	s.deliver(otherRefund)
	o, err := s.Overview(context.Background(), 10)
	if err != nil || len(o.Open) != 2 || len(o.Purchases) != 1 || o.Purchases["evt_paid"] != s.purchase.ID {
		t.Errorf("%d open events of purchases %v (%v), want 2 and evt_paid of %s alone", len(o.Open), o.Purchases, err,
			s.purchase.ID)
	}
	for limit, more := range map[int]bool{1: true, 2: false} {
		if o, err := s.Overview(context.Background(), limit); err != nil || len(o.Open) != limit || o.MoreOpen != more {
			t.Errorf("up to %d: %d open events, more %t (%v); want %d, more %t", limit, len(o.Open), o.MoreOpen, err, limit,
				more)
		}
	}
	s.must(s.DB.Exec(`UPDATE stripe_events SET status = ?`, models.EventDone).Error)
	if o, err := s.Overview(context.Background(), 10); err != nil || len(o.Open) != 0 || len(o.Purchases) != 0 {
		t.Errorf("%d open events (%v), want 0", len(o.Open), err)
	}
}
