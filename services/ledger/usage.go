package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Day is what one day brought and took. Units: credits, both 0 or more.
type Day struct {
	Begins  time.Time // its first moment, in the zone of who asks
	In, Out models.Credits
}

// Usage returns what the last days brought a user and took from them, oldest first, today's last. Days begin where the
// zone of now says; one without movements is there, with nothing.
func (s *Service) Usage(ctx context.Context, userID int64, now time.Time, days int) ([]Day, error) {
	usage, borders := make([]Day, days), make([]string, days+1)
	for i := range borders {
		begins := time.Date(now.Year(), now.Month(), now.Day()-days+1+i, 0, 0, 0, 0, now.Location())
		borders[i] = begins.UTC().Format(time.RFC3339)
		if i < days {
			usage[i].Begins = begins
		}
	}
	var moved []struct {
		Day     int
		In, Out models.Credits
	}
	if err := movedBetween(s.DB.WithContext(ctx), userID, borders).Scan(&moved).Error; err != nil {
		return nil, fmt.Errorf("usage of user %d: %w", userID, err)
	}
	for _, m := range moved {
		usage[m.Day-1].In, usage[m.Day-1].Out = m.In, m.Out
	}
	return usage, nil
}

// movedBetween adds up a user's movements between each two borders. No index knows when a user's lines were written, but their
// ids grow with time: halving finds the first that counts in some twenty looks at the index, however long the ledger.
// It looks for a day more, because a transaction that waited may carry an earlier time than a line numbered before its own.
func movedBetween(db *gorm.DB, userID int64, borders []string) *gorm.DB {
	return db.Raw(`WITH RECURSIVE search (low, high) AS (
			SELECT min(id), max(id) + 1 FROM credit_transactions WHERE user_id = @user
		UNION ALL
			SELECT CASE WHEN old THEN line.id + 1 ELSE low END, CASE WHEN old THEN high ELSE middle END
			FROM search
			CROSS JOIN LATERAL (SELECT (low + high) / 2 AS middle) half
			LEFT JOIN LATERAL (SELECT id, created_at < CAST(@first AS timestamptz) - interval '1 day' AS old FROM credit_transactions
				WHERE user_id = @user AND id >= middle AND id < high ORDER BY id LIMIT 1) line ON true
			WHERE low < high)
		SELECT width_bucket(created_at, CAST(@borders AS timestamptz[])) AS day,
			coalesce(sum(delta_credits) FILTER (WHERE delta_credits > 0), 0) AS "in",
			coalesce(-sum(delta_credits) FILTER (WHERE delta_credits < 0), 0) AS "out"
		FROM credit_transactions
		WHERE user_id = @user AND id >= (SELECT max(low) FROM search)
			AND created_at >= CAST(@first AS timestamptz) AND created_at < CAST(@last AS timestamptz)
		GROUP BY 1`, map[string]any{"user": userID, "first": borders[0], "last": borders[len(borders)-1],
		"borders": "{" + strings.Join(borders, ",") + "}"})
}
