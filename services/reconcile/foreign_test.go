package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Another product of the Stripe account had sales in the last 30 days, with a metadata key that we use too. The first
// run adopts none of its sessions, and later runs do not fetch them again.
func TestForeignSessionsAreFetchedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 5 {
		id := fmt.Sprintf("cs_old%d", n)
		f.put("/v1/checkout/sessions", map[string]any{
			"id": id, "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
			"payment_intent": "pi_" + id, "currency": "eur", "amount_subtotal": 3500, "amount_total": 3500,
			"customer_details": map[string]any{"email": "eve@example.com"}, "metadata": map[string]string{"credits": "1200"},
		})
		f.lists["/v1/checkout/sessions/"+id+"/line_items"] = []map[string]any{{
			"id": "li_1", "object": "item", "quantity": 1,
			"price": map[string]any{"id": "price_course", "object": "price"}, "created": f.clock.Unix(),
		}}
		f.refunded(100+n, 900, "succeeded")
		f.disputed(100+n, "lost")
	}
	fetched := func() int {
		items := 0
		for _, path := range f.requests {
			if !slices.Contains([]string{"/v1/checkout/sessions", "/v1/refunds", "/v1/disputes"}, path) {
				items++
				if !strings.HasSuffix(path, "/line_items") {
					t.Errorf("request to Stripe for %s, want line items only", path)
				}
			}
		}
		f.requests = nil
		return items
	}
	for round, want := range []int{5, 0, 0} {
		if r := f.reconcile(); len(r.Findings) != 0 {
			t.Errorf("findings of run %d = %+v, want none", round+1, r.Findings)
		}
		if got := fetched(); got != want {
			t.Errorf("run %d fetched line items of %d sessions, want %d", round+1, got, want)
		}
	}
	var accounts int64
	err := f.DB.Raw(`SELECT count(*) FROM users WHERE email = 'eve@example.com'`).Scan(&accounts).Error
	if err != nil || accounts != 0 {
		t.Errorf("%d accounts of the other product's buyer (%v), want 0", accounts, err)
	}
	t.Run("forgets old foreign objects", func(t *testing.T) {
		f.clock = f.clock.Add(200 * 24 * time.Hour)
		err := f.DB.Exec(`INSERT INTO foreign_objects (object_id, kind, seen_at) VALUES ('pi_new', 'payment', ?)`, f.clock).
			Error
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Purchase.ForgetForeign(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		err = f.DB.Raw(`SELECT object_id FROM foreign_objects`).Scan(&left).Error
		if err != nil || !slices.Equal(left, []string{"pi_new"}) {
			t.Errorf("foreign objects = %v (%v), want pi_new alone", left, err)
		}
	})
}

// A free session that expired sold nothing, whatever its list of line items says.
func TestReconcileAsksNothingAboutExpiredSessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put("/v1/checkout/sessions", map[string]any{"id": "cs_free", "object": "checkout.session", "mode": "payment",
		"status":         "expired",
		"payment_status": "no_payment_required", "currency": "eur", "amount_subtotal": 3500, "amount_total": 0})
	f.lists["/v1/checkout/sessions/cs_free/line_items"] = []map[string]any{{"id": "li_1", "object": "item", "quantity": 1,
		"price": map[string]any{"id": "price_1200", "object": "price"}, "created": f.clock.Unix()}}
	if r := f.reconcile(); len(r.Findings) != 0 {
		t.Errorf("found %+v, want nothing", r.Findings)
	}
	if want := []string{"/v1/checkout/sessions", "/v1/refunds", "/v1/disputes"}; !slices.Equal(f.requests, want) {
		t.Errorf("Stripe was asked for %v, want %v", f.requests, want)
	}
}
