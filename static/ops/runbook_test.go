package ops_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/resume-matcher/credits/services/health"
)

// heading matches a paragraph of the runbook that is an alert's, and anchor a link to one.
var (
	heading = regexp.MustCompile(`(?m)^### (\w+)\n\n(.+)`)
	anchor  = regexp.MustCompile(`\]\(#(\w+)\)`)
)

// paragraphs are the runbook's paragraphs by the anchors that lead to them.
func paragraphs(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(read(t, "runbook.md"), -1) {
		found[strings.ToLower(m[1])] = true
	}
	return found
}

func TestEveryAlertHasItsParagraphOfTheRunbook(t *testing.T) {
	t.Parallel()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "monitoring/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	open := paragraphs(t)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			name := strings.ToLower(rule.Alert)
			if !open[name] {
				t.Errorf("%s has no paragraph in runbook.md, or two rules", rule.Alert)
			}
			delete(open, name)
			const page = "https://github.com/resume-matcher/credits/blob/main/static/ops/runbook.md#"
			if got := rule.Annotations["runbook_url"]; got != page+name {
				t.Errorf("%s: runbook_url = %s, want %s", rule.Alert, got, page+name)
			}
			if wait, err := time.ParseDuration(rule.For); err != nil || wait <= 0 || wait > 2*time.Minute {
				t.Errorf("%s: for = %q, want a duration up to 2 minutes", rule.Alert, rule.For)
			}
			if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity = %q, want critical or warning", rule.Alert, s)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s has no summary or no description", rule.Alert)
			}
		}
	}
	for name := range open {
		t.Errorf("runbook.md has a paragraph %s, and no alert has that name", name)
	}
}

func TestEveryProblemOfReadyzLeadsToAParagraph(t *testing.T) {
	t.Parallel()
	text, known := read(t, "runbook.md"), paragraphs(t)
	for _, p := range append(health.Problems(), health.Draining) {
		status := map[bool]string{true: "503", false: "200"}[p.Fatal()]
		row := regexp.MustCompile("(?m)^\\| `" + string(p) + "` \\| " + status + " \\| .*$").FindString(text)
		if link := anchor.FindStringSubmatch(row); link == nil {
			t.Errorf("runbook.md has no row for %s with status %s and a link", p, status)
		}
	}
	for _, link := range anchor.FindAllStringSubmatch(text, -1) {
		if !known[link[1]] {
			t.Errorf("runbook.md leads to #%s, which it lacks", link[1])
		}
	}
}
