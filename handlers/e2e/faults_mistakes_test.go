package e2e

import (
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A scenario that falls short with no mistake shows nothing when it holds.
func TestEveryScenarioFindsAMistake(t *testing.T) {
	t.Parallel()
	finding := map[string]string{}
	for _, m := range mistakes(t) {
		for _, name := range m.scenarios() {
			finding[name] = m.name
		}
	}
	for _, s := range scenarios {
		if finding[s.name] == "" {
			t.Errorf("no mistake in testdata/mistakes names the scenario %q", s.name)
		}
		delete(finding, s.name)
	}
	for name, m := range finding {
		t.Errorf("the mistake %q names %q, which is no scenario", m, name)
	}
}

// scenarios are those that must fall short with the mistake.
func (m mistake) scenarios() []string {
	return slices.DeleteFunc(strings.Split(m.header("Faults"), "|"), func(name string) bool { return name == "" })
}

// TestFaultsFindMistakes plants each mistake with the header Faults: every one of these scenarios must fall short.
// That they hold without it, make faults shows.
func TestFaultsFindMistakes(t *testing.T) {
	plantEach(t, "Faults", func(t *testing.T, dir string, m mistake) {
		apply(t, dir, m.patch)
		defer apply(t, dir, m.patch, "--reverse")
		out := runScenarios(t, dir, m.scenarios())
		if uncompiled(out) {
			t.Fatalf("the mistake does not compile:\n%s", out)
		}
		t.Logf("%s", regexp.MustCompile(`(?m)^ *\d+ s  .*$`).FindAllString(out, -1)) // the verdicts
		for _, name := range m.scenarios() {
			if !strings.Contains(out, "--- FAIL: TestFaults/"+strings.ReplaceAll(name, " ", "_")+" (") {
				t.Errorf("%s: does not fall short with the mistake:\n%s", name, out)
			}
		}
	})
}

// runScenarios runs scenarios of TestFaults in a copy of the sources, with the history of these.
func runScenarios(t *testing.T, dir string, names []string) (out string) {
	t.Helper()
	history, err := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "rev-parse",
		"--absolute-git-dir").Output()
	if err != nil {
		t.Fatalf("the roll-outs need the history of this repository: %v", err)
	}
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_"))
	}
	run := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-timeout", "30m", "-run",
		"^TestFaults$/^("+strings.Join(patterns, "|")+")$", "./handlers/e2e")
	run.Dir = dir
	run.Env = append(os.Environ(), "FAULTS="+untilFailed, "SOAK="+cmp.Or(os.Getenv("SOAK"), "4m"),
		"GIT_DIR="+strings.TrimSpace(string(history)))
	text, _ := run.CombinedOutput() // it fails: the output says which scenarios did
	return string(text)
}
