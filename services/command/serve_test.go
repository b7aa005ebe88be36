package command

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/config"
)

// At its start the server says where everything is, in the operator's language.
func TestAnnounceNamesResumeMatcher(t *testing.T) {
	t.Parallel()
	texts, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	ours := config.ResumeMatcher{URL: "http://localhost:3103"}
	standIn := config.ResumeMatcher{URL: "http://localhost:3003", Control: "http://localhost:3003/control"}
	for name, c := range map[string]struct {
		lang        string
		gate        config.ResumeMatcher
		want, other string
	}{
		"its own":     {"en", ours, "Matcher  http://localhost:3103", "Break"},
		"in German":   {"de", ours, "Matcher     http://localhost:3103", "Stören"},
		"a stand-in":  {"en", standIn, "Break    http://localhost:3003/control", "Matcher  "},
		"without one": {"en", config.ResumeMatcher{}, "Open     http://localhost:3000", "Matcher  "},
	} {
		var out bytes.Buffer
		p := &Program{Stdout: &out, Log: slog.New(slog.DiscardHandler),
			Config: config.Config{AppURL: "http://localhost:3000", ResumeMatcher: c.gate}}
		ctx, _ := texts.Context(t.Context(), c.lang)
		p.Announce(ctx)
		if got := out.String(); !strings.Contains(got, c.want) || strings.Contains(got, c.other) {
			t.Errorf("%s: want %q and no %q:\n%s", name, c.want, c.other, got)
		}
	}
}
