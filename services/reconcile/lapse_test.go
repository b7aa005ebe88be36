package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// debited makes a purchase whose buyer has gone through Checkout and whose bank has said this about the payment since,
// in an event that was lost.
func (a *archive) debited(n int, intent string) uuid.UUID {
	a.t.Helper()
	a.paid(n)
	session := a.lists["/v1/checkout/sessions"][0]
	session["payment_status"], session["payment_intent"] = "unpaid", map[string]any{"id": fmt.Sprintf("pi_%d", n), "object": "payment_intent", "status": intent}
	var p models.Purchase
	if err := a.DB.Take(&p, "checkout_session_id = ?", session["id"]).Error; err != nil {
		a.t.Fatal(err)
	}
	return p.ID
}

func (a *archive) wantStatus(id uuid.UUID, want models.PurchaseStatus) {
	a.t.Helper()
	var p models.Purchase
	if err := a.DB.Take(&p, "id = ?", id).Error; err != nil || p.Status != want {
		a.t.Errorf("purchase is %s (%v), want %s", p.Status, err, want)
	}
}

func TestReconcileFindsPaymentsThatTheBankRefused(t *testing.T) {
	t.Parallel()
	for intent, want := range map[string]models.PurchaseStatus{
		"requires_payment_method": models.PurchaseFailed, "canceled": models.PurchaseFailed,
		"processing": models.PurchaseAwaitingPayment, "requires_action": models.PurchaseAwaitingPayment,
	} {
		t.Run(intent, func(t *testing.T) {
			t.Parallel()
			a := newArchive(t)
			id := a.debited(1, intent)
			if r := a.reconcile(); len(r.Findings) != 0 {
				t.Errorf("found %+v, want nothing: no credits moved", r.Findings)
			}
			a.wantStatus(id, want)
			a.wantBalance(0)

			a.lists["/v1/checkout/sessions"][0]["payment_status"] = "paid" // it was paid all the same
			a.reconcile()
			a.wantStatus(id, models.PurchasePaid)
			a.wantBalance(1200)

			a.lists["/v1/checkout/sessions"][0]["payment_status"] = "unpaid" // a page that was read before
			if r := a.reconcile(); len(r.Findings) != 0 {
				t.Errorf("found %+v, want nothing", r.Findings)
			}
			a.wantStatus(id, models.PurchasePaid)
			a.wantBalance(1200)
		})
	}
}

func TestReconcileAsksForThePaymentOfEachSession(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.reconcile()
	if len(a.expanded) != 1 || a.expanded[0] != "data.payment_intent" {
		t.Errorf("expanded were %q, want the sessions' payments: without it no refusal can be seen", a.expanded)
	}
}
