package admin

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
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
	if err := readRevenue(tx, &o); err != nil {
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

// readRevenue sums payments for our purchases and what was returned of them, per currency. As in settlement, a
// charge's own sum of refunds counts when it exceeds the known refunds, and no cent is returned twice. Purchases
// under review count as ours until an admin decides otherwise.
func readRevenue(tx *gorm.DB, o *models.Overview) error {
	err := tx.Raw(`WITH refunds AS (
			SELECT payment_ref, sum(amount) FILTER (WHERE status NOT IN ('failed', 'canceled')) AS good, sum(amount) FILTER (WHERE status IN ('failed', 'canceled')) AS bad
				FROM stripe_refunds GROUP BY payment_ref),
		charges AS (SELECT payment_ref, sum(amount_refunded) AS cumulated FROM stripe_charges WHERE amount_refunded > 0 GROUP BY payment_ref),
		disputes AS (SELECT payment_ref, sum(coalesce(` + fmt.Sprintf(models.DisputeTakes, "coalesce(nullif(p.paid_currency, ''), p.currency)") + `, p.paid_cents)) AS disputed
			FROM stripe_disputes d JOIN purchases p ON p.payment_intent_id = d.payment_ref
			WHERE d.status IN ('needs_response', 'under_review', 'lost') GROUP BY payment_ref),
		back AS (
			SELECT payment_ref, greatest(coalesce(good, 0), coalesce(cumulated, 0) - coalesce(bad, 0)) AS refunded, coalesce(disputed, 0) AS disputed
				FROM refunds FULL JOIN charges USING (payment_ref) FULL JOIN disputes USING (payment_ref)),
		returned AS (
			SELECT coalesce(nullif(p.paid_currency, ''), p.currency) AS currency, sum(least(b.refunded, p.paid_cents)) AS refunded,
					sum(least(b.disputed, p.paid_cents - least(b.refunded, p.paid_cents))) AS disputed
				FROM back b JOIN purchases p ON p.payment_intent_id = b.payment_ref WHERE p.paid_at IS NOT NULL AND p.status <> 'foreign' GROUP BY 1)
		SELECT currency, paid, coalesce(refunded, 0) AS refunded, coalesce(disputed, 0) AS disputed FROM
			(SELECT coalesce(nullif(paid_currency, ''), currency) AS currency, sum(paid_cents) AS paid FROM purchases
				WHERE paid_at IS NOT NULL AND paid_cents > 0 AND status <> 'foreign' GROUP BY 1) paid
			LEFT JOIN returned USING (currency) ORDER BY paid DESC, currency`).Scan(&o.Revenue).Error
	if err != nil {
		return fmt.Errorf("sum the revenue: %w", err)
	}
	return nil
}
