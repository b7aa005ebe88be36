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

// begun starts a purchase and lets more than a day pass.
func (s *shop) begun(t *testing.T, key string) (purchase.Started, models.Purchase) {
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

func (s *shop) read(t *testing.T, started purchase.Started) models.Purchase {
	t.Helper()
	p, err := s.Service.Purchase(context.Background(), s.user.ID, started.PurchaseID.String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// An old form must not lead to an address at Stripe where nothing can be bought any more.
func TestStartWithAnOldForm(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx := context.Background()
	wantOver := func(t *testing.T, key string) {
		t.Helper()
		if again, err := s.Start(ctx, s.order(key)); fault.Of(err) == nil || fault.Of(err).Problem != fault.CheckoutOver || fault.Of(err).Code != fault.Invalid {
			t.Errorf("start again = %+v, %v; want to hear that this Checkout is over", again, err)
		}
	}
	t.Run("whose session expired, and the event was lost", func(t *testing.T) {
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
		if anew, err := s.Start(ctx, s.order("expired, then ordered anew")); err != nil || anew.PurchaseID == started.PurchaseID {
			t.Errorf("another key = %+v, %v; want another purchase", anew, err)
		}
	})
	t.Run("whose session was paid, and the event was lost", func(t *testing.T) {
		started, p := s.begun(t, "paid")
		s.says.Store("/v1/checkout/sessions/"+p.CheckoutSessionID, fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","status":"complete",
			"payment_status":"paid","payment_intent":{"id":"pi_1","object":"payment_intent","status":"succeeded"},"client_reference_id":%q,"currency":"eur",
			"amount_subtotal":4000,"amount_total":4000,"metadata":{"credits":"1000","purchase_id":%q}}`, p.CheckoutSessionID, p.ID, p.ID))
		again, err := s.Start(ctx, s.order("paid"))
		if want := "https://credits.example.com/de/purchase/" + p.ID.String(); err != nil || again.URL != want {
			t.Errorf("start again = %+v, %v; want the purchase's page", again, err)
		}
		if got := s.read(t, started); got.Status != models.PurchasePaid || got.CreditsGranted != 1000 {
			t.Errorf("purchase is %s with %d credits granted, want it paid and booked", got.Status, got.CreditsGranted)
		}
		dbtest.CheckLedger(t, s.db)
	})
	t.Run("whose session can be paid all the same", func(t *testing.T) {
		started, _ := s.begun(t, "open")
		if again, err := s.Start(ctx, s.order("open")); err != nil || again != started {
			t.Errorf("start again = %+v, %v; want %+v", again, err, started)
		}
	})
	t.Run("whose session Stripe does not know", func(t *testing.T) {
		_, p := s.begun(t, "unknown")
		if err := s.db.Exec(`UPDATE purchases SET checkout_session_id = 'cs_elsewhere' WHERE id = ?`, p.ID).Error; err != nil {
			t.Fatal(err)
		}
		wantOver(t, "unknown")
	})
	t.Run("while Stripe does not answer", func(t *testing.T) {
		s.begun(t, "away")
		s.down.Store(true)
		defer s.down.Store(false)
		if again, err := s.Start(ctx, s.order("away")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("start again = %+v, %v; want to be told to try again", again, err)
		}
	})
	t.Run("of which we died before Stripe's answer was kept", func(t *testing.T) { // Stripe may know a key for longer than a session lives
		_, p := s.begun(t, "died")
		if err := s.db.Exec(`UPDATE purchases SET checkout_session_id = NULL, checkout_url = '' WHERE id = ?`, p.ID).Error; err != nil {
			t.Fatal(err)
		}
		wantOver(t, "died")
	})
}
