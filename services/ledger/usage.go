package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// Overview is the latest part of a user's history.
type Overview struct {
	Latest []models.CreditTransaction // newest first
	Usage  []models.DayUsage          // oldest first
}

// Overview returns the user's latest entries, and the credits that each of the last days added and took, ending with
// today. Days start at midnight in the time zone of now. Days without entries are included.
func (s *Service) Overview(ctx context.Context, userID int64, latest int, now time.Time, days int) (Overview, error) {
	usage, borders := make([]models.DayUsage, days), make([]string, days+1)
	for i := range borders {
		begins := models.DayBegins(now.Year(), now.Month(), now.Day()-days+1+i, now.Location())
		borders[i] = begins.UTC().Format(time.RFC3339)
		if i < days {
			usage[i].Begins = begins
		}
	}
	var moved []dayMoved
	o := Overview{Usage: usage}
	err := postgres.Pipeline(s.DB.WithContext(ctx),
		entriesStatement(`c.user_id = @user`, []any{sql.Named("user", userID)}, latest, &o.Latest),
		postgres.Statement{SQL: usageSQL, Args: []any{map[string]any{"user": userID, "at": usage[0].Begins.Add(-disorder),
			"first": borders[0], "last": borders[days], "borders": "{" + strings.Join(borders, ",") + "}"}},
			Read: postgres.All(&moved)})
	if err != nil {
		return Overview{}, fmt.Errorf("read the latest entries and the usage of user %d: %w", userID, err)
	}
	for _, m := range moved {
		usage[m.Day-1].In, usage[m.Day-1].Out = m.Added, m.Taken
	}
	return o, nil
}

// dayMoved is the credits that one day added and took. Days count from 1.
type dayMoved struct {
	Day          int
	Added, Taken models.Credits
}

// usageSQL sums the entries between @first and @last by day.
var usageSQL = `SELECT width_bucket(created_at, CAST(@borders AS timestamptz[])) AS day,
		coalesce(sum(delta_credits) FILTER (WHERE delta_credits > 0), 0) AS added,
		coalesce(-sum(delta_credits) FILTER (WHERE delta_credits < 0), 0) AS taken
	FROM credit_transactions
	WHERE user_id = @user AND id >= (` + firstIDSQL(`user_id = @user`) + `)
		AND created_at >= CAST(@first AS timestamptz) AND created_at < CAST(@last AS timestamptz)
	GROUP BY 1`
