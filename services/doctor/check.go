package doctor

import (
	"slices"

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

// AnyRed reports whether any finding is red.
func AnyRed(checks []Check) bool {
	return slices.ContainsFunc(checks, func(c Check) bool { return c.Level == Red })
}
