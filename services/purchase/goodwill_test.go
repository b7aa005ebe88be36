package purchase_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// newGoodwillFixture is a shop that refunds for 30 days what is unused at least by half, 20 days after the purchase.
func newGoodwillFixture(t *testing.T) *refundFixture {
	t.Helper()
	f := newRefundFixture(t)
	f.Goodwill = purchase.Goodwill{Days: 30, Percent: 50}
	f.clock = f.clock.AddDate(0, 0, 20)
	return f
}

// offer returns what the buyer's page offers.
func (f *refundFixture) offer() models.RefundOffer {
	f.t.Helper()
	page, err := f.BuyerPage(context.Background(), f.user.ID, f.id.String())
	f.must(err)
	return page.Offer
}

// ask sends the buyer's form.
func (f *refundFixture) ask(seen models.RefundOffer, key string) (models.RefundRequest, error) {
	return f.RefundUnused(context.Background(), purchase.GoodwillOrder{UserID: f.user.ID, PurchaseID: f.id.String(),
		Seen: seen, Key: key})
}

// use takes ten credits for a feature, as far as they can be spent.
func (f *refundFixture) use() error {
	return postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: f.user.ID, Delta: -10, Reason: models.ReasonResumeAnalysis})
		return err
	})
}

func (f *refundFixture) wantHeld(when string, want models.Credits) {
	f.t.Helper()
	var user models.User
	f.must(f.DB.Take(&user, f.user.ID).Error)
	if user.CreditsHeld != want {
		f.t.Errorf("%s: %d credits held, want %d", when, user.CreditsHeld, want)
	}
}

func TestUnusedCreditsAreRefundedOnRequest(t *testing.T) {
	t.Parallel()
	f := newGoodwillFixture(t)
	f.spend(600) // exactly half
	offer := f.offer()
	if want := (models.RefundOffer{Credits: 600, Cents: 1750}); offer != want {
		t.Fatalf("offer = %+v, want %+v", offer, want)
	}
	request, err := f.ask(offer, "form")
	if err != nil || request.Status != models.RefundSent || request.AmountCents != 1750 {
		t.Fatalf("request = %s over %d cents, %v; want sent, 1750", request.Status, request.AmountCents, err)
	}
	again, err := f.ask(offer, "form")
	if err != nil || again.ID != request.ID {
		t.Errorf("the form sent again = request %s, %v; want %s", again.ID, err, request.ID)
	}
	f.wantRefunds(1)
	f.wantBalance(0)
	f.wantHeld("refunded", 0)
	if offer := f.offer(); offer != (models.RefundOffer{}) {
		t.Errorf("offer after the refund = %+v, want none", offer)
	}
	var audited int64
	f.must(f.DB.Raw(`SELECT count(*) FROM audit_log WHERE action = 'purchase.refund' AND user_id = ?`, f.user.ID).
		Scan(&audited).Error)
	if audited != 1 {
		t.Errorf("%d audit entries, want 1", audited)
	}
}

func TestNoRefundIsOffered(t *testing.T) {
	t.Parallel()
	withdraw := `INSERT INTO withdrawals (id, idempotency_key, user_id, purchase_id, name, email, contract, locale, received_at, fold, sender)
		SELECT gen_random_uuid(), 'w', user_id, id, 'Ada', 'ada@example.com', '1200', 'de', now(), '', '' FROM purchases`
	for name, change := range map[string]func(f *refundFixture){
		"when it is off":                   func(f *refundFixture) { f.Goodwill = purchase.Goodwill{Percent: 1} },
		"within the withdrawal period":     func(f *refundFixture) { f.clock = f.clock.AddDate(0, 0, -10) },
		"after the last day":               func(f *refundFixture) { f.clock = f.clock.AddDate(0, 0, 10) },
		"when more than half is used":      func(f *refundFixture) { f.spend(601) },
		"when all is refunded":             func(f *refundFixture) { f.refund(3500, 0, "admin") },
		"while another refund is pending":  func(f *refundFixture) { _, err := f.request(100, 0, "admin"); f.must(err) },
		"while a dispute is open":          func(f *refundFixture) { f.dispute("needs_response") },
		"after a lost dispute":             func(f *refundFixture) { f.dispute("lost") },
		"while a withdrawal is open":       func(f *refundFixture) { f.must(f.DB.Exec(withdraw).Error) },
		"for a purchase that is not paid":  func(f *refundFixture) { f.id = f.order("cs_open") },
		"while the credits are held":       func(f *refundFixture) { f.reserve(1200) },
		"once Stripe has refused a refund": func(f *refundFixture) { f.refuse(); f.refund(100, 0, "admin") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newGoodwillFixture(t)
			seen := f.offer()
			change(f)
			if offer := f.offer(); offer != (models.RefundOffer{}) {
				t.Errorf("offer = %+v, want none", offer)
			}
			made := len(f.made)
			if _, err := f.ask(seen, "form"); problem(err) != fault.GoodwillOver {
				t.Errorf("request: error = %v, want %s", err, fault.GoodwillOver)
			}
			f.wantRefunds(made)
		})
	}
}

// dispute books a dispute over all of the payment.
func (f *refundFixture) dispute(status string) {
	f.t.Helper()
	f.must(f.bookFetched(purchase.Dispute{ID: "dp_1", PaymentRef: "pi_1", Amount: 3500, Currency: "eur", Status: status}))
}

// reserve holds credits of ada for a feature.
func (f *refundFixture) reserve(credits models.Credits) {
	f.t.Helper()
	op := &ledger.HoldOp{ID: uuid.Must(uuid.NewV7()), UserID: f.user.ID, Feature: models.ReasonJobMatch, Credits: credits,
		TTL: time.Hour}
	f.must(postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error { return ledger.Apply(tx, op) }))
	f.must(op.Err())
}

func (f *refundFixture) refuse() { f.change(func() { f.refuses = "charge_already_refunded" }) }

func TestRefusedRequestsForUnusedCredits(t *testing.T) {
	t.Parallel()
	f := newGoodwillFixture(t)
	offer := f.offer()
	bob := dbtest.User(t, f.DB, "bob@example.com")
	for name, c := range map[string]struct {
		order purchase.GoodwillOrder
		code  fault.Code
	}{
		"of another user's purchase": {purchase.GoodwillOrder{UserID: bob.ID, PurchaseID: f.id.String(), Seen: offer, Key: "k"},
			fault.NotFound},
		"of an unknown purchase": {purchase.GoodwillOrder{UserID: f.user.ID, PurchaseID: uuid.NewString(), Seen: offer,
			Key: "k"}, fault.NotFound},
		"of another amount": {purchase.GoodwillOrder{UserID: f.user.ID, PurchaseID: f.id.String(),
			Seen: models.RefundOffer{Credits: 1, Cents: 3500}, Key: "k"}, fault.Conflict},
		"without a key": {purchase.GoodwillOrder{UserID: f.user.ID, PurchaseID: f.id.String(), Seen: offer}, fault.Malformed},
	} {
		if _, err := f.RefundUnused(context.Background(), c.order); !fault.Is(err, c.code) {
			t.Errorf("request %s: error = %v, want %s", name, err, c.code)
		}
	}
	f.wantRefunds(0)
	f.wantHeld("refused", 0)
}

// Twenty forms at once, and spends beside them: each credit is spent, or refunded, and none both.
func TestTwentyRequestsForUnusedCredits(t *testing.T) {
	t.Parallel()
	t.Run("make one refund", func(t *testing.T) {
		t.Parallel()
		f := newGoodwillFixture(t)
		offer := f.offer()
		var sent atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			_, err := f.ask(offer, fmt.Sprint("form ", i%10)) // ten forms, each pressed twice
			if err == nil {
				sent.Add(1)
			} else if problem(err) != fault.GoodwillOver {
				t.Errorf("request: %v", err)
			}
		})
		if n := sent.Load(); n != 2 {
			t.Errorf("%d requests succeeded, want the two of one form", n)
		}
		f.wantRefunds(1)
		f.wantBalance(0)
		f.wantHeld("after all", 0)
	})
	t.Run("race with spends", func(t *testing.T) {
		t.Parallel()
		f := newGoodwillFixture(t)
		var spent atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 0 {
				if err := f.use(); err == nil {
					spent.Add(10)
				} else if !fault.Is(err, fault.InsufficientCredits) {
					t.Errorf("spend: %v", err)
				}
				return
			}
			page, err := f.BuyerPage(context.Background(), f.user.ID, f.id.String())
			if err == nil {
				_, err = f.ask(page.Offer, fmt.Sprint("form ", i))
			}
			if err != nil && !fault.Is(err, fault.Conflict) {
				t.Errorf("request: %v", err)
			}
		})
		if offer := f.offer(); offer != (models.RefundOffer{}) { // every form saw an older amount
			_, err := f.ask(offer, "last")
			f.must(err)
		}
		f.wantRefunds(1)
		f.wantHeld("after all", 0)
		refunded := f.detail().CreditsRefunded
		f.wantBalance(1200 - models.Credits(spent.Load()) - refunded)
		if left := 1200 - models.Credits(spent.Load()) - refunded; left < 0 {
			t.Errorf("%d credits were spent and refunded", -left)
		}
	})
}

func TestUnusedCreditsWhileStripeIsAway(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newGoodwillFixture(t)
	f.spend(200)
	f.change(func() { f.down = true })
	request, err := f.ask(f.offer(), "form")
	if err != nil || request.Status != models.RefundPending {
		t.Fatalf("request = %s, %v; want pending", request.Status, err)
	}
	f.wantHeld("pending", 1000)
	f.wantBalance(1000)
	if err := f.use(); !fault.Is(err, fault.InsufficientCredits) {
		t.Errorf("spend of held credits: error = %v, want insufficient credits", err)
	}
	if d := f.detail(); len(d.WaitingFor) != 1 || d.WaitingFor[0] != purchase.WaitRefundSend {
		t.Errorf("the purchase waits for %v, want refund_send", d.WaitingFor)
	}
	err = postgres.Transaction(ctx, f.DB, func(tx models.Tx) error {
		_, err := purchase.Move(tx, purchase.MoveOrder{PurchaseID: f.id, From: f.user.ID,
			To: dbtest.User(t, f.DB, "bob@example.com").ID, ActorID: f.user.ID})
		return err
	})
	if problem(err) != fault.DecidedOtherwise {
		t.Errorf("move of a purchase whose refund is pending: error = %v, want %s", err, fault.DecidedOtherwise)
	}
	f.change(func() { f.down = false })
	f.clock = f.clock.Add(2 * time.Minute)
	dbtest.Concurrently(20, func(int) {
		if err := f.SendRefundsDue(ctx); err != nil {
			t.Errorf("send: %v", err)
		}
	})
	f.wantRefunds(1)
	f.wantBalance(0)
	f.wantHeld("sent", 0)
}

// A server of an earlier release may send the refund while it is being replaced. It knows nothing of the hold.
func TestHoldsOfRefundsThatAnEarlierReleaseSent(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newGoodwillFixture(t)
	f.change(func() { f.down = true })
	request, err := f.ask(f.offer(), "form")
	f.must(err)
	f.must(f.EndStaleHolds(ctx))
	f.wantHeld("pending", 1200)
	f.change(func() { f.down = false })
	earlier := request
	earlier.HoldID = nil
	if _, err := f.SendRefund(ctx, earlier); err != nil {
		t.Fatal(err)
	}
	f.wantHeld("sent by an earlier release", 1200)
	dbtest.Concurrently(20, func(int) {
		if err := f.EndStaleHolds(ctx); err != nil {
			t.Errorf("end holds: %v", err)
		}
	})
	f.wantHeld("in the end", 0)
	f.wantBalance(0)
}

func TestStripeRefusesToRefundUnusedCredits(t *testing.T) {
	t.Parallel()
	f := newGoodwillFixture(t)
	f.refuse()
	request, err := f.ask(f.offer(), "form")
	if err != nil || request.Status != models.RefundRefused {
		t.Fatalf("request = %s, %v; want refused", request.Status, err)
	}
	f.wantHeld("refused", 0)
	f.wantBalance(1200)
	if err := f.use(); err != nil {
		t.Errorf("spend after the refusal: %v", err)
	}
}

// Stripe's event may be booked before Stripe's answer is.
func TestUnusedCreditsWhoseRefundIsReportedFirst(t *testing.T) {
	t.Parallel()
	f := newGoodwillFixture(t)
	f.change(func() { f.deaf, f.blind = true, true })
	request, err := f.ask(f.offer(), "form")
	if err != nil || request.Status != models.RefundPending {
		t.Fatalf("request = %s, %v; want pending", request.Status, err)
	}
	f.must(f.bookFetched(purchase.Refund{ID: "re_1", PaymentRef: "pi_1", Amount: 3500, Currency: "eur",
		Status: "succeeded"}))
	f.wantBalance(0)
	f.change(func() { f.deaf, f.blind = false, false })
	f.clock = f.clock.Add(2 * time.Minute)
	f.must(f.SendRefundsDue(context.Background()))
	f.wantRefunds(1)
	f.wantBalance(0)
	f.wantHeld("answered", 0)
}
