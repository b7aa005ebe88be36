package handlers

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// monitoring is the directory of what operators give to Prometheus, Alertmanager and Grafana.
const monitoring = "../static/ops/monitoring/"

// alertRules are the rules of alerts.yml by their names.
func alertRules(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(monitoring + "alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			rules[rule.Alert] = rule.Expr
		}
	}
	return rules
}

// panelQueries are the queries of the dashboard's panels by their titles, with Grafana's variables replaced.
func panelQueries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title] += strings.ReplaceAll(target.Expr, "$__rate_interval", "1m") + " or "
		}
	}
	return queries
}

// selector is what one part of a PromQL expression reads.
type selector struct {
	metric   string
	matchers [][3]string // label, operator and value
}

var (
	selectorPattern = regexp.MustCompile(`\b(credits|go|process)_[a-z_]+\b(\{[^}]*\})?`)
	matcherPattern  = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
)

// selectorsOf finds what an expression reads of our metrics.
func selectorsOf(expr string) (all []selector) {
	for _, text := range selectorPattern.FindAllString(expr, -1) {
		metric, matchers, _ := strings.Cut(text, "{")
		s := selector{metric: metric}
		for _, m := range matcherPattern.FindAllStringSubmatch(matchers, -1) {
			if m[1] != "job" { // Prometheus adds it
				s.matchers = append(s.matchers, [3]string{m[1], m[2], m[3]})
			}
		}
		all = append(all, s)
	}
	return all
}

// selects reports whether the selector reads a series such as name{label="value"}.
func (s selector) selects(series string) bool {
	metric, rest, _ := strings.Cut(series, "{")
	if metric != s.metric {
		return false
	}
	labels := map[string]string{}
	for _, m := range matcherPattern.FindAllStringSubmatch(rest, -1) {
		labels[m[1]] = m[3]
	}
	return !slices.ContainsFunc(s.matchers, func(m [3]string) bool {
		same := labels[m[0]] == m[2]
		if strings.HasSuffix(m[1], "~") {
			same = regexp.MustCompile(`^(?:` + m[2] + `)$`).MatchString(labels[m[0]])
		}
		return same == strings.HasPrefix(m[1], "!")
	})
}

// A rule or panel whose series nobody exports would be silent for ever.
func checkSeriesExist(t *testing.T, exported map[string]bool) {
	t.Helper()
	queries := alertRules(t)
	for title, query := range panelQueries(t) {
		queries["panel "+title] = query
	}
	for name, query := range queries {
		found := selectorsOf(query)
		if len(found) == 0 && !strings.Contains(query, "up{") {
			t.Errorf("%s reads no metric of ours: %s", name, query)
		}
		for _, s := range found {
			some := false
			for series := range exported {
				some = some || s.selects(series)
			}
			if !some {
				t.Errorf("%s reads %s with %v, and no server exports that", name, s.metric, s.matchers)
			}
		}
	}
}
