package routes_test

import (
	"testing"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate/routes"
)

// The features that the preset charges for.
var features = []string{"resume_analysis", "job_match", "resume_improvement"}

const jsonType = "application/json"

func parsePreset(tb testing.TB) *routes.Table {
	tb.Helper()
	table, err := routes.Parse(routes.Preset(), features)
	if err != nil {
		tb.Fatalf("the preset does not parse: %v", err)
	}
	return table
}

// parse reads a table that must be valid.
func parse(t *testing.T, text string) *routes.Table {
	t.Helper()
	table, err := routes.Parse([]byte(text), features)
	if err != nil {
		t.Fatalf("the table does not parse: %v", err)
	}
	return table
}

// match returns the rule of a route that must have one.
func match(tb testing.TB, table *routes.Table, method string, path routes.Path) *routes.Rule {
	tb.Helper()
	rule, err := table.Match(method, path)
	if err != nil {
		tb.Fatalf("%s %s: %v, want a rule", method, path, err)
	}
	return rule
}

// refused checks that an error is this fault.
func refused(t *testing.T, err error, code fault.Code, problem fault.Problem) {
	t.Helper()
	if f := fault.Of(err); f == nil || f.Code != code || f.Problem != problem {
		t.Errorf("error = %v, want %s %s", err, code, problem)
	}
}
