package webhook

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
)

func TestEventsByFilter(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, status := range models.StripeEventStatuses() {
		for j := range 2 { // two at the same moment
			s.must(s.DB.Exec(`INSERT INTO stripe_events (event_id, type, livemode, object_id, payment_ref, payload, status, created_at_stripe, received_at)
				VALUES (?, ?, false, ?, ?, 'x', ?, 0, ?)`, fmt.Sprintf("evt_%s_%d", status, j), []string{"charge.refunded", "price.updated"}[j],
				fmt.Sprintf("ob_%d_%d", i, j), fmt.Sprintf("pi_%d", i), status, noon.Add(time.Duration(i)*24*time.Hour)).Error)
		}
	}
	for name, c := range map[string]struct {
		q    Query
		want int
	}{
		"everything":                     {Query{}, 12},
		"a status":                       {Query{Status: models.EventReview}, 2},
		"what is not done":               {Query{Open: true}, 8},
		"a type":                         {Query{Type: "price.updated"}, 6},
		"both":                           {Query{Status: models.EventDone, Type: "price.updated"}, 1},
		"from a day":                     {Query{From: noon.Add(24 * time.Hour)}, 10},
		"until":                          {Query{Until: noon.Add(24 * time.Hour)}, 2},
		"an event":                       {Query{Object: "evt_done_1"}, 1},
		"an object":                      {Query{Object: "ob_0_0"}, 1},
		"a payment":                      {Query{Object: "pi_3"}, 2},
		"half an id":                     {Query{Object: "evt_done"}, 0},
		"an id that is another's status": {Query{Object: "pi_3", Status: models.EventReview}, 0},
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
						t.Errorf("%s comes twice, with its payload or too late", e.EventID)
					}
					ids, last = append(ids, e.EventID), e.ReceivedAt
				}
				if l.Next == nil {
					break
				}
				c.q.After = *l.Next
			}
			if len(ids) != c.want {
				t.Errorf("found %v, want %d", ids, c.want)
			}
		})
	}
	if types := s.Types(); !slices.IsSorted(types) || !slices.Contains(types, "checkout.session.completed") {
		t.Errorf("the types are %v", types)
	}
}

func TestEventsOfAUser(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_charge", 1000))
	s.deliver(event("evt_alone", "charge.dispute.created", `{"id":"dp_1","amount":500,"currency":"eur","status":"needs_response","charge":"ch_1"}`))
	s.deliver(event("evt_other", "charge.refunded", `{"id":"ch_9","amount":5,"amount_refunded":5,"currency":"eur","payment_intent":"pi_9"}`))
	l, err := s.OfUser(context.Background(), s.user, 10)
	if err != nil || len(l.Events) != 3 || l.Purchases["evt_alone"] != s.purchase.ID {
		t.Errorf("%d events (%v) of purchases %v, want three of one", len(l.Events), err, l.Purchases)
	}
	if l, err := s.OfUser(context.Background(), s.user, 2); err != nil || len(l.Events) != 2 {
		t.Errorf("%d events (%v), want the newest two", len(l.Events), err)
	}
	if l, err := s.OfUser(context.Background(), s.user+1, 10); err != nil || len(l.Events) != 0 {
		t.Errorf("somebody else has %d events (%v), want none", len(l.Events), err)
	}
}
