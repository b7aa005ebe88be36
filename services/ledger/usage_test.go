package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/ledger"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user, other, idle := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "bob@example.com"), dbtest.User(t, db,
		"eve@example.com")
	entry := func(userID int64, at string, delta models.Credits) {
		t.Helper()
		if err := db.Exec(`WITH u AS (UPDATE users SET credits_balance = credits_balance + @delta WHERE id = @user)
			INSERT INTO credit_transactions (user_id, delta_credits, reason, created_at) VALUES (@user, @delta, 'manual', CAST(@at AS timestamptz))`,
			map[string]any{"user": userID, "delta": delta, "at": at}).Error; err != nil {
			t.Fatal(err)
		}
	}
	entry(user.ID, "2025-01-01T00:00:00Z", 1000)
	for range 40 { // old entries for the binary search
		entry(user.ID, "2026-01-01T12:00:00Z", 1)
	}
	entry(user.ID, "2026-03-27T22:59:59Z", 7) // the last second before the three days in Berlin
	entry(user.ID, "2026-03-27T23:00:00Z", 50)
	entry(user.ID, "2026-03-28T22:00:00Z", -10)
	entry(user.ID, "2026-03-28T21:59:59Z", -5) // inserted after a later entry
	for range 40 {
		entry(other.ID, "2026-03-29T12:00:00Z", 77)
	}
	entry(user.ID, "2026-03-29T21:59:59Z", 30) // the clocks went forward: the day ends an hour earlier
	entry(user.ID, "2026-03-29T22:00:00Z", -20)
	entry(user.ID, "2026-03-30T22:00:00Z", 9) // tomorrow, by a clock that is ahead

	type moved [2]models.Credits
	for _, c := range []struct {
		name, zone string
		user       int64
		want       [3]moved
	}{
		{"in the zone's days", "Europe/Berlin", user.ID, [3]moved{{50, 15}, {30, 0}, {0, 20}}},
		{"in UTC's", "UTC", user.ID, [3]moved{{0, 15}, {30, 20}, {9, 0}}},
		{"of another user", "UTC", other.ID, [3]moved{{}, {40 * 77, 0}, {}}},
		{"of a user without entries", "UTC", idle.ID, [3]moved{}},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 3, 30, 12, 0, 0, 0, zone)
		overview, err := (&ledger.Service{DB: db}).Overview(context.Background(), c.user, 5, now, 3)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got [3]moved
		for i, d := range overview.Usage {
			got[i] = moved{d.In, d.Out}
			if want := time.Date(2026, 3, 28+i, 0, 0, 0, 0, zone); !d.Begins.Equal(want) {
				t.Errorf("%s: day %d begins at %v, want %v", c.name, i, d.Begins, want)
			}
		}
		if got != c.want {
			t.Errorf("%s: in and out = %v, want %v", c.name, got, c.want)
		}
	}
}

// Where clocks go forward at midnight, a day begins at 01:00. Its bar contains no entry of the day before.
func TestUsageOfADayWithoutMidnight(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for _, c := range []struct{ zone, now, lastOfDayBefore, firstOfDay string }{
		{"Atlantic/Azores", "2027-03-30T12:00:00Z", "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z"},
		{"America/Santiago", "2026-09-08T12:00:00Z", "2026-09-06T03:59:59Z", "2026-09-06T04:00:00Z"},
		{"America/Havana", "2027-03-16T12:00:00Z", "2027-03-14T04:59:59Z", "2027-03-14T05:00:00Z"},
		{"Africa/Cairo", "2027-05-01T12:00:00Z", "2027-04-29T21:59:59Z", "2027-04-29T22:00:00Z"},
		{"Europe/Berlin", "2027-03-30T12:00:00Z", "2027-03-27T22:59:59Z", "2027-03-27T23:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		user := dbtest.User(t, db, c.zone[len(c.zone)-5:]+"@example.org")
		for at, delta := range map[string]models.Credits{c.lastOfDayBefore: 7, c.firstOfDay: 100} {
			if err := db.Exec(`WITH u AS (UPDATE users SET credits_balance = credits_balance + @delta WHERE id = @user)
				INSERT INTO credit_transactions (user_id, delta_credits, reason, created_at) VALUES (@user, @delta, 'manual', CAST(@at AS timestamptz))`,
				map[string]any{"user": user.ID, "delta": delta, "at": at}).Error; err != nil {
				t.Fatal(err)
			}
		}
		now, _ := time.Parse(time.RFC3339, c.now)
		overview, err := (&ledger.Service{DB: db}).Overview(context.Background(), user.ID, 5, now.In(zone), 6)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := time.Parse(time.RFC3339, c.firstOfDay)
		labels, found := map[string]bool{}, false
		days := overview.Usage
		for i, d := range days {
			labels[d.Begins.Format(time.DateOnly)] = true
			if d.Begins.Equal(first) {
				found = d.In == 100 && days[i-1].In == 7
			}
		}
		if !found || len(labels) != len(days) {
			t.Errorf("%s: days %+v, want one that begins at %s with 100, the one before with 7, and each label once", c.zone,
				days, c.firstOfDay)
		}
	}
}
