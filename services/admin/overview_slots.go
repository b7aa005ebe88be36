package admin

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

const (
	daysShown   = 30
	monthsShown = 12
)

// slotBounds returns the start of each day or month of the chart, and the end of the last, in UTC.
func slotBounds(now time.Time, monthly bool) []time.Time {
	now = now.UTC()
	var bounds []time.Time
	if monthly {
		for i := range monthsShown + 1 {
			bounds = append(bounds, time.Date(now.Year(), now.Month()-monthsShown+1+time.Month(i), 1, 0, 0, 0, 0, time.UTC))
		}
		return bounds
	}
	for i := range daysShown + 1 {
		bounds = append(bounds, time.Date(now.Year(), now.Month(), now.Day()-daysShown+1+i, 0, 0, 0, 0, time.UTC))
	}
	return bounds
}

// sumSlots adds days up into slots. It derives the outstanding credits of each slot backwards from today's.
func sumSlots(bounds []time.Time, days []models.LedgerDay, outstanding models.Credits) []models.OverviewSlot {
	slots := make([]models.OverviewSlot, len(bounds)-1)
	for i := len(slots) - 1; i >= 0; i-- {
		slots[i] = models.OverviewSlot{Begins: bounds[i], Outstanding: outstanding}
		for _, d := range days {
			if d.Day.Before(bounds[i]) || !d.Day.Before(bounds[i+1]) {
				continue
			}
			slots[i].Sold += d.Purchased
			slots[i].Used += d.Used
			slots[i].Returned -= d.Returned
			outstanding -= d.Purchased + d.Returned + d.Manual - d.Used
		}
	}
	return slots
}

// slotOf returns the slot that a time lies in. The last slot also takes what is later.
func slotOf(bounds []time.Time, at time.Time) int {
	slot := 0
	for slot+2 < len(bounds) && !at.Before(bounds[slot+1]) {
		slot++
	}
	return slot
}

// countUncharged counts the holds of each slot that ended without a charge.
func countUncharged(tx *gorm.DB, bounds []time.Time, slots []models.OverviewSlot) error {
	var rows []struct {
		Day               time.Time
		Released, Expired int64
	}
	err := tx.Raw(`SELECT date_trunc('day', updated_at, 'UTC') AS day,
			count(*) FILTER (WHERE status = 'released') AS released, count(*) FILTER (WHERE status = 'expired') AS expired
		FROM holds WHERE status IN ('released', 'expired') AND `+models.FeatureHoldSQL+` AND updated_at >= ? GROUP BY 1`, bounds[0]).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("count holds without a charge: %w", err)
	}
	for _, r := range rows {
		slot := &slots[slotOf(bounds, r.Day)]
		slot.Released += r.Released
		slot.Expired += r.Expired
	}
	return nil
}

// readPackages sums the payments of each slot by package and currency.
func readPackages(tx *gorm.DB, bounds []time.Time) ([]models.PackageRevenue, error) {
	var rows []struct {
		Credits  models.Credits
		Currency string
		Day      time.Time
		Paid     models.Cents
	}
	err := tx.Raw(`SELECT coalesce(credits / nullif(quantity, 0), 0) AS credits, coalesce(nullif(paid_currency, ''), currency) AS currency,
			date_trunc('day', paid_at, 'UTC') AS day, sum(paid_cents) AS paid
		FROM purchases WHERE paid_at >= ? AND paid_cents > 0 AND status <> 'foreign' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
		bounds[0]).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("sum payments by package: %w", err)
	}
	var all []models.PackageRevenue
	for _, r := range rows {
		if n := len(all); n == 0 || all[n-1].Credits != r.Credits || all[n-1].Currency != r.Currency {
			all = append(all, models.PackageRevenue{Credits: r.Credits, Currency: r.Currency,
				Paid: make([]models.Cents, len(bounds)-1)})
		}
		all[len(all)-1].Paid[slotOf(bounds, r.Day)] += r.Paid
	}
	return all, nil
}
