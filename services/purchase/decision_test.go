package purchase_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// decide runs a decision about a purchase.
func (f *refundFixture) decide(id uuid.UUID, fn func(models.Tx, *models.Purchase) error) error {
	return postgres.Transaction(f.t.Context(), f.DB, func(tx models.Tx) error {
		p, err := purchase.LockForDecision(tx, id)
		if err != nil {
			return err
		}
		return fn(tx, p)
	})
}

// An admin's decision books the ordered credits once. Where the order is unknown, the admin states the credits: at
// least one, and at most those of the largest order.
func TestBookOrdered(t *testing.T) {
	t.Parallel()
	const most = catalog.MaxQuantity * catalog.MaxCredits
	f := newRefundFixture(t)
	const unknown = `credits = 0, stripe_price_id = NULL`
	for name, c := range map[string]struct {
		before  models.PurchaseStatus
		change  string // of the purchase
		stated  models.Credits
		granted models.Credits
		err     fault.Code
	}{
		"in review":                        {models.PurchaseReview, `cause = 'amount'`, 0, 1200, ""},
		"in review, another number stated": {models.PurchaseReview, `cause = 'amount'`, 5, 1200, ""},
		"another product's":                {models.PurchaseForeign, `cause = ''`, 0, 1200, ""},
		"pending":                          {models.PurchasePending, `cause = ''`, 0, 0, fault.Conflict},
		"returned":                         {models.PurchaseReturned, `cause = 'amount'`, 0, 0, fault.Conflict},
		"unknown, one credit":              {models.PurchaseReview, unknown, 1, 1, ""},
		"unknown, the most":                {models.PurchaseReview, unknown, most, most, ""},
		"unknown, none stated":             {models.PurchaseReview, unknown, 0, 0, fault.Invalid},
		"unknown, too many":                {models.PurchaseReview, unknown, most + 1, 0, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			id, session := f.inState(c.before)
			f.must(f.DB.Exec(`UPDATE purchases SET paid_cents = 3500, paid_currency = 'eur', payment_intent_id = ?, `+c.change+
				` WHERE id = ?`, "pi_"+session, id).Error)
			for n := range 2 {
				entries := 0
				err := f.decide(id, func(tx models.Tx, p *models.Purchase) error {
					rows, err := f.BookOrdered(tx, p, c.stated)
					entries = len(rows)
					return err
				})
				booked := c.err == "" && n == 0
				if (c.err == "") != (err == nil) || c.err != "" && !fault.Is(err, c.err) || (entries == 1) != booked {
					t.Errorf("decision %d: %d entries, error %v; want %v, %q", n+1, entries, err, booked, c.err)
				}
			}
			if p := f.standing(id); p.CreditsGranted != c.granted || (p.PaidAt != nil) != (c.err == "") {
				t.Errorf("%d credits granted, paid at %v; want %d", p.CreditsGranted, p.PaidAt, c.granted)
			}
		})
	}
	dbtest.CheckLedger(t, f.DB)
}

// A payment is declared another product's once, and not while a refund of it is under way.
func TestSetForeign(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	set := func(id uuid.UUID) (changed bool, err error) {
		err = f.decide(id, func(tx models.Tx, p *models.Purchase) (err error) {
			changed, err = purchase.SetForeign(tx, p)
			return err
		})
		return changed, err
	}
	id, _ := f.inState(models.PurchaseReview)
	for n, want := range []bool{true, false} {
		if changed, err := set(id); err != nil || changed != want {
			t.Errorf("decision %d: changed %v, %v; want %v", n+1, changed, err, want)
		}
	}
	if p := f.standing(id); p.Status != models.PurchaseForeign {
		t.Errorf("purchase is %s, want foreign", p.Status)
	}
	if changed, err := set(f.id); !fault.Is(err, fault.Conflict) || changed {
		t.Errorf("a booked purchase: changed %v, %v; want a conflict", changed, err)
	}
	_, err := f.request(1000, 0, "pending")
	f.must(err)
	f.must(f.DB.Exec(`UPDATE refund_requests SET purchase_id = ?`, id).Error)
	f.must(f.DB.Exec(`UPDATE purchases SET status = 'review' WHERE id = ?`, id).Error)
	if changed, err := set(id); !fault.Is(err, fault.Conflict) || changed {
		t.Errorf("with a pending refund: changed %v, %v; want a conflict", changed, err)
	}
	err = f.decide(id, func(tx models.Tx, p *models.Purchase) error {
		_, err := f.BookOrdered(tx, p, 0)
		return err
	})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("booked with a pending refund: %v, want a conflict", err)
	}
	err = f.decide(uuid.New(), func(models.Tx, *models.Purchase) error { return nil })
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown purchase: %v, want not found", err)
	}
}

// A person says what a dispute in another currency takes, for the dispute that the page showed.
func TestDisputeShare(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	dispute := purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", Currency: "usd", Amount: 4000, Status: "needs_response"}
	if err := f.bookFetched(dispute); !errors.Is(err, models.CauseDisputeCurrency) {
		t.Errorf("error = %v, want %s", err, models.CauseDisputeCurrency)
	}
	set := func(disputeID string, share models.Cents, revision int) (changed bool, entries int, err error) {
		err = f.decide(f.id, func(tx models.Tx, p *models.Purchase) error {
			rows, done, err := purchase.SetDisputeShare(tx, p, disputeID, share, revision)
			changed, entries = done, len(rows)
			return err
		})
		return changed, entries, err
	}
	closeIt := func() error {
		return f.decide(f.id, func(tx models.Tx, _ *models.Purchase) error { return purchase.CloseDisputeShare(tx, "dp_1") })
	}
	f.must(closeIt())
	revision := f.detail().Disputes[0].Revision
	if _, _, err := set("dp_1", 1000, revision-1); !fault.Is(err, fault.Conflict) {
		t.Errorf("from a page before it was closed: %v, want a conflict", err)
	}
	for _, unknown := range []string{"dp_2", "dp\x00"} {
		if _, _, err := set(unknown, 1000, revision); !errors.Is(err, purchase.ErrNotOurs) {
			t.Errorf("%q: %v, want %v", unknown, err, purchase.ErrNotOurs)
		}
	}
	f.wantBalance(0) // all of them until a person decides
	for n, want := range []int{1, 0} {
		changed, entries, err := set("dp_1", 1000, revision)
		if err != nil || changed != (want == 1) || entries != want {
			t.Errorf("decision %d: changed %v, %d entries, %v; want %d", n+1, changed, entries, err, want)
		}
	}
	f.wantBalance(1200 - 342)
	if err := closeIt(); !fault.Is(err, fault.Conflict) {
		t.Errorf("closed after the decision: %v, want a conflict", err)
	}
	if _, _, err := set("dp_1", 500, revision+1); err != nil {
		t.Errorf("another share: %v", err)
	}
	f.wantBalance(1200 - 171)
}

// A session that was not begun here gives what its line items or its seller say, and never more than our packages do
// for the money. What is unclear waits for a person, with the credits that the session shows.
func TestWorthOfASessionFromElsewhere(t *testing.T) {
	t.Parallel()
	const most = catalog.MaxQuantity * catalog.MaxCredits
	one := purchase.Sold{Known: true, Units: 1, Credits: 1200}
	two := purchase.Sold{Known: true, Units: 2, Credits: 2400}
	unknown := purchase.Sold{}
	f := newRefundFixture(t)
	sold := func(credits models.Credits) purchase.Sold {
		return purchase.Sold{Known: true, Units: 1, Credits: credits}
	}
	for name, c := range map[string]struct {
		sold    purchase.Sold
		stated  string
		credits models.Credits // of the purchase
		err     error
	}{
		"one package":                   {one, "", 1200, nil},
		"stated alike":                  {one, "1200", 1200, nil},
		"fewer stated":                  {one, "1000", 1000, nil},
		"more stated than the price":    {one, "1201", 1200, models.CauseSessionCredits},
		"two packages":                  {two, "", 2400, nil},
		"two, stated for one":           {two, "1200", 2400, nil},
		"two, stated for both":          {two, "2400", 2400, nil},
		"two, stated otherwise":         {two, "1000", 2400, models.CauseSessionCredits},
		"the most":                      {sold(most), "", most, nil},
		"more than the most":            {sold(most + 1), "", 0, models.CauseSessionCredits},
		"with another product":          {purchase.Sold{Known: true, Units: 1, Credits: 1200, Others: true}, "", 1200, models.CauseSessionMixed},
		"another product alone":         {purchase.Sold{Known: true, Others: true}, "1200", -1, purchase.ErrForeign},
		"unknown to Stripe":             {unknown, "", -1, purchase.ErrForeign},
		"unknown to Stripe, but stated": {unknown, "1200", 1200, nil},
		"unknown, more than the price":  {unknown, "1201", 0, models.CauseSessionCredits},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			suffix := uuid.NewString()
			session, payment, customer := "cs_"+suffix, "pi_"+suffix, "cus_"+suffix
			f.must(f.DB.Exec(`INSERT INTO stripe_charges (charge_id, payment_ref, amount, amount_refunded, currency)
				VALUES (?, ?, 3500, 1, 'eur')`, "ch_"+suffix, payment).Error)
			f.must(f.DB.Exec(`INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status)
				VALUES (?, ?, 1, 'eur', 'failed')`, "re_"+suffix, payment).Error)
			paid := paidSession(session, payment)
			paid.Credits, paid.Email, paid.Customer = c.stated, "ada@example.com", customer
			var err error
			f.must(postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
				_, err = f.Book(tx, paid, purchase.StripeFacts{Sold: &c.sold}, "")
				return nil // as the event's booking, which keeps the facts
			}))
			if c.err == nil && err != nil || !errors.Is(err, c.err) {
				t.Errorf("error = %v, want %v", err, c.err)
			}
			var made []models.Purchase
			f.must(f.DB.Find(&made, "checkout_session_id = ?", session).Error)
			if c.credits < 0 {
				if len(made) != 0 {
					t.Errorf("purchases %+v, want none", made)
				}
				return
			}
			granted := c.credits
			if c.err != nil {
				granted = 0
			}
			if len(made) != 1 || made[0].Credits != c.credits || made[0].CreditsGranted != granted ||
				made[0].UserID != f.user.ID {
				t.Fatalf("purchases %+v, want one of %d credits with %d granted", made, c.credits, granted)
			}
			if n := f.refreshes(payment); n != 1 {
				t.Errorf("%d refreshes of its refunds are scheduled, want one", n)
			}
			var ours []bool
			f.must(f.DB.Raw(`SELECT created_by_us FROM stripe_customers WHERE customer_id = ?`, customer).Scan(&ours).Error)
			if c.err == nil && (len(ours) != 1 || ours[0]) {
				t.Errorf("the customer is recorded as ours: %v, want once, as not ours", ours)
			}
		})
	}
	dbtest.CheckLedger(t, f.DB)
}
