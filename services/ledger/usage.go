package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
	usage, borders := make([]models.DayUsage, days), make([]time.Time, days+1)
	for i := range borders {
		borders[i] = models.DayBegins(now.Year(), now.Month(), now.Day()-days+1+i, now.Location())
		if i < days {
			usage[i].Begins = borders[i]
		}
	}
	first, err := s.firstSince(ctx, midnight(now).AddDate(0, 0, -days-1)) // before all of these days, in any time zone
	if err != nil {
		return Overview{}, fmt.Errorf("find the first entry of the last %d days: %w", days, err)
	}
	o := Overview{Latest: make([]models.CreditTransaction, 0, latest), Usage: usage}
	err = postgres.Pipeline(s.DB.WithContext(ctx),
		entriesStatement(`c.user_id = @user`, []any{sql.Named("user", userID)}, latest, &o.Latest),
		postgres.Statement{SQL: usageSQL, Args: []any{map[string]any{"user": userID, "first": first,
			"from": borders[0], "until": borders[days], "borders": timeArray(borders)}}, Read: readUsage(usage)})
	if err != nil {
		return Overview{}, fmt.Errorf("read the latest entries and the usage of user %d: %w", userID, err)
	}
	return o, nil
}

// usageSQL sums the entries between @from and @until by day. Days count from 1.
const usageSQL = `SELECT width_bucket(created_at, @borders),
		coalesce(sum(delta_credits) FILTER (WHERE delta_credits > 0), 0),
		coalesce(-sum(delta_credits) FILTER (WHERE delta_credits < 0), 0)
	FROM credit_transactions
	WHERE user_id = @user AND id >= @first AND created_at >= @from AND created_at < @until
	GROUP BY 1`

// timeArray returns times as an array that GORM passes on whole.
func timeArray(values []time.Time) pgtype.Array[time.Time] {
	dims := []pgtype.ArrayDimension{{Length: int32(len(values)), LowerBound: 1}} //nolint:gosec // G115: some days
	return pgtype.Array[time.Time]{Elements: values, Dims: dims, Valid: true}
}

// readUsage reads the rows of usageSQL into days.
func readUsage(days []models.DayUsage) func(postgres.Rows) error {
	return func(rows postgres.Rows) error {
		var day int
		var added, taken models.Credits
		_, err := pgx.ForEachRow(rows, []any{&day, &added, &taken}, func() error {
			days[day-1].In, days[day-1].Out = added, taken
			return nil
		})
		return err
	}
}

// start is an id below which no entry of at or later lies.
type start struct {
	at time.Time
	id int64
}

// firstSince returns an id below which no entry of t or later lies. It is the same for all users and, while entries are
// only appended, stays true, so the last one is kept.
func (s *Service) firstSince(ctx context.Context, t time.Time) (int64, error) {
	if kept := s.recent.Load(); kept != nil && kept.at.Equal(t) {
		return kept.id, nil
	}
	id, err := firstIDAt(s.DB.WithContext(ctx), `true`, t.Add(-disorder))
	if err != nil {
		return 0, err
	}
	s.recent.Store(&start{t, id})
	return id, nil
}
