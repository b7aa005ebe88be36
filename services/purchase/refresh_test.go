package purchase_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/logging"
	"github.com/resume-matcher/credits/services/purchase"
)

// refreshes returns how many charges are to be read again.
func (f *refundFixture) refreshes(paymentRef string) (n int64) {
	f.t.Helper()
	f.must(f.DB.Raw(`SELECT count(*) FROM stripe_charges WHERE payment_ref = ? AND reread_at IS NOT NULL`, paymentRef).
		Scan(&n).Error)
	return n
}

// Stripe is asked for the list of refunds only where the sums leave open which of them stand.
func TestRefreshIsScheduledOnlyWhenUnclear(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	for name, c := range map[string]struct {
		good, failed, cumulated int64
		want                    int64
	}{
		"no refunds":                    {0, 0, 0, 0},
		"a sum alone":                   {0, 0, 1000, 0},
		"the sum is that of its refund": {1000, 0, 1000, 0},
		"the sum is older":              {1000, 0, 500, 0},
		"the sum is larger":             {1000, 0, 1001, 1},
		"a refund failed":               {0, 1000, 1000, 1},
		"one of two refunds failed":     {1000, 500, 1000, 1},
	} {
		suffix := uuid.NewString()
		payment, charge := "pi_"+suffix, "ch_"+suffix
		f.buy(payment)
		for id, r := range map[string]purchase.Refund{
			"re_good_" + suffix:   {Amount: c.good, Status: "succeeded"},
			"re_failed_" + suffix: {Amount: c.failed, Status: "failed"},
		} {
			if r.Amount > 0 {
				r.ID, r.PaymentRef, r.ChargeID, r.Currency = id, payment, charge, "eur"
				f.must(f.bookFetched(r))
			}
		}
		f.must(f.bookFetched(purchase.Charge{ID: charge, PaymentRef: payment, Currency: "eur", Amount: 3500,
			AmountRefunded: c.cumulated}))
		if got := f.refreshes(payment); got != c.want {
			t.Errorf("%s: %d charges are to be read again, want %d", name, got, c.want)
		}
	}
}

// A list of refunds that cannot be read is read again later. It books the refunds of its payment, and no others.
func TestRefreshBooksTheRefundsOfItsPayment(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	other := f.buy("pi_other")
	f.must(f.bookFetched(purchase.Refund{ID: "re_known", PaymentRef: "pi_1", ChargeID: "ch_1", Currency: "eur",
		Status: "succeeded", Amount: 500}))
	f.must(f.bookFetched(purchase.Charge{ID: "ch_1", PaymentRef: "pi_1", Currency: "eur", Amount: 3500,
		AmountRefunded: 2000}))
	f.change(func() {
		for id, payment := range map[string]string{"re_missing": "pi_1", "re_other": "pi_other"} {
			f.made = append(f.made, map[string]any{"id": id, "object": "refund", "amount": 1500, "currency": "eur",
				"status": "succeeded", "payment_intent": payment})
		}
		f.blind = true
	})
	f.clock = f.clock.Add(10 * time.Second)
	if err := f.RefreshRefundsDue(t.Context()); err == nil || f.refreshes("pi_1") != 1 {
		t.Errorf("while Stripe does not answer: error %v, %d refreshes left; want an error, and one", err, f.refreshes("pi_1"))
	}
	f.change(func() { f.blind = false })
	f.must(f.RefreshRefundsDue(t.Context()))
	if n := f.refreshes("pi_1"); n != 1 {
		t.Errorf("within the pause: %d refreshes left, want one", n)
	}
	f.clock = f.clock.Add(5 * time.Minute)
	f.must(f.RefreshRefundsDue(t.Context()))
	var refunds []string
	f.must(f.DB.Raw(`SELECT refund_id FROM stripe_refunds ORDER BY 1`).Scan(&refunds).Error)
	if n := f.refreshes("pi_1"); n != 0 || len(refunds) != 2 || refunds[1] != "re_missing" {
		t.Errorf("%d refreshes left and refunds %v, want none, and re_known with re_missing", n, refunds)
	}
	if back := f.standing(f.id).CreditsRefunded; back != 685 {
		t.Errorf("%d credits went back, want 685", back)
	}
	if back := f.standing(other).CreditsRefunded; back != 0 {
		t.Errorf("%d credits of another payment went back, want none", back)
	}
	f.wantBalance(2*1200 - models.Credits(685))
}

// A buyer's page asks Stripe for the session; only a failure is logged.
func TestRefreshOfASessionLogsFailures(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	var out bytes.Buffer
	s.Log = logging.NewLogger(&out, slog.LevelWarn, "json")
	paid := s.pay(t, s.begin(t, "paid"), "card").CheckoutSessionID
	open := s.begin(t, "open").CheckoutSessionID
	for name, c := range map[string]struct {
		session string
		down    bool
		lines   int
	}{
		"paid": {paid, false, 0}, "still open": {open, false, 0}, "unknown to Stripe": {"cs_elsewhere", false, 0},
		"Stripe is away": {open, true, 1},
	} {
		out.Reset()
		s.down.Store(c.down)
		s.RefreshSession(t.Context(), c.session)
		s.down.Store(false)
		if n := strings.Count(out.String(), `"msg":"refresh of a session failed"`); n != c.lines {
			t.Errorf("%s: %d lines, want %d, in:\n%s", name, n, c.lines, out.String())
		}
	}
}

// An admin who asks Stripe about a purchase learns how many entries that added: of the payment, and of its refunds.
func TestRefreshCountsEntries(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	p := s.begin(t, "form")
	want := func(when string, outcome purchase.RefreshOutcome, entries int) {
		t.Helper()
		got, n, err := s.Refresh(t.Context(), p.ID.String())
		if err != nil || got != outcome || n != entries {
			t.Errorf("%s: %s with %d entries, %v; want %s with %d", when, got, n, err, outcome, entries)
		}
	}
	want("before the payment", purchase.RefreshUnpaid, 0)
	s.payUnseen(t, p, "card")
	want("after the payment", purchase.RefreshBooked, 1)
	want("again", purchase.RefreshBooked, 0)
	p = s.bought(t, p.ID.String())
	for range 2 {
		if _, err := s.Stripe.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String(p.PaymentIntentID),
			Amount: stripe.Int64(1000)}); err != nil {
			t.Fatal(err)
		}
	}
	want("after two refunds", purchase.RefreshBooked, 2)
	s.down.Store(true)
	want("while Stripe is away", purchase.RefreshAway, 0)
}
