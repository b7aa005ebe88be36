package purchase_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// fakeStripe creates and lists refunds. One idempotency key creates one refund.
type fakeStripe struct {
	mu      sync.Mutex
	made    []map[string]any
	byKey   map[string]map[string]any
	calls   int    // number of requests for a refund
	hangUp  func() // makes the sender of the next request for a refund leave before it is answered
	down    bool   // answers 500 without creating a refund
	deaf    bool   // answers 500 although it has created the refund
	refuses string // answers 400 with this code
	status  string // of new refunds
	failing bool   // answers 500, stores that under the idempotency key and creates no refund
	failed  map[string]bool
	blind   bool // answers 500 to the list of refunds
}

// ServeHTTP answers like Stripe.
func (f *fakeStripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(status int, body any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	refuse := func(status int, kind, code string) {
		answer(status, map[string]any{"error": map[string]any{"type": kind, "code": code, "message": "to ada@example.com"}})
	}
	if r.URL.Path != "/v1/refunds" {
		refuse(http.StatusNotFound, "invalid_request_error", "resource_missing")
		return
	}
	if r.Method == http.MethodGet {
		if f.down || f.blind {
			w.Header().Set("Stripe-Should-Retry", "false")
			refuse(http.StatusInternalServerError, "api_error", "")
			return
		}
		answer(http.StatusOK, map[string]any{"object": "list", "has_more": false, "data": f.made})
		return
	}
	f.calls++
	if f.hangUp != nil {
		_ = r.ParseForm() // what follows ends the body
		f.hangUp()
		<-r.Context().Done()
		f.hangUp = nil
	}
	if f.down {
		refuse(http.StatusInternalServerError, "api_error", "")
		return
	}
	if f.refuses != "" {
		refuse(http.StatusBadRequest, "invalid_request_error", f.refuses)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if f.failing && f.byKey[key] == nil || f.failed[key] {
		if f.failed[key] {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		f.failed[key] = true
		w.Header().Set("Stripe-Should-Retry", "false")
		refuse(http.StatusInternalServerError, "api_error", "")
		return
	}
	if f.byKey[key] == nil {
		var amount int64
		_, _ = fmt.Sscan(r.FormValue("amount"), &amount)
		f.byKey[key] = map[string]any{"id": fmt.Sprintf("re_%d", len(f.made)+1), "object": "refund", "amount": amount,
			"currency": "eur", "status": f.status,
			"payment_intent": r.FormValue("payment_intent"), "charge": "ch_1",
			"metadata": map[string]string{"refund_request": r.FormValue("metadata[refund_request]")}}
		f.made = append(f.made, f.byKey[key])
	}
	if f.deaf {
		refuse(http.StatusInternalServerError, "api_error", "")
		return
	}
	answer(http.StatusOK, f.byKey[key])
}

// change runs fn under the lock of the server.
func (f *fakeStripe) change(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

// refundFixture is the service on fakeStripe, with 1200 credits that ada bought for €35.00.
type refundFixture struct {
	*purchase.Service
	*fakeStripe
	t     *testing.T
	user  models.User
	id    uuid.UUID
	clock time.Time
}

func newRefundFixture(t *testing.T) *refundFixture {
	t.Helper()
	fake := &fakeStripe{byKey: map[string]map[string]any{}, failed: map[string]bool{}, status: "succeeded"}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	f := &refundFixture{t: t, fakeStripe: fake, clock: models.Now()}
	f.Service = &purchase.Service{DB: dbtest.New(t), Stripe: stripeapi.New(testKey, server.URL),
		Now: func() time.Time { return f.clock }, Log: slog.New(slog.DiscardHandler)}
	f.user = dbtest.User(t, f.DB, "ada@example.com")
	f.must(
		f.DB.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).
			Error)
	f.id = f.buy("pi_1")
	return f
}

func (f *refundFixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// bookFetched books a report as if Stripe's API had answered it.
func (f *refundFixture) bookFetched(r purchase.Report) error {
	_, err := f.BookFetched(context.Background(), r, nil)
	return err
}

// order inserts a pending purchase.
func (f *refundFixture) order(session string) uuid.UUID {
	f.t.Helper()
	id := uuid.Must(uuid.NewV7())
	f.must(
		f.DB.Exec(
			`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', ?, ?)`, id, f.user.ID, id.String(), session).Error)
	return id
}

// buy inserts a purchase and books its payment.
func (f *refundFixture) buy(payment string) uuid.UUID {
	f.t.Helper()
	session := "cs_" + payment
	id := f.order(session)
	f.must(f.bookFetched(purchase.Checkout{ID: session, PaymentStatus: "paid", PaymentIntent: payment, Currency: "eur",
		Subtotal: 3500,
		Paid:     3500, PaidCurrency: "eur"}))
	return id
}

// spend takes credits from ada, like a feature.
func (f *refundFixture) spend(credits int64) {
	f.t.Helper()
	f.must(
		f.DB.Exec(
			`WITH spent AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) VALUES (@user, 0 - @credits, 'resume_analysis') RETURNING 1)
		UPDATE users SET credits_balance = credits_balance - @credits WHERE id = @user`, map[string]any{"user": f.user.ID, "credits": credits}).Error)
}

// request stores a refund request, like an admin's form.
func (f *refundFixture) request(cents, seen models.Cents, key string) (models.RefundRequest, error) {
	var request models.RefundRequest
	err := postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) (err error) {
		request, _, _, err = purchase.RequestRefund(tx, purchase.RefundOrder{PurchaseID: f.id, Cents: cents, Seen: seen,
			Note: "asked for", Key: key}, f.clock)
		return err
	})
	return request, err
}

// refund stores a refund request and sends it.
func (f *refundFixture) refund(cents, seen models.Cents, key string) models.RefundRequest {
	f.t.Helper()
	request, err := f.request(cents, seen, key)
	f.must(err)
	request, err = f.SendRefund(context.Background(), request)
	f.must(err)
	return request
}

func (f *refundFixture) detail() purchase.Detail {
	f.t.Helper()
	d, err := f.Detail(context.Background(), f.id.String())
	f.must(err)
	return d
}

func (f *refundFixture) wantBalance(want models.Credits) {
	f.t.Helper()
	var user models.User
	f.must(f.DB.Take(&user, f.user.ID).Error)
	if user.CreditsBalance != want {
		f.t.Errorf("balance = %d credits, want %d", user.CreditsBalance, want)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

// wantRefunds compares the number of refunds at Stripe.
func (f *refundFixture) wantRefunds(want int) {
	f.t.Helper()
	f.change(func() {
		if len(f.made) != want {
			f.t.Errorf("Stripe made %d refunds, want %d", len(f.made), want)
		}
	})
}
