package e2e

import (
	"net/http"
	"testing"
	"time"
)

// Times are shown in the time zone of the cookie tz; if it is absent or invalid, in UTC, and they say so.
func TestTimesInTheVisitorsZone(t *testing.T) {
	t.Parallel()
	v := newVisitor(start(t), "en")
	v.signInAs("ada@example.com")
	v.open("/en/purchase?package=500")
	v.submit("#place-order", "quantity", "1")
	v.submit("#pay")
	for _, c := range []struct{ cookie, zone string }{
		{"", "UTC"}, {"Asia/Tokyo", "Asia/Tokyo"}, {"Local", "UTC"}, {"Nowhere/Else", "UTC"}, {"../../etc/passwd", "UTC"},
	} {
		v.open("/en/history")
		v.client.Jar.SetCookies(v.at, []*http.Cookie{{Name: "tz", Value: c.cookie, Path: "/"}})
		v.open("/en/history")
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		moment := v.find("table time").First()
		at, err := time.Parse(time.RFC3339, moment.AttrOr("datetime", ""))
		if err != nil {
			t.Fatal(err)
		}
		want := at.In(zone).Format("2 Jan 2006, 15:04")
		if zone == time.UTC {
			want += "\u00a0(UTC)"
		}
		if moment.Text() != want {
			t.Errorf("cookie tz=%q: time = %q, want %q", c.cookie, moment.Text(), want)
		}
	}
}
