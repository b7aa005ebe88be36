package appearance

import (
	"net/http"
	"time"
)

// Zone returns the reader's time zone, which the product's script stores in a cookie; UTC if it is unknown. A stand-in
// shares no code with the product, so this package formats times itself.
func Zone(r *http.Request) *time.Location {
	cookie, err := r.Cookie("tz")
	if err != nil || cookie.Value == "Local" { // the server's own
		return time.UTC
	}
	zone, err := time.LoadLocation(cookie.Value)
	if err != nil {
		return time.UTC
	}
	return zone
}

// FormatDay formats the day of a time in a page's language and the reader's time zone.
func FormatDay(t time.Time, locale string, zone *time.Location) string {
	if locale == "de" {
		return t.In(zone).Format("02.01.2006")
	}
	return t.In(zone).Format("2 Jan 2006")
}

// FormatTime formats a time as the product does: in a page's language and the reader's time zone, which it names only
// while it is unknown.
func FormatTime(t time.Time, locale string, zone *time.Location) string {
	text := FormatDay(t, locale, zone) + t.In(zone).Format(", 15:04")
	if locale == "de" {
		text += "\u00a0Uhr"
	}
	if zone == time.UTC {
		text += "\u00a0(UTC)"
	}
	return text
}
