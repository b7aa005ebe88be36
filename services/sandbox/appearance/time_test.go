package appearance

import (
	"testing"
	"time"
)

func TestTimesAreTheReaders(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 23, 38, 7, 0, time.UTC)
	for _, c := range []struct {
		locale string
		zone   *time.Location
		want   string
	}{
		{"de", berlin, "29.11.2026, 00:38\u00a0Uhr"}, {"en", berlin, "29 Nov 2026, 00:38"},
		{"de", time.UTC, "28.11.2026, 23:38\u00a0Uhr\u00a0(UTC)"}, {"en", time.UTC, "28 Nov 2026, 23:38\u00a0(UTC)"},
	} {
		if got := FormatTime(at, c.locale, c.zone); got != c.want {
			t.Errorf("%s in %v: got %q, want %q", c.locale, c.zone, got, c.want)
		}
	}
}
