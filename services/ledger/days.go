package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// ReadTotals returns the totals of all users; db must be a snapshot. It reads no spends: the credits used are those
// that other entries brought and that no balance has any more.
func ReadTotals(db *gorm.DB) (models.LedgerTotals, error) {
	var t models.LedgerTotals
	err := db.Raw(`SELECT *, purchased + returned + manual - outstanding AS used FROM
		(SELECT coalesce(sum(delta_credits) FILTER (WHERE reason = 'purchase'), 0) AS purchased,
			coalesce(sum(delta_credits) FILTER (WHERE reason IN ('refund', 'dispute')), 0) AS returned,
			coalesce(sum(delta_credits) FILTER (WHERE reason = 'manual'), 0) AS manual
			FROM credit_transactions WHERE reason IN ('purchase', 'refund', 'dispute', 'manual')) lines,
		(SELECT coalesce(sum(credits_balance), 0) AS outstanding, coalesce(sum(credits_held), 0) AS held FROM users) balances`).Scan(&t).Error
	if err != nil {
		return t, fmt.Errorf("read the totals: %w", err)
	}
	return t, nil
}

const dayColumns = `coalesce(sum(delta_credits) FILTER (WHERE reason = 'purchase'), 0) AS purchased,
	coalesce(sum(delta_credits) FILTER (WHERE reason IN ('refund', 'dispute')), 0) AS returned,
	coalesce(sum(delta_credits) FILTER (WHERE reason = 'manual'), 0) AS manual,
	coalesce(-sum(delta_credits) FILTER (WHERE reason NOT IN ('purchase', 'refund', 'dispute', 'manual')), 0) AS used`

// CloseDays sums up the days that have ended since its last run. A day stays open for disorder after its end, until all
// of its transactions have committed. Idempotent: concurrent runs write the same rows.
func (s *Service) CloseDays(ctx context.Context, now time.Time) error {
	db := s.DB.WithContext(ctx)
	var ends struct{ First, Closed *time.Time }
	err := db.Raw(
		`SELECT (SELECT created_at FROM credit_transactions ORDER BY id LIMIT 1) AS first, (SELECT max(day) FROM credit_days)::timestamp AS closed`).Scan(&ends).Error
	if err != nil {
		return fmt.Errorf("read the closed days: %w", err)
	}
	if ends.First == nil {
		return nil
	}
	from, until := midnight(ends.First.Add(-disorder)), midnight(now.Add(-disorder))
	if ends.Closed != nil {
		from = midnight(*ends.Closed).AddDate(0, 0, 1)
	}
	for ; from.Before(until); from = from.AddDate(0, 0, stretchDays) {
		if err := closeStretch(db, from, earlier(until, from.AddDate(0, 0, stretchDays))); err != nil {
			return err
		}
	}
	return nil
}

// stretchDays bounds the days that one statement sums up, so that a long backlog takes several short statements.
const stretchDays = 31

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func closeStretch(db *gorm.DB, from, until time.Time) error {
	low, high, err := idsBetween(db, from, until)
	if err != nil {
		return fmt.Errorf("find entries of the ended days: %w", err)
	}
	err = db.Exec(`INSERT INTO credit_days (day, purchased, returned, manual, used)
		SELECT days.day, coalesce(purchased, 0), coalesce(returned, 0), coalesce(manual, 0), coalesce(used, 0)
		FROM (SELECT CAST(@from AS date) + n AS day FROM generate_series(0, CAST(@until AS date) - CAST(@from AS date) - 1) n) days
		LEFT JOIN (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, `+dayColumns+` FROM credit_transactions
			WHERE id >= @low AND id < @high GROUP BY 1) moved USING (day)
		ON CONFLICT DO NOTHING`, map[string]any{"from": from.Format(time.DateOnly), "until": until.Format(time.DateOnly), "low": low, "high": high}).Error
	if err != nil {
		return fmt.Errorf("close days: %w", err)
	}
	return nil
}

// ReadDays returns the sums of each day since from, oldest first; days without entries may be missing. db must be a
// snapshot.
func ReadDays(db *gorm.DB, from time.Time) ([]models.LedgerDay, error) {
	from = midnight(from)
	var closed *time.Time
	if err := db.Raw(`SELECT max(day)::timestamp FROM credit_days`).Row().Scan(&closed); err != nil {
		return nil, fmt.Errorf("read the closed days: %w", err)
	}
	open := from
	if closed != nil && !midnight(*closed).Before(from) {
		open = midnight(*closed).AddDate(0, 0, 1)
	}
	low, _, err := idsBetween(db, open, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("find entries of the open days: %w", err)
	}
	var days []models.LedgerDay
	err = db.Raw(
		`SELECT day::timestamp AS day, purchased, returned, manual, used FROM credit_days WHERE day >= CAST(@from AS date)
		UNION ALL
		SELECT (created_at AT TIME ZONE 'UTC')::date::timestamp, `+dayColumns+` FROM credit_transactions
			WHERE id >= @low AND created_at >= CAST(@open AS timestamptz) GROUP BY 1
		ORDER BY day`, map[string]any{"from": from.Format(time.DateOnly), "low": low, "open": open.Format(time.RFC3339)}).Scan(&days).Error
	if err != nil {
		return nil, fmt.Errorf("read the days: %w", err)
	}
	return days, nil
}

// idsBetween returns ids, low <= id < high, between which all entries of that time lie, and few others. A zero until
// means no end.
func idsBetween(db *gorm.DB, from, until time.Time) (low, high int64, err error) {
	high = math.MaxInt64
	if low, err = firstIDAt(db, `true`, from.Add(-disorder)); err == nil && !until.IsZero() {
		high, err = firstIDAt(db, `true`, until.Add(disorder))
	}
	return low, high, err
}

func midnight(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
