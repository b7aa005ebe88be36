package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/config"
)

// Level is the severity of a finding.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, with a risk
	Red     Level = "red"     // it must be corrected
)

// Check is one finding. Its texts are locale keys.
type Check struct {
	Area    string // what was checked
	Level   Level
	Text    string // the finding and, unless it is ok, what to do
	Args    map[string]any
	Setting string        // the invalid variable; may be empty
	Secret  config.Secret // a new webhook secret, printed once
}

type facts = map[string]any

// area is the locale key of what is checked.
type area string

func (a area) ok(text string, args facts) []Check {
	return []Check{{Area: string(a), Level: OK, Text: text, Args: args}}
}

func (a area) warning(text string, args facts) []Check {
	return []Check{{Area: string(a), Level: Warning, Text: text, Args: args}}
}

func (a area) red(text string, args facts) []Check {
	return []Check{{Area: string(a), Level: Red, Text: text, Args: args}}
}

// wrong is a red finding about one variable.
func (a area) wrong(setting, text string) []Check {
	return []Check{{Area: string(a), Level: Red, Text: text, Args: facts{"setting": setting}, Setting: setting}}
}

// Ill reports whether any finding is red.
func Ill(checks []Check) bool {
	return slices.ContainsFunc(checks, func(c Check) bool { return c.Level == Red })
}

// Write prints a line for each finding and a summary. say translates a locale key. A new webhook secret is printed here
// only.
func Write(w io.Writer, checks []Check, say func(key string, args map[string]any) string) error {
	marks := map[Level]string{OK: say("doctor.level.ok", nil), Warning: say("doctor.level.warning", nil),
		Red: say("doctor.level.red", nil)}
	levels, areas, count := 0, 0, map[Level]int{}
	for _, c := range checks {
		levels = max(levels, utf8.RuneCountInString(marks[c.Level]))
		areas = max(areas, utf8.RuneCountInString(say(c.Area, nil)))
		count[c.Level]++
	}
	var text strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&text, "%-*s  %-*s  %s\n", levels, marks[c.Level], areas, say(c.Area, nil), say(c.Text, c.Args))
		if c.Secret != "" {
			fmt.Fprintf(&text, "\n    STRIPE_WEBHOOK_SECRET=%s\n\n", c.Secret.Reveal())
		}
	}
	fmt.Fprintf(&text, "\n%s\n", say("doctor.summary",
		facts{"ok": count[OK], "warning": count[Warning], "red": count[Red]}))
	_, err := io.WriteString(w, text.String())
	return err
}
