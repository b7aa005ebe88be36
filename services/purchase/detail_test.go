package purchase_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

func TestRefreshWithoutASession(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	id := uuid.Must(uuid.NewV7())
	f.must(
		f.DB.Exec(
			`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', 'k')`, id, f.user.ID).Error)
	if outcome, _, err := f.Refresh(context.Background(), id.String()); err != nil || outcome != purchase.RefreshUnpaid {
		t.Errorf("outcome = %q, %v; want unpaid", outcome, err)
	}
	for _, unknown := range []string{"", "x", uuid.NewString(), strings.ToUpper(id.String()), "{" + id.String() + "}"} {
		if _, _, err := f.Refresh(context.Background(), unknown); !fault.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, want not found", unknown, err)
		}
	}
}

func TestPaymentInTheBuyersCurrency(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	id := f.order("cs_francs")
	f.must(f.bookFetched(purchase.Checkout{ID: "cs_francs", PaymentStatus: "paid", PaymentIntent: "pi_francs",
		Currency: "eur", Subtotal: 3500,
		Paid: 3371, PaidCurrency: "chf"}))
	d, err := f.Detail(context.Background(), id.String())
	if err != nil || d.PaymentCurrency() != "chf" || d.Left() != 3371 || d.Currency != "eur" {
		t.Errorf("left = %d %s of an order in %s (%v), want 3371 chf of one in eur", d.Left(), d.PaymentCurrency(),
			d.Currency, err)
	}
	if old := (models.Purchase{Currency: "eur"}); old.PaymentCurrency() != "eur" {
		t.Errorf("currency of a payment without one = %q, want the order's eur", old.PaymentCurrency())
	}
}

func TestKeptIsWhatNeitherRefundsNorDisputesTook(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.refund(1000, 0, "form")
	f.must(f.bookFetched(purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", Amount: 1500, Currency: "eur",
		Status: "needs_response"}))
	if d := f.detail(); d.Kept() != 1000 || d.Left() != 2500 {
		t.Errorf("kept %d and left %d cents, want 1000 and 2500", d.Kept(), d.Left())
	}
}
