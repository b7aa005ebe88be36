package components_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/views/components"
)

func TestMomentsAreWrittenInTheVisitorsZone(t *testing.T) {
	winter := time.Date(2026, time.January, 31, 23, 30, 0, 0, time.UTC)
	summer := time.Date(2026, time.July, 31, 22, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		zone   string
		moment time.Time
		want   string
	}{
		{"Europe/Berlin", winter, "1 Feb 2026, 00:30"},
		{"Europe/Berlin", summer, "1 Aug 2026, 00:30"},
		{"America/New_York", winter, "31 Jan 2026, 18:30"},
		{"", winter, "31 Jan 2026, 23:30\u00a0(UTC)"},
		{"Local", winter, "31 Jan 2026, 23:30\u00a0(UTC)"},
		{"../../etc/passwd", winter, "31 Jan 2026, 23:30\u00a0(UTC)"},
		{"Europe/\x00Berlin", winter, "31 Jan 2026, 23:30\u00a0(UTC)"},
		{strings.Repeat("a", 10000), winter, "31 Jan 2026, 23:30\u00a0(UTC)"},
	} {
		if got := components.DateTime(components.WithZone(context.Background(), c.zone), c.moment); got != c.want {
			t.Errorf("in %.40q: %q, want %q", c.zone, got, c.want)
		}
	}
}
