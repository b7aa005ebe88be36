package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/config"
)

// Level is how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and somebody should know
	Red     Level = "red"     // it must be mended
)

// Check is one finding. Its texts are locale keys.
type Check struct {
	Area    string // what was checked
	Level   Level
	Text    string // what was found and, unless it is ok, what to do
	Args    map[string]any
	Setting string        // the variable that is wrong, where it is one
	Secret  config.Secret // a new webhook secret, to be shown this once
}

type facts = map[string]any

// area is what is checked.
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

// wrong is red about the value of one variable.
func (a area) wrong(setting, text string) []Check {
	return []Check{{Area: string(a), Level: Red, Text: text, Args: facts{"setting": setting}, Setting: setting}}
}

// Ill reports whether any finding is red.
func Ill(checks []Check) bool {
	return slices.ContainsFunc(checks, func(c Check) bool { return c.Level == Red })
}

// Write prints the findings, a line each, and what they come to. say puts a locale key into words. A new webhook
// secret is printed here and nowhere else.
func Write(w io.Writer, checks []Check, say func(key string, args map[string]any) string) error {
	marks := map[Level]string{OK: say("doctor.level.ok", nil), Warning: say("doctor.level.warning", nil), Red: say("doctor.level.red", nil)}
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
	fmt.Fprintf(&text, "\n%s\n", say("doctor.summary", facts{"ok": count[OK], "warning": count[Warning], "red": count[Red]}))
	_, err := io.WriteString(w, text.String())
	return err
}
