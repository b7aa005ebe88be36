package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// Period is the time from a user's first entry to the last; both are zero for an empty history.
type Period struct{ First, Last time.Time }

// Period returns the time of the user's entries.
func (s *Service) Period(ctx context.Context, userID int64) (Period, error) {
	var ends []time.Time
	if err := postgres.Pipeline(s.DB.WithContext(ctx), endsStatement(userID, &ends)); err != nil {
		return Period{}, fmt.Errorf("bounds of the history of user %d: %w", userID, err)
	}
	return periodOf(ends), nil
}

// endsStatement reads the times of a user's first and last entry.
func endsStatement(userID int64, into *[]time.Time) postgres.Statement {
	return postgres.Statement{SQL: `(SELECT created_at FROM credit_transactions WHERE user_id = @user ORDER BY id LIMIT 1)
		UNION ALL (SELECT created_at FROM credit_transactions WHERE user_id = @user ORDER BY id DESC LIMIT 1)`,
		Args: []any{map[string]any{"user": userID}}, Read: postgres.Values(into)}
}

func periodOf(ends []time.Time) (p Period) {
	if len(ends) == 2 {
		p.First, p.Last = ends[0], ends[1]
	}
	return p
}

// HistoryPage is what the history page shows.
type HistoryPage struct {
	Page
	Period Period
	Holds  []models.Hold // as Uncharged returns them; on the first page without a filter
}

// HistoryPage is Search, with what the page shows beside the entries.
func (s *Service) HistoryPage(ctx context.Context, userID, before int64, limit int, f Filter) (HistoryPage, error) {
	var p HistoryPage
	var ends []time.Time
	beside := []postgres.Statement{endsStatement(userID, &ends)}
	if before <= 0 && f.everything() {
		beside = append(beside, unchargedStatement(userID, &p.Holds))
	}
	var err error
	if p.Page, err = search(s.DB.WithContext(ctx), userID, before, limit, f, beside...); err != nil {
		return HistoryPage{}, fmt.Errorf("read the history of user %d: %w", userID, err)
	}
	p.Period = periodOf(ends)
	return p, nil
}
