package webhook

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// Stripe may also send events of accounts that are connected to ours. Their owners control the content, so they are
// ignored, whatever they reference.
func TestEventsOfConnectedAccountsAreIgnored(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`UPDATE users SET stripe_customer_id = 'cus_1' WHERE id = ?`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`, s.user).
		Error)
	connected := func(payload string) string {
		return strings.Replace(payload, `"object":"event"`, `"object":"event","account":"acct_1Connected"`, 1)
	}
	wantIgnored := func(id, payload string) {
		t.Helper()
		s.deliver(connected(payload))
		var event models.StripeEvent
		s.must(s.DB.Take(&event, "event_id = ?", id).Error)
		if event.Status != models.EventIgnored || event.LastError != models.CauseAccount ||
			event.ObjectID+event.PaymentRef != "" {
			t.Errorf("%s is %s (%s) with references %q, want ignored without references",
				id, event.Status, event.LastError, event.ObjectID+event.PaymentRef)
		}
	}
	wantIgnored("evt_1", s.completed("evt_1", "cs_1", "paid"))
	wantIgnored("evt_2", link("evt_2", "cs_a", "null", `"ada@example.com"`, `{"credits":"1200"}`))
	s.wantBalance(0)
	s.deliver(s.completed("evt_3", "cs_1", "paid"))
	wantIgnored("evt_4", refunded("evt_4", 3500))
	wantIgnored("evt_5", refund("evt_5", "re_1", 3500))
	wantIgnored("evt_6", event("evt_6", "customer.deleted", `{"id":"cus_1","object":"customer"}`))
	wantIgnored("evt_7", strings.Replace(refunded("evt_7", 3500), `"livemode":false`, `"livemode":true`, 1))
	s.wantBalance(1200)
	var customer string
	s.must(s.DB.Raw(`SELECT coalesce(stripe_customer_id, '') FROM users WHERE id = ?`, s.user).Scan(&customer).Error)
	if customer != "cus_1" {
		t.Errorf("customer = %q after the other account's was deleted, want cus_1", customer)
	}
	var facts int64
	s.must(s.DB.Raw(`SELECT (SELECT count(*) FROM stripe_refunds) + (SELECT count(*) FROM stripe_charges)`).Scan(&facts).
		Error)
	if facts != 0 {
		t.Errorf("%d facts of the connected account are stored, want 0", facts)
	}
}
