package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// debited inserts a purchase by direct debit whose payment intent has a status that was not reported.
func (f *fixture) debited(n int, intent string) uuid.UUID {
	f.t.Helper()
	f.paid(n)
	session := f.lists["/v1/checkout/sessions"][0]
	session["payment_status"] = "unpaid"
	session["payment_intent"] = map[string]any{"id": fmt.Sprintf("pi_%d", n), "object": "payment_intent", "status": intent}
	var p models.Purchase
	if err := f.DB.Take(&p, "checkout_session_id = ?", session["id"]).Error; err != nil {
		f.t.Fatal(err)
	}
	return p.ID
}

func (f *fixture) wantStatus(id uuid.UUID, want models.PurchaseStatus) {
	f.t.Helper()
	var p models.Purchase
	if err := f.DB.Take(&p, "id = ?", id).Error; err != nil || p.Status != want {
		f.t.Errorf("purchase is %s (%v), want %s", p.Status, err, want)
	}
}

func TestReconcileFindsRefusedPayments(t *testing.T) {
	t.Parallel()
	for intent, want := range map[string]models.PurchaseStatus{
		"requires_payment_method": models.PurchaseFailed, "canceled": models.PurchaseFailed,
		"processing": models.PurchaseAwaitingPayment, "requires_action": models.PurchaseAwaitingPayment,
	} {
		t.Run(intent, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := f.debited(1, intent)
			if r := f.reconcile(); len(r.Findings) != 0 {
				t.Errorf("findings = %+v, want none: no credits moved", r.Findings)
			}
			f.wantStatus(id, want)
			f.wantBalance(0)

			f.lists["/v1/checkout/sessions"][0]["payment_status"] = "paid" // a later payment
			f.reconcile()
			f.wantStatus(id, models.PurchasePaid)
			f.wantBalance(1200)

			f.lists["/v1/checkout/sessions"][0]["payment_status"] = "unpaid" // an outdated page
			if r := f.reconcile(); len(r.Findings) != 0 {
				t.Errorf("findings = %+v, want none", r.Findings)
			}
			f.wantStatus(id, models.PurchasePaid)
			f.wantBalance(1200)
		})
	}
}

func TestReconcileExpandsPayments(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.reconcile()
	if len(f.expanded) != 1 || f.expanded[0] != "data.payment_intent" {
		t.Errorf("expanded fields = %q, want data.payment_intent, which shows refused payments", f.expanded)
	}
}
