package purchase_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

// begun starts a purchase and moves the clock on by more than a day.
func (s *sandboxFixture) begun(t *testing.T, key string) (purchase.Started, models.Purchase) {
	t.Helper()
	s.Now = models.Now
	started, err := s.Start(context.Background(), s.order(key))
	if err != nil {
		t.Fatal(err)
	}
	s.Now = func() time.Time { return models.Now().Add(checkoutDay + time.Minute) }
	return started, s.read(t, started)
}

const checkoutDay = 24 * time.Hour

func (s *sandboxFixture) read(t *testing.T, started purchase.Started) models.Purchase {
	t.Helper()
	p, err := s.Service.Purchase(context.Background(), s.user.ID, started.PurchaseID.String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A form that is sent again after a day does not lead to an expired Checkout Session.
func TestStartWithAnOldForm(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	ctx := context.Background()
	wantOver := func(t *testing.T, key string) {
		t.Helper()
		if again, err := s.Start(ctx, s.order(key)); fault.Of(err) == nil || fault.Of(err).Problem != fault.CheckoutOver ||
			fault.Of(err).Code != fault.Invalid {
			t.Errorf("start again = %+v, %v; want fault.CheckoutOver", again, err)
		}
	}
	t.Run("refuses when the session has expired and its event is lost", func(t *testing.T) {
		started, p := s.begun(t, "expired")
		if _, err := s.Stripe.CheckoutSessions.Expire(p.CheckoutSessionID, nil); err != nil {
			t.Fatal(err)
		}
		dbtest.Concurrently(20, func(int) { wantOver(t, "expired") })
		if got := s.read(t, started).Status; got != models.PurchaseExpired {
			t.Errorf("purchase is %s, want expired", got)
		}
		s.Now = models.Now
		wantOver(t, "expired")
		if other, err := s.Start(ctx, s.order("another key")); err != nil || other.PurchaseID == started.PurchaseID {
			t.Errorf("another key = %+v, %v; want another purchase", other, err)
		}
	})
	t.Run("refuses a session that ends at this moment", func(t *testing.T) {
		started, p := s.begun(t, "ends now")
		if _, err := s.Stripe.CheckoutSessions.Expire(p.CheckoutSessionID, nil); err != nil {
			t.Fatal(err)
		}
		s.Now = func() time.Time { return p.CreatedAt.Add(checkoutDay) }
		wantOver(t, "ends now")
		if got := s.read(t, started).Status; got != models.PurchaseExpired {
			t.Errorf("purchase is %s, want expired", got)
		}
		now := models.Now()
		s.Now = func() time.Time { return now }
		s.says.Store("/v1/checkout/sessions", fmt.Sprintf(`{"id":"cs_test_over","object":"checkout.session",
			"url":"https://stripe.example.com","expires_at":%d}`, now.Unix()))
		defer s.says.Delete("/v1/checkout/sessions")
		wantOver(t, "an answer that ends now")
	})
	t.Run("books the session when it has been paid and its event is lost", func(t *testing.T) {
		started, p := s.begun(t, "paid")
		s.says.Store("/v1/checkout/sessions/"+p.CheckoutSessionID,
			fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","status":"complete",
			"payment_status":"paid","payment_intent":{"id":"pi_1","object":"payment_intent","status":"succeeded"},"client_reference_id":%q,"currency":"eur",
			"amount_subtotal":4000,"amount_total":4000,"metadata":{"credits":"1000","purchase_id":%q}}`, p.CheckoutSessionID, p.ID, p.ID))
		again, err := s.Start(ctx, s.order("paid"))
		if want := "https://credits.example.com/de/purchase/" + p.ID.String(); err != nil || again.URL != want {
			t.Errorf("start again = %+v, %v; want the purchase's page", again, err)
		}
		if got := s.read(t, started); got.Status != models.PurchasePaid || got.CreditsGranted != 1000 {
			t.Errorf("purchase is %s with %d credits granted, want paid with 1000", got.Status, got.CreditsGranted)
		}
		dbtest.CheckLedger(t, s.db)
	})
	t.Run("returns the session while it can be paid", func(t *testing.T) {
		started, _ := s.begun(t, "open")
		if again, err := s.Start(ctx, s.order("open")); err != nil || again != started {
			t.Errorf("start again = %+v, %v; want %+v", again, err, started)
		}
	})
	t.Run("refuses when Stripe does not know the session", func(t *testing.T) {
		_, p := s.begun(t, "unknown")
		if err := s.db.Exec(`UPDATE purchases SET checkout_session_id = 'cs_elsewhere' WHERE id = ?`,
			p.ID).Error; err != nil {
			t.Fatal(err)
		}
		wantOver(t, "unknown")
	})
	t.Run("asks to try again while Stripe does not answer", func(t *testing.T) {
		s.begun(t, "away")
		s.down.Store(true)
		defer s.down.Store(false)
		if again, err := s.Start(ctx, s.order("away")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("start again = %+v, %v; want unavailable", again, err)
		}
	})
	// Stripe may know an idempotency key for longer than the session can be paid.
	t.Run("refuses when a crash kept the expired session from being stored", func(t *testing.T) {
		_, p := s.begun(t, "died")
		if err := s.db.Exec(`UPDATE purchases SET checkout_session_id = NULL, checkout_url = '' WHERE id = ?`,
			p.ID).Error; err != nil {
			t.Fatal(err)
		}
		wantOver(t, "died")
	})
}
