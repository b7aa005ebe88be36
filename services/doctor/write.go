package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/resume-matcher/credits/services/config"
)

// startAreas are what a server needs before it starts; all others are needed before it sells.
var startAreas = []string{"doctor.area.configuration", "doctor.area.sandbox", "doctor.area.session",
	"doctor.area.address", "doctor.area.database", "doctor.area.pooler", "doctor.area.role", "doctor.area.sign_in",
	"doctor.area.resume_matcher"}

// Say translates a locale key.
type Say = func(key string, args map[string]any) string

// Write prints the findings in two groups, what must be right before the server starts and before it sells, then a
// summary and what to do next. A new webhook secret is printed here only.
func Write(w io.Writer, mode config.Mode, checks []Check, say Say) error {
	var text strings.Builder
	count := map[Level]int{}
	for _, c := range checks {
		count[c.Level]++
	}
	sorted := group(checks)
	for i, heading := range []string{"doctor.group.start", "doctor.group.sell"} {
		if len(sorted[i]) > 0 {
			fmt.Fprintf(&text, "%s\n", say(heading, nil))
			writeLines(&text, checks, sorted[i], say)
			text.WriteString("\n")
		}
	}
	key, args := next(mode, slices.Concat(sorted[0], sorted[1]))
	if area, named := args["area"].(string); named {
		args["area"] = say(area, nil)
	}
	fmt.Fprintf(&text, "%s\n%s\n", say("doctor.summary",
		facts{"ok": count[OK], "warning": count[Warning], "red": count[Red]}), say(key, args))
	_, err := io.WriteString(w, text.String())
	return err
}

// group splits the findings into what is needed to start and what is needed to sell.
func group(checks []Check) (groups [2][]Check) {
	for _, c := range checks {
		i := 1
		if slices.Contains(startAreas, c.Area) {
			i = 0
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// writeLines prints a line for each finding of a group; the columns are as wide as all findings need.
func writeLines(text *strings.Builder, all, group []Check, say Say) {
	levels, areas := 0, 0
	marks := map[Level]string{OK: say("doctor.level.ok", nil), Warning: say("doctor.level.warning", nil),
		Red: say("doctor.level.red", nil)}
	for _, c := range all {
		levels = max(levels, utf8.RuneCountInString(marks[c.Level]))
		areas = max(areas, utf8.RuneCountInString(say(c.Area, nil)))
	}
	for _, c := range group {
		fmt.Fprintf(text, "  %-*s  %-*s  %s\n", levels, marks[c.Level], areas, say(c.Area, nil), say(c.Text, c.Args))
		if c.Secret != "" {
			fmt.Fprintf(text, "\n    STRIPE_WEBHOOK_SECRET=%s\n\n", c.Secret.Reveal())
		}
	}
}

// mendable are the red findings that doctor --fix corrects.
var mendable = []string{"doctor.database.older", "doctor.endpoint.missing", "doctor.endpoint.version",
	"doctor.endpoint.disabled", "doctor.endpoint.events", "doctor.prices.missing", "doctor.prices.inactive",
	"doctor.prices.differs", "doctor.prices.table", "doctor.prices.unmirrored"}

// next returns the text that says what to do next: about the first red finding, or else how to go on.
func next(mode config.Mode, checks []Check) (key string, args facts) {
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Level == Red })
	switch {
	case i < 0 && mode == config.Sandbox:
		return "doctor.next.sandbox", nil
	case i < 0:
		return "doctor.next.serve", nil
	case slices.Contains(mendable, checks[i].Text):
		return "doctor.next.fix", nil
	case checks[i].Setting != "":
		return "doctor.next.setting", facts{"setting": checks[i].Setting}
	}
	return "doctor.next.area", facts{"area": checks[i].Area}
}
