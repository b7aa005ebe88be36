package webhook

import (
	"context"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func TestCatchUp(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("books a paid session once, and its late event nothing more", func(t *testing.T) {
		s := newShop(t)
		s.Purchase.RefreshSession(ctx, "cs_1")
		s.Purchase.RefreshSession(ctx, "cs_1")
		s.wantBalance(1200)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(refunded("evt_2", 3500))
		s.Purchase.RefreshSession(ctx, "cs_1") // a look back gives nothing back
		s.wantBalance(0)
	})
	t.Run("knows a refund that came first", func(t *testing.T) {
		s := newShop(t)
		s.deliver(refunded("evt_1", 1000))
		s.Purchase.RefreshSession(ctx, "cs_1")
		s.wantBalance(1200 - 342)
	})
	t.Run("books nothing for an open, an unknown or an unanswered session", func(t *testing.T) {
		for _, session := range []string{"cs_open", "cs_nobody", "cs_down"} {
			s := newShop(t)
			s.must(s.DB.Exec(`UPDATE purchases SET checkout_session_id = ?`, session).Error)
			s.Purchase.RefreshSession(ctx, session)
			s.wantBalance(0)
			if got := s.purchaseStatus(); got != models.PurchasePending {
				t.Errorf("%s: purchase is %s, want pending", session, got)
			}
		}
	})
	t.Run("twenty looks and events at once", func(t *testing.T) {
		s := newShop(t)
		payload := s.completed("evt_1", "cs_1", "paid")
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 0 {
				s.Purchase.RefreshSession(ctx, "cs_1")
				return
			}
			if err := s.Receive(ctx, []byte(payload), sign(payload, testSecret, s.clock)); err != nil {
				t.Errorf("receive: %v", err)
			}
		})
		s.wantBalance(1200)
	})
}
