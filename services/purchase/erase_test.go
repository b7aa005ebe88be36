package purchase_test

import (
	"context"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// accounts is the account service on the fixture's database.
func (s *sandboxFixture) accounts() *account.Service {
	return &account.Service{DB: s.db, Purchase: s.Service, Now: s.Now, Log: s.Log}
}

func TestADeletedAccountIsClosedAtStripe(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	started, err := s.Start(t.Context(), s.order("k"))
	if err != nil {
		t.Fatal(err)
	}
	var customer string
	if err := s.db.Raw(`SELECT stripe_customer_id FROM users WHERE id = ?`,
		s.user.ID).Scan(&customer).Error; err != nil || customer == "" {
		t.Fatalf("customer %q, %v", customer, err)
	}
	err = s.db.Exec(
		`UPDATE users SET email = NULL, name = '', locale = '', stripe_customer_id = NULL, deleted_at = now(), delete_after = current_date WHERE id = ?`, s.user.ID).Error
	if err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	if err := s.accounts().EraseDue(t.Context()); err == nil {
		t.Error("erasing while Stripe is down returned no error")
	}
	s.down.Store(false)
	for range 2 {
		if err := periodic.Once(t.Context(), s.accounts().Jobs()); err != nil {
			t.Fatal(err)
		}
	}
	var p models.Purchase
	if err := s.db.Take(&p, "id = ?", started.PurchaseID).Error; err != nil || p.Status != models.PurchaseExpired ||
		p.CheckoutURL != "" || p.IdempotencyKey == "k" {
		t.Errorf("purchase is %s at %q with key %q (%v), want expired, no address and another key", p.Status, p.CheckoutURL,
			p.IdempotencyKey, err)
	}
	known, err := s.Stripe.Customers.Get(customer, nil)
	if err != nil || !known.Deleted {
		t.Errorf("the customer is not deleted at Stripe (%v)", err)
	}
	if _, err := s.Start(context.Background(), s.order("k2")); err == nil {
		t.Error("a deleted account began a purchase")
	}
}

// The withdrawal of a deleted account keeps its personal data until an admin has handled it.
func TestADeletedAccountsWithdrawalIsErasedOnceHandled(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	withdrawals := &withdrawal.Service{DB: s.db, Purchases: s.Service, Now: s.Now, Log: s.Log}
	declare := func(key string) string {
		w, err := withdrawals.Declare(t.Context(), withdrawal.Declaration{UserID: s.user.ID, Name: "Ada Lovelace",
			Email: "ada@example.com", Contract: key, Locale: "de", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return w.ID.String()
	}
	handled, open := declare("handled"), declare("open")
	if err := withdrawals.Close(t.Context(), handled, s.user.ID, ""); err != nil {
		t.Fatal(err)
	}
	wantData := func(id string, want bool) {
		t.Helper()
		w, err := withdrawals.Find(t.Context(), id)
		if err != nil || (w.Name+w.Email+w.Contract != "") != want {
			t.Errorf("personal data of the withdrawal = %q (%v), want some: %t", w.Name+w.Email+w.Contract, err, want)
		}
	}
	if err := periodic.Once(t.Context(), s.accounts().Jobs()); err != nil {
		t.Fatal(err)
	}
	wantData(handled, true) // the account still exists
	err := s.db.Exec(
		`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = now(), delete_after = current_date WHERE id = ?`,
		s.user.ID).Error
	if err != nil {
		t.Fatal(err)
	}
	if err := s.accounts().EraseDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantData(handled, false)
	wantData(open, true)
	if err := withdrawals.Close(t.Context(), open, s.user.ID, ""); err != nil {
		t.Fatal(err)
	}
	if err := periodic.Once(t.Context(), s.accounts().Jobs()); err != nil {
		t.Fatal(err)
	}
	wantData(open, false)
}
