package purchase_test

import (
	"context"
	"slices"
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

// What a pending refund will take counts as gone, also of credits that are held.
func TestCreditsThatPendingRefundsLeave(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.refund(1000, 0, "sent")
	_, err := f.request(1000, 1000, "pending")
	f.must(err)
	d, used := f.detail(), models.Credits(300)
	held, disputed := newHeldFixture(t).detail(), newRefundFixture(t)
	disputed.must(disputed.bookFetched(purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", Amount: 1000, Currency: "eur",
		Status: "needs_response"}))
	_, err = disputed.request(1000, 0, "pending")
	f.must(err)
	for what, c := range map[string]struct{ got, want models.Credits }{
		"pending":                           {d.PendingCredits(), 343},
		"pending, beside a dispute":         {disputed.detail().PendingCredits(), 343},
		"unused, of many":                   {d.Unused(5000), 1200 - 685},
		"unused, of few":                    {d.Unused(600), 600 - 343},
		"unused, of none":                   {d.Unused(0), 0},
		"used, with few left":               {d.Used(200), 1200 - 685 - 200},
		"used, with many left":              {d.Used(5000), 0},
		"used, with a debt":                 {d.Used(-10), 1200 - 685},
		"unused at a withdrawal":            {d.UnusedWithdrawn(models.Withdrawal{UsedCredits: &used}), 1200 - 342 - 300 - 343},
		"unused, all of them held":          {held.Unused(0), 1200},
		"unused, held, with other credits":  {held.Unused(50), 1200},
		"used, all of them held":            {held.Used(0), 0},
		"pending, of what is held":          {held.PendingCredits(), 0},
		"unused at a withdrawal, held":      {held.UnusedWithdrawn(models.Withdrawal{UsedCredits: &used}), 900},
		"used, held, less than others took": {held.Used(-300), 300},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d credits, want %d", what, c.got, c.want)
		}
	}
}

// The admin's page says what an unpaid purchase waits for.
func TestWaitsOfUnpaidPurchases(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	without, _ := f.inState(models.PurchasePending)
	f.must(f.DB.Exec(`UPDATE purchases SET checkout_session_id = NULL WHERE id = ?`, without).Error)
	want := map[uuid.UUID][]purchase.Wait{without: {purchase.WaitCheckout}, f.id: nil}
	ids := []uuid.UUID{without, f.id}
	for status, wait := range map[models.PurchaseStatus]purchase.Wait{models.PurchasePending: purchase.WaitPayment,
		models.PurchaseAwaitingPayment: purchase.WaitBank} {
		id, _ := f.inState(status)
		ids, want[id] = append(ids, id), []purchase.Wait{wait}
	}
	details, err := f.Details(t.Context(), ids)
	f.must(err)
	for id, wants := range want {
		if got := details[id].WaitingFor; !slices.Equal(got, wants) {
			t.Errorf("purchase in state %s waits for %v, want %v", details[id].Status, got, wants)
		}
	}
	if none, err := f.Details(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("details of no purchase: %d, %v; want none", len(none), err)
	}
}
