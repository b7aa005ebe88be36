package purchase_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// newHeldFixture is ada with 1200 credits that she can use, from pi_1, and 1200 that are held, from pi_2: f.id.
func newHeldFixture(t *testing.T) *refundFixture {
	t.Helper()
	f := newRefundFixture(t)
	f.id = f.orderHeld("cs_2")
	f.must(f.bookFetched(paidSession("cs_2", "pi_2")))
	f.wantHeld("paid", 1200)
	return f
}

// orderHeld inserts a pending purchase whose credits will be held until its withdrawal period ends.
func (f *refundFixture) orderHeld(session string) uuid.UUID {
	f.t.Helper()
	id := f.order(session)
	f.must(f.DB.Exec(`UPDATE purchases SET holds_credits = true WHERE id = ?`, id).Error)
	return id
}

// paidSession is Stripe's report that a session was paid.
func paidSession(session, payment string) purchase.Checkout {
	return purchase.Checkout{ID: session, PaymentStatus: "paid", PaymentIntent: payment, Currency: "eur", Subtotal: 3500,
		Paid: 3500, PaidCurrency: "eur"}
}

// take takes credits for a feature, as far as they can be spent.
func (f *refundFixture) take(credits models.Credits) error {
	return postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: f.user.ID, Delta: -credits, Reason: models.ReasonJobMatch})
		return err
	})
}

// wantHolds compares the open holds of ada, by feature.
func (f *refundFixture) wantHolds(when string, want map[models.Reason]models.Credits) {
	f.t.Helper()
	var rows []models.Hold
	f.must(f.DB.Raw(`SELECT * FROM holds WHERE user_id = ? AND status = 'open'`, f.user.ID).Scan(&rows).Error)
	for _, h := range rows {
		if want[h.Feature] != h.Credits {
			f.t.Errorf("%s: %d credits are held for %s, want %d", when, h.Credits, h.Feature, want[h.Feature])
		}
	}
	if len(rows) != len(want) {
		f.t.Errorf("%s: %d open holds, want %d", when, len(rows), len(want))
	}
	dbtest.CheckLedger(f.t, f.DB)
}

var onlyPeriod = map[models.Reason]models.Credits{models.ReasonPeriod: 1200}

// However often the payment is reported, its credits are held once, until the moment at which the period ends. Other
// credits stay usable.
func TestCreditsAreHeldUntilThePeriodEnds(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.id = f.orderHeld("cs_2")
	f.must(f.DB.Exec(`UPDATE prices SET credits_per_unit = 5, price_in_cents = 1`).Error) // does not touch the order
	crash := errors.New("crash")
	_, err := f.BookFetched(t.Context(), paidSession("cs_2", "pi_2"),
		func(models.Tx, []models.CreditTransaction) error { return crash })
	if !errors.Is(err, crash) {
		t.Fatalf("error = %v, want the crash", err)
	}
	f.wantHolds("after a crash", nil)
	dbtest.Concurrently(20, func(int) {
		if err := f.bookFetched(paidSession("cs_2", "pi_2")); err != nil {
			t.Errorf("book: %v", err)
		}
	})
	f.wantHolds("paid", onlyPeriod)
	f.wantBalance(2400)
	d := f.detail()
	if end := purchase.PeriodEnd(d.CreatedAt); !d.Held.Until.Equal(end) || d.Held.Credits != 1200 ||
		d.Held.PurchaseNumber != d.Number {
		t.Errorf("held = %+v, want 1200 credits of purchase %d until %s", d.Held, d.Number, end)
	}
	var letter models.Letter
	f.must(f.DB.Take(&letter, "kind = ? AND key = ?", models.LetterPurchasePaid, f.id.String()).Error)
	var from time.Time
	f.must(f.DB.Raw(`SELECT CAST(args ->> 'usable_from' AS timestamptz) FROM letters WHERE id = ?`, letter.ID).
		Scan(&from).Error)
	if !from.Equal(d.Held.Until) {
		t.Errorf("the letter says usable from %s, want %s", from, d.Held.Until)
	}
	if err := f.take(1201); !fault.Is(err, fault.InsufficientCredits) {
		t.Errorf("spend of a held credit: error = %v, want insufficient credits", err)
	}
	f.must(f.take(1200))
	f.must(f.DB.Exec(`UPDATE holds SET expires_at = now()`).Error)
	f.must(postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Expire(tx, f.user.ID)
		return err
	}))
	f.must(f.take(1200))
	f.wantBalance(0)
	if err := f.useNow(); problem(err) != fault.NothingHeld {
		t.Errorf("statements after the period: error = %v, want %s", err, fault.NothingHeld)
	}
}

// What is paid once the period has ended is usable at once.
func TestNothingIsHeldAfterThePeriod(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	now := models.Now()
	for name, c := range map[string]struct {
		ordered time.Time
		held    models.Credits
	}{
		"the period ends tomorrow": {now.AddDate(0, 0, -purchase.WithdrawalDays), 1200},
		"the period has ended":     {now.AddDate(0, 0, -purchase.WithdrawalDays-1), 0},
	} {
		id := f.orderHeld("cs_" + name)
		f.must(f.DB.Exec(`UPDATE purchases SET created_at = ? WHERE id = ?`, c.ordered, id).Error)
		f.must(f.bookFetched(paidSession("cs_"+name, "pi_"+name)))
		f.id = id
		if held := f.detail().Held.Credits; held != c.held {
			t.Errorf("%s: %d credits held, want %d", name, held, c.held)
		}
	}
	dbtest.CheckLedger(t, f.DB)
}

// An order decides whether its credits are held, by the setting of its time and the statements beside it.
func TestOrdersDecideWhetherCreditsAreHeld(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	for name, c := range map[string]struct {
		setting bool
		made    *models.Consent
		holds   bool
	}{
		"the setting is off":   {false, nil, false},
		"no statement is made": {true, nil, true},
		"one is made":          {true, models.NewConsent(true, false, "de", statements, s.Now()), true},
		"both are made":        {true, models.NewConsent(true, true, "de", statements, s.Now()), false},
	} {
		s.HoldWithoutConsent = c.setting
		order := s.order(name)
		order.Consent = c.made
		started, err := s.Start(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		s.HoldWithoutConsent = !c.setting // a later change counts for later orders alone
		p, err := s.Service.Purchase(t.Context(), s.user.ID, started.PurchaseID.String())
		if err != nil || p.AwaitsConsent() != c.holds {
			t.Errorf("%s: credits are held = %v (%v), want %v", name, p.AwaitsConsent(), err, c.holds)
		}
	}
}

// Refunds and disputes take held credits of their purchase, and what comes back is held again.
func TestMoneyBackTakesHeldCredits(t *testing.T) {
	t.Parallel()
	f := newHeldFixture(t)
	dispute := func(status string, at int64) {
		t.Helper()
		f.must(f.bookFetched(purchase.Dispute{ID: "dp_2", PaymentRef: "pi_2", Currency: "eur", Status: status, Amount: 1750,
			ReportedAt: at}))
	}
	half := map[models.Reason]models.Credits{models.ReasonPeriod: 600}
	f.refunded("pi_2", 1750)
	f.wantBalance(1800)
	f.wantHolds("half refunded", half)
	dispute("needs_response", 1)
	f.wantBalance(1200)
	f.wantHolds("the rest disputed", nil)
	if err := f.useNow(); problem(err) != fault.NothingHeld {
		t.Errorf("statements while all is disputed: error = %v, want %s", err, fault.NothingHeld)
	}
	f.must(f.take(1200)) // of the other purchase
	dispute("won", 2)
	f.wantBalance(600)
	f.wantHolds("the dispute won", half)
	f.must(f.useNow())
	f.wantHolds("used now", nil)
}

// A debt takes its part of the credits; only the rest is held.
func TestDebtsAreSettledBeforeCreditsAreHeld(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.must(f.take(300))
	f.refunded("pi_1", 3500)
	f.wantBalance(-300)
	f.id = f.orderHeld("cs_2")
	f.must(f.bookFetched(paidSession("cs_2", "pi_2")))
	f.wantHolds("paid", map[models.Reason]models.Credits{models.ReasonPeriod: 900})
	f.refunded("pi_2", 1750)
	f.wantBalance(300)
	f.wantHolds("half refunded", map[models.Reason]models.Credits{models.ReasonPeriod: 300})
}

// A withdrawal takes the held credits over. Closed without a refund, it leaves them held for the rest of the period.
func TestWithdrawalWhileCreditsAreHeld(t *testing.T) {
	t.Parallel()
	f := newHeldFixture(t)
	s := &withdrawal.Service{DB: f.DB, Purchases: f.Service, Now: f.Now, Log: f.Log}
	f.must(f.take(1200)) // of the other purchase, so that only held credits are left
	preview := s.Preview(f.detail(), 0)
	if preview.Used != 0 || preview.Unused != 1200 || preview.Cents != 3500 || !preview.Full {
		t.Errorf("preview = %+v, want 3500 cents for 1200 unused credits", preview)
	}
	reserved := map[models.Reason]models.Credits{models.ReasonWithdrawal: 1200}
	w, err := s.Declare(t.Context(), withdrawal.Declaration{UserID: f.user.ID, PurchaseID: f.id.String(), Name: "Ada",
		Email: "ada@example.com", Contract: "1200 Credits", Locale: "de", Key: "w"})
	f.must(err)
	f.wantHolds("declared", reserved)
	f.must(f.DB.Take(&w, "id = ?", w.ID).Error)
	if w.UsedCredits == nil || *w.UsedCredits != 0 || w.RunningCredits != 0 {
		t.Errorf("used %v and running %d credits, want none", w.UsedCredits, w.RunningCredits)
	}
	if err := f.useNow(); problem(err) != fault.NothingHeld {
		t.Errorf("statements after the declaration: error = %v, want %s", err, fault.NothingHeld)
	}
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	f.must(s.Close(t.Context(), w.ID.String(), admin, ""))
	f.wantHolds("closed", onlyPeriod)
	f.must(s.Reopen(t.Context(), w.ID.String(), admin, ""))
	f.wantHolds("reopened", reserved)
	f.refunded("pi_2", 3500)
	f.wantBalance(0)
	f.wantHolds("refunded", nil)
}

// The hold follows its purchase to another account, also when that claims a guest's.
func TestHeldCreditsMoveWithTheirPurchase(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(f *refundFixture, owner int64) error{
		"moved":   func(f *refundFixture, owner int64) error { _, err := f.move(f.user.ID, owner); return err },
		"claimed": func(f *refundFixture, owner int64) error { _, err := f.claim(owner); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newHeldFixture(t)
			owner := dbtest.User(t, f.DB, "owner@example.com")
			until := f.detail().Held.Until
			f.must(move(f, owner.ID))
			f.wantHolds("former owner", nil)
			f.user = owner
			f.wantHolds("new owner", onlyPeriod)
			if held := f.detail().Held; !held.Until.Equal(until) {
				t.Errorf("held until %s, want %s", held.Until, until)
			}
			f.must(f.useNow())
			f.wantHolds("used now", nil)
		})
	}
}

// Sessions that were not begun here sold their credits without statements.
func TestAdoptedCreditsAreHeld(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	f.HoldWithoutConsent = true
	session := paidSession("cs_link", "pi_link")
	session.Email = "ada@example.com"
	f.must(postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		_, err := f.Book(tx, session, purchase.StripeFacts{Sold: &purchase.Sold{Known: true, Units: 1, Credits: 1200}}, "")
		return err
	}))
	f.wantHolds("paid", onlyPeriod)
	var named int64
	f.must(f.DB.Raw(`SELECT count(*) FROM letters l JOIN purchases p ON l.key = p.id::text
		WHERE p.checkout_session_id = 'cs_link' AND (args ->> 'number')::bigint = p.number AND CAST(args ->> 'ordered_at' AS timestamptz) = p.created_at`).
		Scan(&named).Error)
	if named != 1 {
		t.Errorf("%d letters name the purchase's number and time, want one", named)
	}
}
