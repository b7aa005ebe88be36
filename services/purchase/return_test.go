package purchase_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// The page to which Stripe sends the buyer back says how the purchase stands.
func TestReturned(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	const nothing models.ReturnKind = ""
	for name, c := range map[string]struct {
		status models.PurchaseStatus
		change string
		poll   int
		want   models.ReturnKind
	}{
		"before the event":         {models.PurchasePending, "", 2, models.ReturnProcessing},
		"before the event, asked":  {models.PurchasePending, "", 1, models.ReturnProcessing}, // Stripe does not know it
		"at the last but one poll": {models.PurchasePending, "", 29, models.ReturnProcessing},
		"at the last poll":         {models.PurchasePending, "", 30, models.ReturnWaiting},
		"while the bank decides":   {models.PurchaseAwaitingPayment, "", 2, models.ReturnWaiting},
		"failed":                   {models.PurchaseFailed, "", 2, models.ReturnFailed},
		"expired":                  {models.PurchaseExpired, "", 2, models.ReturnFailed},
		"booked":                   {models.PurchasePaid, "credits_granted = 1200, paid_at = now()", 2, models.ReturnBooked},
		"booked and all returned": {models.PurchasePaid, "credits_granted = 1200, credits_refunded = 1200, paid_at = now()",
			2, nothing},
		"returned before it was due": {models.PurchaseReturned, "paid_at = now()", 2, nothing},
	} {
		id, session := f.inState(c.status)
		if c.change != "" {
			f.must(f.DB.Exec(`UPDATE purchases SET `+c.change+` WHERE id = ?`, id).Error)
		}
		state, err := f.Returned(t.Context(), f.user.ID, session, c.poll)
		got := nothing
		if state != nil {
			got = state.Kind
		}
		if err != nil || got != c.want || state != nil && state.Purchase.ID != id {
			t.Errorf("%s: %q, error %v; want %q", name, got, err, c.want)
		}
	}
	if _, err := f.Returned(t.Context(), f.user.ID, "cs_unknown", 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown session: error = %v, want not found", err)
	}
	stranger := dbtest.User(t, f.DB, "eve@example.com").ID
	if state, err := f.Returned(t.Context(), stranger, "cs_pi_1", 1); err != nil || state.Kind != models.ReturnElsewhere {
		t.Errorf("another user's session: %+v, %v; want %s", state, err, models.ReturnElsewhere)
	}
	for poll, want := range map[int]bool{0: false, 1: true, 2: false, 5: false, 6: true, 11: true} {
		if got := purchase.RefreshDue(poll); got != want {
			t.Errorf("poll %d asks Stripe: %v, want %v", poll, got, want)
		}
	}
}

// Where the event is late, the first poll asks Stripe and books the payment.
func TestReturnedBeforeTheEvent(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	id, session := f.inState(models.PurchasePending)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"id":%q,"object":"checkout.session","mode":"payment","status":"complete","payment_status":"paid",
			"payment_intent":{"id":"pi_2","object":"payment_intent","status":"succeeded"},"currency":"eur","amount_subtotal":3500,
			"amount_total":3500,"metadata":{"credits":"1200","purchase_id":%q}}`, session, id)
	}))
	t.Cleanup(server.Close)
	f.Stripe = stripeapi.New(testKey, server.URL)
	dbtest.Concurrently(20, func(int) {
		state, err := f.Returned(t.Context(), f.user.ID, session, 1)
		if err != nil || state.Kind != models.ReturnBooked {
			t.Errorf("%+v, %v; want %s", state, err, models.ReturnBooked)
		}
	})
	f.wantBalance(2400)
}

// A buyer who returns without paying can pay for ten minutes less than Checkout lasts.
func TestCanceled(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	if state, err := f.Canceled(t.Context(), dbtest.User(t, f.DB, "eve@example.com").ID); err != nil ||
		state.Kind != models.ReturnCanceled || state.PayURL != "" {
		t.Errorf("without a purchase: %+v, %v; want nothing to pay", state, err)
	}
	id, _ := f.inState(models.PurchasePending)
	f.must(f.DB.Exec(`UPDATE purchases SET checkout_url = 'https://pay.example', return_url = 'https://app.example' WHERE id = ?`,
		id).Error)
	created := f.standing(id).CreatedAt
	for age, want := range map[time.Duration]string{
		time.Minute: "https://pay.example", 24*time.Hour - 10*time.Minute: "https://pay.example",
		24*time.Hour - 10*time.Minute + time.Second: "",
	} {
		f.clock = created.Add(age)
		state, err := f.Canceled(t.Context(), f.user.ID)
		if err != nil || state.Kind != models.ReturnCanceled || state.PayURL != want || state.Onward != "https://app.example" {
			t.Errorf("after %s: %+v, %v; want %q to pay", age, state, err, want)
		}
	}
	f.clock = created
	f.must(f.DB.Exec(`UPDATE purchases SET status = 'failed' WHERE id = ?`, id).Error)
	if state, err := f.Canceled(t.Context(), f.user.ID); err != nil || state.PayURL != "" {
		t.Errorf("a failed purchase: %+v, %v; want nothing to pay", state, err)
	}
}
