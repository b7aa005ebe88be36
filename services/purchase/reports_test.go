package purchase_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/purchase"
)

// standing returns where a purchase stands.
func (f *refundFixture) standing(id uuid.UUID) models.Purchase {
	f.t.Helper()
	var p models.Purchase
	f.must(f.DB.Take(&p, "id = ?", id).Error)
	return p
}

// Stripe omits the payment, the currency or the status of some reports. What is left leads to the payment. What
// contradicts it, or cannot be true, moves no credit.
func TestReportsOfMoneyThatWentBack(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	charge := func(paymentRef string, amount, refunded int64) purchase.Charge {
		return purchase.Charge{ID: "ch", PaymentRef: paymentRef, Currency: "eur", Amount: amount, AmountRefunded: refunded}
	}
	refund := func(change func(*purchase.Refund)) purchase.Refund {
		r := purchase.Refund{ID: "re", PaymentRef: "pi", Currency: "eur", Status: "succeeded", Amount: 1000}
		change(&r)
		return r
	}
	dispute := func(amount int64) purchase.Dispute {
		return purchase.Dispute{ID: "dp", PaymentRef: "pi", Currency: "eur", Status: "lost", Amount: amount, ReportedAt: 5}
	}
	for name, c := range map[string]struct {
		reports []purchase.Report
		err     error // of the last
		back    models.Credits
	}{
		"a charge without refunds":           {[]purchase.Report{charge("pi", 3500, 0)}, nil, 0},
		"a charge of one cent, refunded":     {[]purchase.Report{charge("pi", 1, 1)}, nil, 0},
		"a charge of nothing":                {[]purchase.Report{charge("pi", 0, 0)}, models.CauseImpossible, 0},
		"a charge with less than no refunds": {[]purchase.Report{charge("pi", 3500, -1)}, models.CauseImpossible, 0},
		"a charge that lost its payment": {[]purchase.Report{charge("pi", 3500, 1000), charge("ch", 3500, 2000)},
			nil, 685},
		"a refund of nothing": {[]purchase.Report{refund(func(r *purchase.Refund) { r.Amount = 0 })},
			models.CauseImpossible, 0},
		"a refund of one cent": {[]purchase.Report{refund(func(r *purchase.Refund) { r.Amount = 1 })}, nil, 0},
		"a refund without a currency, and without a status": {[]purchase.Report{
			refund(func(r *purchase.Refund) { r.Currency, r.Status = "", "" })}, nil, 342},
		"a refund in another currency": {[]purchase.Report{refund(func(r *purchase.Refund) { r.Currency = "usd" })},
			models.CauseRefundCurrency, 0},
		"a refund of a charge that is known": {[]purchase.Report{charge("pi", 3500, 0),
			refund(func(r *purchase.Refund) { r.PaymentRef, r.ChargeID = "", "ch" })}, nil, 342},
		"a refund of a charge of another payment": {[]purchase.Report{charge("pi", 3500, 0),
			refund(func(r *purchase.Refund) { r.PaymentRef, r.ChargeID = "pi_other", "ch" })}, models.CauseContradicts, 0},
		"a refund that turns out smaller": {[]purchase.Report{refund(func(*purchase.Refund) {}),
			refund(func(r *purchase.Refund) { r.Amount = 500 })}, models.CauseContradicts, 342},
		"a refund above the payment": {[]purchase.Report{refund(func(r *purchase.Refund) { r.Amount = 3501 })},
			models.CauseOverpaid, 1200},
		"a dispute of nothing":  {[]purchase.Report{dispute(0)}, models.CauseImpossible, 0},
		"a dispute of one cent": {[]purchase.Report{dispute(1)}, nil, 0},
		"a dispute that the API answers with its charge alone": {[]purchase.Report{charge("pi", 3500, 0),
			purchase.DisputeOf(&stripe.Dispute{ID: "dp", Charge: &stripe.Charge{ID: "ch"}, Currency: "eur", Status: "lost",
				Amount: 1000})}, nil, 342},
		"a dispute that the API answers with its payment alone": {[]purchase.Report{
			purchase.DisputeOf(&stripe.Dispute{ID: "dp", PaymentIntent: &stripe.PaymentIntent{ID: "pi"}, Currency: "eur",
				Status: "lost", Amount: 1000})}, nil, 342},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			suffix := "_" + uuid.NewString()
			id := f.buy("pi" + suffix)
			var err error
			for _, r := range c.reports {
				if err != nil {
					t.Fatalf("not the last report: %v", err)
				}
				err = f.bookFetched(withSuffix(r, suffix))
			}
			if !errors.Is(err, c.err) {
				t.Errorf("error = %v, want %v", err, c.err)
			}
			if p := f.standing(id); p.CreditsRefunded+p.CreditsDisputed != c.back {
				t.Errorf("%d credits went back by refunds and %d by disputes, want %d", p.CreditsRefunded, p.CreditsDisputed,
					c.back)
			}
		})
	}
	dbtest.CheckLedger(t, f.DB)
}

// withSuffix appends a suffix to the ids of a report that has them.
func withSuffix(r purchase.Report, suffix string) purchase.Report {
	extend := func(ids ...*string) {
		for _, id := range ids {
			if *id != "" {
				*id += suffix
			}
		}
	}
	switch r := r.(type) {
	case purchase.Charge:
		extend(&r.ID, &r.PaymentRef)
		return r
	case purchase.Refund:
		extend(&r.ID, &r.PaymentRef, &r.ChargeID)
		return r
	case purchase.Dispute:
		extend(&r.ID, &r.PaymentRef, &r.ChargeID)
		return r
	}
	return r
}

// A figure that arrived in another currency before its purchase is replaced by the right one after it.
func TestReportReplacesOneInAnotherCurrency(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.must(f.DB.Exec(`INSERT INTO stripe_charges (charge_id, payment_ref, amount, amount_refunded, currency)
		VALUES ('ch_1', 'pi_1', 3500, 3500, 'usd')`).Error)
	f.must(f.DB.Exec(`INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status)
		VALUES ('re_1', 'pi_1', 3500, 'usd', 'succeeded')`).Error)
	f.must(f.bookFetched(purchase.Charge{ID: "ch_1", PaymentRef: "pi_1", Currency: "eur", Amount: 3500,
		AmountRefunded: 500}))
	f.wantBalance(1200 - 171)
	f.must(f.bookFetched(purchase.Refund{ID: "re_1", PaymentRef: "pi_1", Currency: "eur", Status: "succeeded",
		Amount: 1000}))
	f.wantBalance(1200 - 342)
}

// Only a report that differs from the stored dispute, and may be as new, is worth a question to Stripe.
func TestDisputesAreAskedAboutOnlyWhenUnclear(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	asked := f.answerDispute(1000, func() {})
	f.must(f.bookFetched(purchase.Charge{ID: "ch_pi_1", PaymentRef: "pi_1", Currency: "eur", Amount: 3500}))
	first := sameSecond(1000)
	first.Withdrawn, first.WithdrawnCurrency = 1000, "eur"
	f.must(f.bookFetched(first))
	for name, c := range map[string]struct {
		change func(*purchase.Dispute)
		asks   int64
	}{
		"the same":                   {func(*purchase.Dispute) {}, 0},
		"the same of the API":        {func(d *purchase.Dispute) { d.ReportedAt = 0 }, 0},
		"an older one":               {func(d *purchase.Dispute) { d.Amount, d.ReportedAt = 3500, 4 }, 0},
		"one without its payment":    {func(d *purchase.Dispute) { d.Amount, d.PaymentRef = 3500, "" }, 1},
		"one of the same second":     {func(d *purchase.Dispute) { d.Amount = 3500 }, 1},
		"another status":             {func(d *purchase.Dispute) { d.Status = "under_review" }, 1},
		"another withdrawn amount":   {func(d *purchase.Dispute) { d.Withdrawn = 900 }, 1},
		"another withdrawn currency": {func(d *purchase.Dispute) { d.WithdrawnCurrency = "usd" }, 1},
	} {
		asked.Store(0)
		d := first
		c.change(&d)
		f.must(f.DB.Exec(`UPDATE stripe_disputes SET amount = 1000, status = 'needs_response', withdrawn = 1000,
			withdrawn_currency = 'eur', told_at = 5`).Error)
		if err := f.bookFetched(d); err != nil || asked.Load() != c.asks {
			t.Errorf("%s: Stripe was asked %d times (%v), want %d", name, asked.Load(), err, c.asks)
		}
	}
	asked.Store(0)
	other := first
	other.PaymentRef, other.ChargeID, other.Amount = "pi_other", "ch_other", 3500
	if err := f.bookFetched(other); !errors.Is(err, models.CauseContradicts) || asked.Load() != 0 {
		t.Errorf("one of another payment: error = %v, Stripe was asked %d times; want %s, and never", err, asked.Load(),
			models.CauseContradicts)
	}
	f.wantBalance(1200 - 342)
}

// Figures of a paid session that cannot be true grant nothing until a person decides.
func TestFiguresOfAPaidSession(t *testing.T) {
	t.Parallel()
	const tooMuch = 1_000_000_000_000
	f := newRefundFixture(t)
	for name, c := range map[string]struct {
		change func(*purchase.Checkout)
		cause  models.Cause
	}{
		"as ordered":                   {func(*purchase.Checkout) {}, ""},
		"paid in another currency":     {func(c *purchase.Checkout) { c.Paid, c.PaidCurrency = 90_000, "czk" }, ""},
		"paid in Australian dollars":   {func(c *purchase.Checkout) { c.PaidCurrency = "aud" }, ""},
		"paid in rands":                {func(c *purchase.Checkout) { c.PaidCurrency = "zar" }, ""},
		"the currency of the order":    {func(c *purchase.Checkout) { c.PaidCurrency = "" }, ""},
		"the largest payment":          {func(c *purchase.Checkout) { c.Paid = tooMuch - 1 }, ""},
		"more than any payment":        {func(c *purchase.Checkout) { c.Paid = tooMuch }, models.CauseSessionMoney},
		"less than nothing":            {func(c *purchase.Checkout) { c.Paid = -1 }, models.CauseSessionMoney},
		"no currency":                  {func(c *purchase.Checkout) { c.PaidCurrency = "euro" }, models.CauseSessionMoney},
		"a currency in capitals":       {func(c *purchase.Checkout) { c.PaidCurrency = "EUR" }, models.CauseSessionMoney},
		"a price above all prices":     {func(c *purchase.Checkout) { c.Subtotal = tooMuch }, models.CauseSessionMoney},
		"a price just below":           {func(c *purchase.Checkout) { c.Subtotal = tooMuch - 1 }, models.CauseAmount},
		"another price":                {func(c *purchase.Checkout) { c.Subtotal = 3499 }, models.CauseAmount},
		"a payment without an amount":  {func(c *purchase.Checkout) { c.Paid = 0 }, models.CauseSessionMoney},
		"an amount without a payment":  {func(c *purchase.Checkout) { c.PaymentIntent = "" }, models.CauseSessionMoney},
		"the payment of another order": {func(c *purchase.Checkout) { c.PaymentIntent = "pi_1" }, models.CauseSessionMoney},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			session := fmt.Sprint("cs_", uuid.NewString())
			id := f.order(session)
			paid := purchase.Checkout{ID: session, PaymentStatus: "paid", PaymentIntent: "pi_" + session, Currency: "eur",
				Subtotal: 3500, Paid: 3500, PaidCurrency: "eur"}
			c.change(&paid)
			var review purchase.ReviewError
			if err := f.bookFetched(paid); errors.As(err, &review) != (c.cause != "") || models.Cause(review) != c.cause {
				t.Errorf("error = %v, want %q", err, c.cause)
			}
			want := models.Credits(1200)
			if c.cause != "" {
				want = 0
			}
			if p := f.standing(id); p.CreditsGranted != want || (p.Status == models.PurchasePaid) != (c.cause == "") {
				t.Errorf("purchase is %s with %d credits, want %d", p.Status, p.CreditsGranted, want)
			}
		})
	}
	dbtest.CheckLedger(t, f.DB)
}
