package webhook

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// The operator's endpoints receive what Stripe's events book, once each, however often these come: a purchase, a
// refund, a dispute that is opened and won, and a purchase that needs a person.
func TestStripesEventsReachTheEndpoints(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`INSERT INTO webhook_endpoints (id, url, events, low_threshold) VALUES (?, 'https://example.com', ?::text[], 50)`,
		uuid.New(), models.AllWebhookEvents()).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(refunded("evt_2", 350))
	s.deliver(dispute("evt_3", "created", "needs_response", 3150))
	s.deliver(dispute("evt_4", "closed", "won", 3150))
	first := s.purchase.ID
	s.purchase = s.order("cs_2")
	s.deliver(strings.Replace(s.completed("evt_5", "cs_2", "paid"), `"amount_subtotal":3500`, `"amount_subtotal":350`, 1))
	var got []string
	s.must(s.DB.Raw(`SELECT d.type || ' ' || coalesce(c.delta_credits::text, '') || ' ' || coalesce(c.meta ->> 'purchase_id', d.purchase_id::text)
		FROM webhook_deliveries d LEFT JOIN credit_transactions c ON c.id = d.entry_id ORDER BY d.id`).Scan(&got).Error)
	of := " " + first.String()
	want := []string{"credits.added 1200" + of, "credits.refunded -120" + of, "credits.refunded -1080" + of,
		"credits.low -1080" + of, "credits.refunded 1080" + of, "purchase.in_review  " + s.purchase.ID.String()}
	if !slices.Equal(got, want) {
		t.Errorf("events\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}
