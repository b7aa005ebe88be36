package purchase_test

import (
	"errors"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
)

// A customer that its owner deletes at Stripe leaves the user without one; the balance stays.
func TestForgetCustomer(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	s.start(t, "form")
	customer := s.customerOf(t).ID
	for id, want := range map[string]error{customer: nil, "cus_elsewhere": purchase.ErrNotOurs} {
		err := postgres.Transaction(t.Context(), s.db, func(tx models.Tx) error { return purchase.ForgetCustomer(tx, id) })
		if !errors.Is(err, want) {
			t.Errorf("%s: error = %v, want %v", id, err, want)
		}
	}
	var linked, known int64
	if err := errors.Join(s.db.Raw(`SELECT count(*) FROM users WHERE stripe_customer_id IS NOT NULL`).Scan(&linked).Error,
		s.db.Raw(`SELECT count(*) FROM stripe_customers WHERE deleted_at IS NULL`).Scan(&known).Error,
	); err != nil || linked != 0 || known != 0 {
		t.Errorf("%d users have a customer, and %d customers count as alive (%v), want none", linked, known, err)
	}
}

// A deleted account's customer may be deleted at Stripe already. Its event erases the account again.
func TestCustomerIsDeletedBeforeItsAccount(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	s.start(t, "form")
	customer := s.customerOf(t).ID
	if _, err := s.Stripe.Customers.Del(customer, nil); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `UPDATE users SET email = NULL, name = '', locale = '', stripe_customer_id = NULL, deleted_at = now(),
		delete_after = current_date, erased_at = now() WHERE id = ?`, s.user.ID)
	if err := s.CloseAtStripe(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	state := func() (gone, erased bool) {
		t.Helper()
		if err := s.db.Raw(`SELECT c.deleted_at IS NOT NULL, u.erased_at IS NOT NULL
			FROM stripe_customers c JOIN users u ON u.id = c.user_id`).Row().Scan(&gone, &erased); err != nil {
			t.Fatal(err)
		}
		return gone, erased
	}
	if gone, _ := state(); !gone {
		t.Error("the customer counts as alive, want it gone")
	}
	s.exec(t, `UPDATE users SET erased_at = now()`)
	err := postgres.Transaction(t.Context(), s.db, func(tx models.Tx) error {
		return purchase.ForgetCustomer(tx, customer)
	})
	if _, erased := state(); err != nil || erased {
		t.Errorf("after the event: error %v, erased %v; want the account erased again", err, erased)
	}
}
