package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
)

// Usage returns the credits that each of the last days added and took, oldest first, ending with today. Days start at
// midnight in the time zone of now. Days without entries are included.
func (s *Service) Usage(ctx context.Context, userID int64, now time.Time, days int) ([]models.DayUsage, error) {
	usage, borders := make([]models.DayUsage, days), make([]string, days+1)
	for i := range borders {
		begins := models.DayBegins(now.Year(), now.Month(), now.Day()-days+1+i, now.Location())
		borders[i] = begins.UTC().Format(time.RFC3339)
		if i < days {
			usage[i].Begins = begins
		}
	}
	db := s.DB.WithContext(ctx)
	low, err := firstEntryAt(db, userID, usage[0].Begins.Add(-disorder))
	if err != nil {
		return nil, fmt.Errorf("find the start of the usage of user %d: %w", userID, err)
	}
	var moved []struct {
		Day     int
		In, Out models.Credits
	}
	err = db.Raw(`SELECT width_bucket(created_at, CAST(@borders AS timestamptz[])) AS day,
			coalesce(sum(delta_credits) FILTER (WHERE delta_credits > 0), 0) AS "in",
			coalesce(-sum(delta_credits) FILTER (WHERE delta_credits < 0), 0) AS "out"
		FROM credit_transactions
		WHERE user_id = @user AND id >= @low AND created_at >= CAST(@first AS timestamptz) AND created_at < CAST(@last AS timestamptz)
		GROUP BY 1`, map[string]any{"user": userID, "low": low, "first": borders[0], "last": borders[days],
		"borders": "{" + strings.Join(borders, ",") + "}"}).Scan(&moved).Error
	if err != nil {
		return nil, fmt.Errorf("read the usage of user %d: %w", userID, err)
	}
	for _, m := range moved {
		usage[m.Day-1].In, usage[m.Day-1].Out = m.In, m.Out
	}
	return usage, nil
}
