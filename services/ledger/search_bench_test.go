package ledger_test

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/ledger"
)

// searchRows is the number of entries of BenchmarkSearch's user:
// go test ./services/ledger -run ^$ -bench Search -benchtime 1x -search-rows 1000000
var searchRows = flag.Int("search-rows", 100_000, "entries of the user of BenchmarkSearch")

// BenchmarkSearch divides the time of a history page of a user with many entries by that of the newest page of a user
// with a thousand (medians, one client). A search reads at most ledger.Stretch entries, which bounds the ratio.
func BenchmarkSearch(b *testing.B) {
	db := dbtest.New(b)
	s := &ledger.Service{DB: db}
	short, long := dbtest.User(b, db, "short@example.com"), dbtest.User(b, db, "long@example.com")
	lengthen(b, db, short.ID, 1000, "2026-01-31 20:00:00+00")
	for _, statement := range []string{ // other users, so that the planner sees a realistic ledger
		`INSERT INTO users (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, 2000) n`,
		`ALTER TABLE credit_transactions DISABLE TRIGGER USER`,
		`INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after) SELECT id, 10, 'manual', n * 10 FROM generate_series(1, 10) n, users WHERE email LIKE 'user%'`,
		`UPDATE users SET credits_balance = 100 WHERE email LIKE 'user%'`,
		`ALTER TABLE credit_transactions ENABLE TRIGGER USER`,
	} {
		if err := db.Exec(statement).Error; err != nil {
			b.Fatal(err)
		}
	}
	lengthen(b, db, long.ID, *searchRows, "2026-01-31 20:00:00+00")
	var middle int64
	if err := db.Raw(`SELECT id FROM credit_transactions WHERE user_id = ? ORDER BY id OFFSET ? LIMIT 1`, long.ID,
		*searchRows/2).Scan(&middle).Error; err != nil {
		b.Fatal(err)
	}
	january := ledger.Filter{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Until: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)}
	median := func(user, before int64, f ledger.Filter) time.Duration {
		took := make([]time.Duration, 41)
		for i := range took {
			began := time.Now()
			if _, err := s.Search(b.Context(), user, before, 25, f); err != nil {
				b.Fatal(err)
			}
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	for b.Loop() {
		median(short.ID, 0, ledger.Filter{}) // warms up
		yardstick := median(short.ID, 0, ledger.Filter{})
		for name, c := range map[string]struct {
			before int64
			filter ledger.Filter
		}{
			"newest": {}, "deep": {before: middle}, "rare": {filter: ledger.Filter{Reason: models.ReasonManual}},
			"feature":      {filter: ledger.Filter{Reason: models.ReasonResumeAnalysis}},
			"feature-deep": {before: middle, filter: ledger.Filter{Reason: models.ReasonResumeAnalysis}},
			"month":        {filter: january}, "unused": {filter: ledger.Filter{Reason: models.ReasonJobMatch}},
			"nowhere":      {filter: ledger.Filter{Text: "nowhere"}},
			"nowhere-deep": {before: middle, filter: ledger.Filter{Text: "nowhere"}},
		} {
			took := median(long.ID, c.before, c.filter)
			b.ReportMetric(float64(took)/float64(yardstick), name+"/short")
			b.ReportMetric(float64(took.Microseconds())/1000, name+"-ms")
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(*searchRows), "rows")
}
