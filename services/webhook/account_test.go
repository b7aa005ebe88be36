package webhook

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
)

// An endpoint may also hear of accounts that are connected to ours. What their owners write is none of our business,
// whatever it names.
func TestEventsOfConnectedAccountsAreIgnored(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.DB.Exec(`UPDATE users SET stripe_customer_id = 'cus_1' WHERE id = ?`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`, s.user).Error)
	connected := func(payload string) string {
		return strings.Replace(payload, `"object":"event"`, `"object":"event","account":"acct_1Connected"`, 1)
	}
	ignored := func(id, payload string) {
		t.Helper()
		s.deliver(connected(payload))
		var event models.StripeEvent
		s.must(s.DB.Take(&event, "event_id = ?", id).Error)
		if event.Status != models.EventIgnored || event.LastError != models.CauseAccount || event.ObjectID+event.PaymentRef != "" {
			t.Errorf("%s is %s (%s) and found by %q, want it ignored and found by nothing of ours", id, event.Status, event.LastError, event.ObjectID+event.PaymentRef)
		}
	}
	ignored("evt_1", s.completed("evt_1", "cs_1", "paid")) // by the way in which many are booked at once
	ignored("evt_2", link("evt_2", "cs_a", "null", `"ada@example.com"`, `{"credits":"1200"}`))
	s.wantBalance(0)
	s.deliver(s.completed("evt_3", "cs_1", "paid"))
	ignored("evt_4", refunded("evt_4", 3500))
	ignored("evt_5", refund("evt_5", "re_1", 3500))
	ignored("evt_6", event("evt_6", "customer.deleted", `{"id":"cus_1","object":"customer"}`))
	ignored("evt_7", strings.Replace(refunded("evt_7", 3500), `"livemode":false`, `"livemode":true`, 1))
	s.wantBalance(1200)
	var customer string
	s.must(s.DB.Raw(`SELECT coalesce(stripe_customer_id, '') FROM users WHERE id = ?`, s.user).Scan(&customer).Error)
	if customer != "cus_1" {
		t.Errorf("the customer is %q after another account's was deleted, want cus_1", customer)
	}
	var facts int64
	s.must(s.DB.Raw(`SELECT (SELECT count(*) FROM stripe_refunds) + (SELECT count(*) FROM stripe_charges)`).Scan(&facts).Error)
	if facts != 0 {
		t.Errorf("%d facts of another account's money were kept, want none", facts)
	}
}
