package account_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// deletionFixture is a user who wants to delete the account. She bought 100 credits for €5.00 twice, 40 and 3 days ago,
// and has used 50.
type deletionFixture struct {
	*account.Service
	t      *testing.T
	user   models.User
	clock  time.Time
	stripe *refunds
}

// refunds is a Stripe that makes refunds, one for each idempotency key.
type refunds struct {
	mu    sync.Mutex
	cents map[string]string // by idempotency key
	down  bool
}

// ServeHTTP answers like Stripe.
func (s *refunds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Stripe-Should-Retry", "false")
	switch key := r.Header.Get("Idempotency-Key"); {
	case s.down:
		http.Error(w, `{"error":{"type":"api_error","message":"away"}}`, http.StatusInternalServerError)
	case r.Method == http.MethodPost:
		s.cents[key] = r.FormValue("amount")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": "re_" + key, "object": "refund", "currency": "eur",
			"amount": json.Number(r.FormValue("amount")), "status": "succeeded", "payment_intent": r.FormValue("payment_intent")})
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": []any{}})
	}
}

func newDeletionFixture(t *testing.T) *deletionFixture {
	t.Helper()
	stripe := &refunds{cents: map[string]string{}}
	server := httptest.NewServer(stripe)
	t.Cleanup(server.Close)
	db, quiet := dbtest.New(t), slog.New(slog.DiscardHandler)
	f := &deletionFixture{t: t, user: dbtest.User(t, db, "ada@example.com"), clock: models.Now(), stripe: stripe}
	now := func() time.Time { return f.clock }
	buy := &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789abcdef", server.URL), Now: now, Log: quiet,
		Goodwill: purchase.Goodwill{Days: 60, Percent: 50}}
	f.Service = &account.Service{DB: db, Purchase: buy, Now: now, Log: quiet,
		Withdrawal: &withdrawal.Service{DB: db, Purchases: buy, Automatic: true, Now: now, Log: quiet}}
	f.exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_100', 100, 500)`)
	for _, days := range []int{40, 3} {
		id := uuid.Must(uuid.NewV7())
		f.exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
				idempotency_key, status, payment_intent_id, paid_at, paid_cents, paid_currency, credits_granted, created_at)
			VALUES (@id, @user, 'price_100', 1, 100, 500, 'eur', 'de', @key, 'paid', @payment, @at, 500, 'eur', 100, @at)`,
			map[string]any{"id": id, "user": f.user.ID, "key": id.String(), "payment": fmt.Sprint("pi_", days),
				"at": f.clock.AddDate(0, 0, -days)})
		f.post(100, models.ReasonPurchase)
	}
	f.post(-50, models.ReasonResumeAnalysis)
	return f
}

func (f *deletionFixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *deletionFixture) exec(query string, args ...any) {
	f.t.Helper()
	f.must(f.DB.Exec(query, args...).Error)
}

func (f *deletionFixture) post(delta models.Credits, reason models.Reason) {
	f.t.Helper()
	f.must(postgres.Transaction(f.t.Context(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: f.user.ID, Delta: delta, Reason: reason})
		return err
	}))
}

// offers returns what the deletion page offers.
func (f *deletionFixture) offers() (all []models.RefundOffer) {
	f.t.Helper()
	preview, err := f.PreviewDeletion(f.t.Context(), f.user.ID)
	f.must(err)
	for _, r := range preview.Refunds {
		all = append(all, r.Offer)
	}
	return all
}

func (f *deletionFixture) refund(seen []models.RefundOffer) error {
	return f.Refund(f.t.Context(), account.RefundOrder{UserID: f.user.ID, Seen: seen, Locale: "de", Sender: "user:1",
		Contract: func(p models.Purchase) string { return "Kauf " + p.ID.String() }})
}

// work runs what sends the refunds.
func (f *deletionFixture) work() {
	f.t.Helper()
	f.clock = f.clock.Add(2 * time.Minute)
	for _, job := range []error{f.Withdrawal.RefundDue(f.t.Context()), f.Purchase.SendRefundsDue(f.t.Context()),
		f.Withdrawal.CloseRefunded(f.t.Context()), f.EraseDue(f.t.Context())} {
		f.must(job)
	}
}

func (f *deletionFixture) wantCredits(when string, balance, held models.Credits) {
	f.t.Helper()
	var u models.User
	f.must(f.DB.Take(&u, f.user.ID).Error)
	if u.CreditsBalance != balance || u.CreditsHeld != held {
		f.t.Errorf("%s: balance %d with %d held, want %d with %d credits", when, u.CreditsBalance, u.CreditsHeld, balance,
			held)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

// wantRefunds compares the refunds at Stripe, in cents.
func (f *deletionFixture) wantRefunds(when string, cents ...string) {
	f.t.Helper()
	f.stripe.mu.Lock()
	defer f.stripe.mu.Unlock()
	var made []string
	for _, amount := range f.stripe.cents {
		made = append(made, amount)
	}
	if slices.Sort(made); !slices.Equal(made, cents) {
		f.t.Errorf("%s: Stripe made refunds of %v cents, want %v", when, made, cents)
	}
}

// Credits that are held until a withdrawal period ends are refunded before a deletion like others, and lapse with it
// otherwise. They are no work in progress.
func TestDeletionWhileCreditsAreHeld(t *testing.T) {
	t.Parallel()
	for _, refunded := range []bool{true, false} {
		f := newDeletionFixture(t)
		f.exec(`UPDATE purchases SET holds_credits = true WHERE payment_intent_id = 'pi_3'`)
		f.must(postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
			var p models.Purchase
			f.must(tx.Take(&p, "payment_intent_id = 'pi_3'").Error)
			return purchase.HoldPeriod(tx, p, p.CreditsLeft())
		}))
		f.wantCredits("held", 150, 100)
		preview, err := f.PreviewDeletion(t.Context(), f.user.ID)
		f.must(err)
		if preview.Balance != 150 || preview.Holds != 0 || preview.Held != 0 {
			t.Errorf("preview = %+v, want a balance of 150 credits and no work", preview)
		}
		offers := f.offers()
		if want := []models.RefundOffer{{Credits: 100, Cents: 500}, {Credits: 50, Cents: 250}}; !slices.Equal(offers, want) {
			t.Errorf("offers = %+v, want %+v", offers, want)
		}
		if refunded {
			f.must(f.refund(offers))
			f.wantCredits("requested", 150, 150)
		}
		f.must(f.Delete(t.Context(), f.user.ID))
		f.work()
		f.wantCredits(fmt.Sprintf("deleted, refunded %t", refunded), 0, 0)
		if refunded {
			f.wantRefunds("deleted", "250", "500")
		} else {
			f.wantRefunds("deleted")
		}
	}
}

// The newer purchase is withdrawn from and refunded in full, because its buyer did not consent to pay for use. The
// older one is refunded as goodwill. Neither waits for Stripe, and the deletion takes nothing that is refunded later.
func TestRefundBeforeDeletion(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	f.stripe.down = true
	offers := f.offers()
	if want := []models.RefundOffer{{Credits: 100, Cents: 500}, {Credits: 50, Cents: 250}}; !slices.Equal(offers, want) {
		t.Fatalf("offers = %v, want %v", offers, want)
	}
	f.must(f.refund(offers))
	f.wantCredits("requested", 150, 150)
	f.must(f.Delete(t.Context(), f.user.ID))
	f.wantCredits("deleted", 150, 0)
	f.work()
	f.wantRefunds("while Stripe is away")
	f.wantCredits("while Stripe is away", 150, 0)
	f.stripe.mu.Lock()
	f.stripe.down = false
	f.stripe.mu.Unlock()
	for range 3 {
		f.work()
	}
	f.wantRefunds("after the deletion", "250", "500")
	f.wantCredits("after the deletion", 0, 0)
	var letters []struct{ Kind, Recipient, Args string }
	f.must(f.DB.Raw(`SELECT kind, recipient, args::text FROM letters WHERE recipient <> '' ORDER BY kind`).Scan(&letters).Error)
	if len(letters) != 3 || letters[0].Kind != "account_deleted" || letters[2].Kind != "withdrawal_refunded" {
		t.Errorf("letters = %v, want those about the deletion, the declaration and its refund", letters)
	}
	var holds, texts int64
	f.must(f.DB.Raw(`SELECT count(*) FROM holds`).Scan(&holds).Error)
	f.must(f.DB.Raw(`SELECT count(*) FROM withdrawals WHERE email <> '' OR handled_at IS NULL`).Scan(&texts).Error)
	if holds != 0 || texts != 0 {
		t.Errorf("%d holds and %d withdrawals are not erased, want none", holds, texts)
	}
}

func TestDeletionWithoutRefund(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	f.must(f.Delete(t.Context(), f.user.ID))
	f.work()
	f.wantCredits("deleted", 0, 0)
	f.wantRefunds("deleted")
}

func TestRefusedRefundBeforeDeletion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(f *deletionFixture)
		want   fault.Problem
	}{
		"after a spend":      {func(f *deletionFixture) { f.post(-10, models.ReasonJobMatch) }, fault.GoodwillChanged},
		"after a correction": {func(f *deletionFixture) { f.post(-120, models.ReasonManual) }, fault.GoodwillChanged},
		"while a dispute is open": {func(f *deletionFixture) {
			f.exec(`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status) VALUES ('dp_1', 'pi_3', 500, 'eur', 'needs_response')`)
		}, fault.DeletionDispute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newDeletionFixture(t)
			seen := f.offers()
			c.change(f)
			if got := fault.Of(f.refund(seen)); got == nil || got.Problem != c.want {
				t.Errorf("refund: error = %v, want %s", got, c.want)
			}
			var requested int64
			f.must(f.DB.Raw(`SELECT (SELECT count(*) FROM refund_requests) + (SELECT count(*) FROM withdrawals)`).
				Scan(&requested).Error)
			if requested != 0 {
				t.Errorf("%d refunds were requested, want none", requested)
			}
		})
	}
}

// Twenty forms at once refund each purchase once and delete the account once.
func TestTwentyRefundsBeforeDeletion(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	offers := f.offers()
	dbtest.Concurrently(20, func(int) {
		err := f.refund(offers)
		if err == nil {
			err = f.Delete(t.Context(), f.user.ID)
		}
		if err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("refund and delete: %v", err)
		}
	})
	if err := f.Delete(t.Context(), f.user.ID); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.work()
	}
	f.wantRefunds("after all", "250", "500")
	f.wantCredits("after all", 0, 0)
}

// An admin may close the withdrawal of a deleted account without a refund, and undo that. Its credits then lapse like
// all others for which no refund is due.
func TestClosedWithdrawalOfADeletedAccount(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	f.Withdrawal.Automatic = false
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	f.must(f.refund(f.offers()))
	f.must(f.Delete(t.Context(), f.user.ID))
	f.must(f.Purchase.SendRefundsDue(t.Context())) // not due yet
	var id string
	f.must(f.DB.Raw(`SELECT id::text FROM withdrawals`).Scan(&id).Error)
	dbtest.Concurrently(20, func(int) {
		if err := f.Withdrawal.Close(t.Context(), id, admin, "req_1"); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	f.wantCredits("closed, and the older purchase is still to be refunded", 50, 0)
	dbtest.Concurrently(20, func(int) {
		if err := f.Withdrawal.Reopen(t.Context(), id, admin, "req_2"); err != nil {
			t.Errorf("reopen: %v", err)
		}
	})
	f.wantCredits("opened again", 150, 0)
	f.must(f.Withdrawal.Close(t.Context(), id, admin, "req_3"))
	f.must(f.Withdrawal.Reopen(t.Context(), id, admin, "req_4"))
	f.must(f.Withdrawal.Refund(t.Context(), id, 500, admin, "req_5"))
	for range 2 {
		f.work()
	}
	f.wantRefunds("in the end", "250", "500")
	f.wantCredits("in the end", 0, 0)
}
