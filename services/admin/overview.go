package admin

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// Overview reads the figures of the business at now, with a chart of the last 30 days or the last 12 months.
func (s *Service) Overview(ctx context.Context, now time.Time, monthly bool) (models.Overview, error) {
	o := models.Overview{Monthly: monthly}
	if err := (&ledger.Service{DB: s.DB}).CloseDays(ctx, now); err != nil {
		return o, err
	}
	tx, err := postgres.Snapshot(ctx, s.DB)
	if err != nil {
		return o, fmt.Errorf("open the overview's snapshot: %w", err)
	}
	defer tx.Rollback()
	if o.Totals, err = ledger.ReadTotals(tx); err != nil {
		return o, err
	}
	if err := readOpenEvents(tx, &o); err != nil {
		return o, err
	}
	if o.Revenue, err = purchase.ReadRevenue(tx); err != nil {
		return o, err
	}
	bounds := slotBounds(now, monthly)
	days, err := ledger.ReadDays(tx, bounds[0])
	if err != nil {
		return o, err
	}
	o.Slots = sumSlots(bounds, days, o.Totals.Outstanding)
	if err := countUncharged(tx, bounds, o.Slots); err != nil {
		return o, err
	}
	o.Packages, err = readPackages(tx, bounds)
	return o, err
}

func readOpenEvents(tx *gorm.DB, o *models.Overview) error {
	err := tx.Raw(
		`SELECT count(*) FILTER (WHERE status = 'review') AS review, count(*) FILTER (WHERE status <> 'review') AS waiting,
			(SELECT count(*) FROM users) AS users, (SELECT received_at FROM stripe_events ORDER BY received_at DESC, event_id DESC LIMIT 1) AS last_hook
		FROM stripe_events WHERE status IN ('review', 'failed', 'deferred', 'received')`).
		Row().Scan(&o.Review, &o.Waiting, &o.Users, &o.LastHook)
	if err != nil {
		return fmt.Errorf("count open events: %w", err)
	}
	return nil
}
