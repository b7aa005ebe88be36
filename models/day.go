package models

import "time"

// DayBegins returns the first instant of a day in a time zone. Days beyond the end of the month normalise, as in
// time.Date. If clocks go forward at midnight there is no midnight, and time.Date may return an instant of the day
// before; if they go back to midnight there are two, and it may return the second.
func DayBegins(year int, month time.Month, day int, zone *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
	changed, changes := midnight.ZoneBounds()
	if midnight.Day() != time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Day() {
		return changes // the clocks skip midnight
	}
	if changed.IsZero() {
		return midnight
	}
	_, offset := changed.Add(-time.Nanosecond).Zone()
	if first := time.Date(year, month, day, 0, 0, 0, 0, time.FixedZone("", offset)); first.Before(changed) {
		return first.In(zone) // midnight before the clocks go back
	}
	return midnight
}
