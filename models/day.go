package models

import "time"

// DayBegins returns the first instant of a day in a zone; a day beyond the month's last is one of the next month, as with
// time.Date. Where clocks go forward at midnight there is no midnight, and time.Date may answer with an instant of the day
// before; where they go back to it there are two, and it may answer with the second.
func DayBegins(year int, month time.Month, day int, zone *time.Location) time.Time {
	midnight := time.Date(year, month, day, 0, 0, 0, 0, zone)
	changed, changes := midnight.ZoneBounds()
	if midnight.Day() != time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Day() {
		return changes // the moment in which midnight is skipped
	}
	if changed.IsZero() {
		return midnight
	}
	_, offset := changed.Add(-time.Nanosecond).Zone()
	if first := time.Date(year, month, day, 0, 0, 0, 0, time.FixedZone("", offset)); first.Before(changed) {
		return first.In(zone) // midnight as it was before the clocks went back
	}
	return midnight
}
