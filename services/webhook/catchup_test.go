package webhook

import (
	"context"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func TestRefreshSession(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("books a paid session once, before its late event", func(t *testing.T) {
		s := newFixture(t)
		s.Purchase.RefreshSession(ctx, "cs_1")
		s.Purchase.RefreshSession(ctx, "cs_1")
		s.wantBalance(1200)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(refunded("evt_2", 3500))
		s.Purchase.RefreshSession(ctx, "cs_1") // does not restore the refunded credits
		s.wantBalance(0)
	})
	t.Run("books a refund that came first", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(refunded("evt_1", 1000))
		s.Purchase.RefreshSession(ctx, "cs_1")
		s.wantBalance(1200 - 342)
	})
	t.Run("books nothing for an open, unknown or unavailable session", func(t *testing.T) {
		for _, session := range []string{"cs_open", "cs_unknown", "cs_down"} {
			s := newFixture(t)
			s.must(s.DB.Exec(`UPDATE purchases SET checkout_session_id = ?`, session).Error)
			s.Purchase.RefreshSession(ctx, session)
			s.wantBalance(0)
			if got := s.purchaseStatus(); got != models.PurchasePending {
				t.Errorf("%s: purchase is %s, want pending", session, got)
			}
		}
	})
	t.Run("books once for concurrent refreshes and events", func(t *testing.T) {
		s := newFixture(t)
		payload := s.completed("evt_1", "cs_1", "paid")
		dbtest.Concurrently(20, func(i int) {
			if i%2 == 0 {
				s.Purchase.RefreshSession(ctx, "cs_1")
				return
			}
			s.receive(payload)
		})
		s.wantBalance(1200)
	})
}
