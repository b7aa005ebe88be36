package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/periodic"
)

// digestAfter is how long after a day's end, in UTC, its digest is written.
const digestAfter = 5 * time.Hour

// Jobs write the digest of each day, unless the operator does not want it. Any number of replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return []periodic.Job{{Name: "write the digest",
		Due: `(SELECT CAST(digested_on + 2 AS timestamp) AT TIME ZONE 'UTC' + cast(@digest_seconds AS float8) * interval '1 second'
			FROM installations WHERE digest)`,
		Args: map[string]any{"digest_seconds": digestAfter.Seconds()},
		Work: func(ctx context.Context) error { return s.WriteDigest(ctx, models.Now()) }}}
}

// WriteDigest stores the letter that sums up the last day whose digest is due. It stores none if nothing was bought,
// used or returned on that day, and no letter was held back.
//
// Idempotent: one letter per day, however many replicas write it.
func (s *Service) WriteDigest(ctx context.Context, now time.Time) error {
	day := now.UTC().Add(-digestAfter).Truncate(24*time.Hour).AddDate(0, 0, -1)
	if err := (&ledger.Service{DB: s.DB}).CloseDays(ctx, now); err != nil {
		return err
	}
	return postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		claimed := tx.Exec(`UPDATE installations SET digested_on = CAST(@day AS date)
			WHERE digest AND digested_on < CAST(@day AS date)`, map[string]any{"day": day.Format(time.DateOnly)})
		if claimed.Error != nil || claimed.RowsAffected == 0 {
			return claimed.Error
		}
		digest, err := readDigest(tx, day)
		if err != nil || digest == nil {
			return err
		}
		return mail.Add(tx, mail.Letter{Kind: models.LetterOperatorDigest, About: day.Format(time.DateOnly), Args: digest})
	})
}

// readDigest sums up a day; nil if nothing happened.
func readDigest(tx models.Tx, day time.Time) (*mail.Digest, error) {
	days, err := ledger.ReadDays(tx.DB, day)
	if err != nil {
		return nil, err
	}
	digest := mail.Digest{Day: day}
	for _, d := range days {
		if d.Day.Equal(day) {
			digest.Sold, digest.Used, digest.Returned = d.Purchased, d.Used, -d.Returned
		}
	}
	err = tx.Raw(`SELECT coalesce(nullif(paid_currency, ''), currency) AS currency, sum(paid_cents) AS cents FROM purchases
		WHERE paid_at >= @from AND paid_at < @until AND paid_cents > 0 AND status <> 'foreign' GROUP BY 1 ORDER BY 2 DESC, 1`,
		map[string]any{"from": day, "until": day.AddDate(0, 0, 1)}).Scan(&digest.Revenue).Error
	if err != nil {
		return nil, fmt.Errorf("revenue of %s: %w", day.Format(time.DateOnly), err)
	}
	err = tx.Raw(`SELECT count(*) FROM letters WHERE user_id IS NULL AND recipient = '' AND kind LIKE 'operator%'
		AND status = 'dropped' AND last_error = @limit AND created_at >= @from AND created_at < @until`,
		map[string]any{"limit": models.CauseMailLimit, "from": day, "until": day.AddDate(0, 0, 1)}).Scan(&digest.Unsent).Error
	if err != nil {
		return nil, fmt.Errorf("letters that were not sent on %s: %w", day.Format(time.DateOnly), err)
	}
	if len(digest.Revenue) == 0 && digest.Sold == 0 && digest.Used == 0 && digest.Returned == 0 && digest.Unsent == 0 {
		return nil, nil
	}
	digest.Waiting, err = countWaiting(tx.DB)
	return &digest, err
}
