package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Another product of the account sold in the last 30 days, with a word in its metadata that is also ours. The first
// reconciliation adopts none of it, and later ones do not ask again.
func TestReconcileAsksOnceAboutAnotherProductsSessions(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for n := range 5 {
		id := fmt.Sprintf("cs_old%d", n)
		a.put("/v1/checkout/sessions", map[string]any{"id": id, "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
			"payment_intent": "pi_" + id, "currency": "eur", "amount_subtotal": 3500, "amount_total": 3500, "customer_details": map[string]any{"email": "eve@example.com"},
			"metadata": map[string]string{"credits": "1200"}})
		a.lists["/v1/checkout/sessions/"+id+"/line_items"] = []map[string]any{{"id": "li_1", "object": "item", "quantity": 1,
			"price": map[string]any{"id": "price_course", "object": "price"}, "created": a.clock.Unix()}}
		a.refunded(100+n, 900, "succeeded")
		a.disputed(100+n, "lost")
	}
	asked := func() int {
		lists := 0
		for _, path := range a.asked {
			if !slices.Contains([]string{"/v1/checkout/sessions", "/v1/refunds", "/v1/disputes"}, path) {
				lists++
				if !strings.HasSuffix(path, "/line_items") {
					t.Errorf("Stripe was asked for %s", path)
				}
			}
		}
		a.asked = nil
		return lists
	}
	for round, want := range []int{5, 0, 0} {
		if r := a.reconcile(); len(r.Findings) != 0 {
			t.Errorf("run %d found %+v, want nothing of ours", round+1, r.Findings)
		}
		if got := asked(); got != want {
			t.Errorf("run %d asked Stripe about %d foreign sessions, want %d", round+1, got, want)
		}
	}
	var strangers int64
	if err := a.DB.Raw(`SELECT count(*) FROM users WHERE email = 'eve@example.com'`).Scan(&strangers).Error; err != nil || strangers != 0 {
		t.Errorf("%d accounts of strangers (%v), want none", strangers, err)
	}
	t.Run("what was sold long ago is forgotten", func(t *testing.T) {
		a.clock = a.clock.Add(200 * 24 * time.Hour)
		if err := a.DB.Exec(`INSERT INTO foreign_objects (object_id, kind, seen_at) VALUES ('pi_new', 'payment', ?)`, a.clock).Error; err != nil {
			t.Fatal(err)
		}
		if err := a.Purchase.ForgetForeign(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := a.DB.Raw(`SELECT object_id FROM foreign_objects`).Scan(&left).Error; err != nil || !slices.Equal(left, []string{"pi_new"}) {
			t.Errorf("%v are remembered (%v), want the new one alone", left, err)
		}
	})
}
