package components_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/locales"
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

// The law's time is Germany's, and says so, whatever the visitor's zone.
func TestLegalTimesNameTheirZone(t *testing.T) {
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	winter := time.Date(2026, time.January, 31, 23, 30, 0, 0, time.UTC)
	summer := time.Date(2026, time.July, 31, 22, 30, 0, 0, time.UTC)
	for code, want := range map[string][2]string{
		"de": {"01.02.2026, 00:30\u00a0Uhr\u00a0(MEZ)", "01.08.2026, 00:30\u00a0Uhr\u00a0(MESZ)"},
		"en": {"1 Feb 2026, 00:30\u00a0(CET)", "1 Aug 2026, 00:30\u00a0(CEST)"},
	} {
		for _, zone := range []string{"America/New_York", ""} {
			ctx, _ := texts.Context(components.WithZone(context.Background(), zone), code)
			if got := [2]string{components.LegalTime(ctx, winter), components.LegalTime(ctx, summer)}; got != want {
				t.Errorf("in %s, read in %q: %q, want %q", code, zone, got, want)
			}
		}
	}
}
