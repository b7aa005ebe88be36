package ledger_test

import (
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/ledger"
)

// The start of the usage is kept for all users. It must hold for entries that are booked afterwards, even by
// transactions that began before and were given smaller ids.
func TestKeptStartOfTheUsageHoldsForLaterEntries(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	ada, bob := dbtest.User(t, db, "ada@example.org"), dbtest.User(t, db, "bob@example.org")
	now := time.Now()
	add := func(db *gorm.DB, user int64, at time.Time, credits models.Credits) {
		t.Helper()
		if err := db.Exec(`WITH u AS (UPDATE users SET credits_balance = credits_balance + @credits WHERE id = @user)
			INSERT INTO credit_transactions (user_id, delta_credits, reason, created_at)
			VALUES (@user, @credits, 'manual', @at)`,
			map[string]any{"user": user, "credits": credits, "at": at}).Error; err != nil {
			t.Fatal(err)
		}
	}
	s := &ledger.Service{DB: db}
	want := func(when string, user int64, zone string, want models.Credits) {
		t.Helper()
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Overview(t.Context(), user, 5, now.In(location), 30)
		if err != nil {
			t.Fatal(err)
		}
		sum := models.Credits(0)
		for _, d := range o.Usage {
			sum += d.In
		}
		if sum != want {
			t.Errorf("%s: the last 30 days in %s added %d credits, want %d", when, zone, sum, want)
		}
	}
	want("without an entry", ada.ID, "UTC", 0)
	add(db, ada.ID, now.AddDate(0, 0, -40), 1000)
	add(db, ada.ID, now.AddDate(0, 0, -2), 10)
	want("after the first entries", ada.ID, "UTC", 10)
	early := db.Begin()
	defer early.Rollback()
	add(early, bob.ID, now, 7)
	add(db, ada.ID, now, 5)
	want("while an entry is booked", ada.ID, "Pacific/Kiritimati", 15)
	if err := early.Commit().Error; err != nil {
		t.Fatal(err)
	}
	want("after a smaller id was committed", bob.ID, "Pacific/Niue", 7)
	s = &ledger.Service{DB: db}
	want("of a server that has just started", ada.ID, "Pacific/Kiritimati", 15)
}
