package models

import (
	"testing"
	"time"
)

func TestDayBegins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone             string
		year, month, day int
		want             string
	}{
		{"Atlantic/Azores", 2027, 3, 28, "2027-03-28T01:00:00Z"},  // at 01:00: midnight is skipped
		{"America/Santiago", 2026, 9, 6, "2026-09-06T04:00:00Z"},  // skipped
		{"America/Havana", 2027, 3, 14, "2027-03-14T05:00:00Z"},   // skipped
		{"Africa/Cairo", 2027, 4, 30, "2027-04-29T22:00:00Z"},     // skipped, east of Greenwich
		{"Atlantic/Azores", 2026, 10, 25, "2026-10-25T00:00:00Z"}, // midnight comes twice
		{"America/Havana", 2026, 11, 1, "2026-11-01T04:00:00Z"},   // twice
		{"Europe/Berlin", 2027, 3, 28, "2027-03-27T23:00:00Z"},    // a change at another hour
		{"Europe/Berlin", 2026, 10, 25, "2026-10-24T22:00:00Z"},
		{"Europe/Berlin", 2026, 10, 26, "2026-10-25T23:00:00Z"},  // the day after one
		{"Atlantic/Azores", 2027, 2, 29, "2027-03-01T01:00:00Z"}, // a day of the next month
		{"UTC", 2026, 12, 32, "2027-01-01T00:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayBegins(c.year, time.Month(c.month), c.day, zone).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%d-%d-%d in %s begins at %s, want %s", c.year, c.month, c.day, c.zone, got, c.want)
		}
	}
}

// In every zone, the start of a day belongs to that day, and the instant before it does not.
func TestDayBeginsIsTheFirstInstantOfItsDay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Atlantic/Azores", "America/Santiago", "America/Havana", "Africa/Cairo", "Europe/Berlin",
		"America/Asuncion", "Asia/Beirut",
		"America/Nuuk", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for day := 1; day <= 366*4; day++ {
			want := time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			begins := DayBegins(2024, 1, day, zone)
			if got, before := begins.Format(time.DateOnly), begins.Add(-time.Second).Format(time.DateOnly); got != want ||
				before >= want {
				t.Errorf("%s in %s begins on %s, and the second before is of %s", want, name, got, before)
			}
		}
	}
}
