package purchase_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

func TestCheckBeforeThereIsASession(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := uuid.Must(uuid.NewV7())
	c.must(c.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', 'k')`, id, c.user.ID).Error)
	if _, err := c.Check(context.Background(), id.String()); !errors.Is(err, purchase.ErrNotOurs) {
		t.Errorf("error = %v, want that nothing was paid", err)
	}
	for _, unknown := range []string{"", "x", uuid.NewString(), strings.ToUpper(id.String()), "{" + id.String() + "}"} {
		if _, err := c.Check(context.Background(), unknown); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, want not found", unknown, err)
		}
	}
}

func TestPaymentInTheBuyersCurrency(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	id := c.order("cs_francs")
	c.must(c.Book(context.Background(), func(tx *gorm.DB, told purchase.Told) error {
		_, err := c.BookCheckout(tx, purchase.Checkout{ID: "cs_francs", PaymentStatus: "paid", PaymentIntent: "pi_francs", Currency: "eur", Subtotal: 3500,
			Paid: 3371, PaidCurrency: "chf"}, told, "")
		return err
	}))
	d, err := c.Detail(context.Background(), id.String())
	if err != nil || d.PaymentCurrency() != "chf" || d.Left() != 3371 || d.Currency != "eur" {
		t.Errorf("%d %s are left of an order in %s (%v), want 3371 chf of one in eur", d.Left(), d.PaymentCurrency(), d.Currency, err)
	}
	if old := (models.Purchase{Currency: "eur"}); old.PaymentCurrency() != "eur" {
		t.Errorf("an older payment is in %q, want what was ordered in", old.PaymentCurrency())
	}
}

// A run that nobody holds, because it has just begun or has stopped, can be read like any other.
func TestLastReconciliationThatStopped(t *testing.T) {
	t.Parallel()
	c := newCounter(t)
	ctx := context.Background()
	if r, err := c.LastReconciliation(ctx, 0, 1000); r != nil || err != nil {
		t.Errorf("before the first: %v, %v", r, err)
	}
	c.must(c.BeginReconcile(ctx))
	if r, err := c.LastReconciliation(ctx, 0, 1000); err != nil || r == nil || r.LastError != "" || r.FinishedAt != nil {
		t.Errorf("just begun: %+v, %v", r, err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	c.must(c.DB.Exec(`UPDATE reconciliations SET last_error = 'Stripe was away'`).Error)
	if _, err := c.Reconcile(stopped); err == nil {
		t.Fatal("a reconciliation that was stopped succeeded")
	}
	if r, err := c.LastReconciliation(ctx, 0, 1000); err != nil || r == nil || r.LastError == "" || r.FinishedAt != nil {
		t.Errorf("stopped: %+v, %v", r, err)
	}
}
