package handlers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Each planted fault changes what its alert reads. At full depth Prometheus' own promtool shows that within two minutes
// exactly the fault's alerts fire, and none before and in a quiet hour.
func TestFaultsRaiseAlarms(t *testing.T) {
	t.Parallel()
	rules := alertRules(t)
	var selectors []selector
	for _, expr := range rules {
		selectors = append(selectors, selectorsOf(expr)...)
	}
	for _, query := range panelQueries(t) {
		selectors = append(selectors, selectorsOf(query)...)
	}
	var mu sync.Mutex
	exported := map[string]bool{}
	reported := map[string]bool{"CreditsDown": true, "CreditsRestarts": true, "CreditsPoolWaits": true}
	var histories []history
	if dbtest.Full() {
		histories = []history{quietHour(t, selectors), serverDown(), restarts(), poolWaits()}
	}
	t.Run("faults", func(t *testing.T) {
		shared := newAlarmFixture(t)
		for _, fault := range alarmFaults {
			t.Run(fault.name, func(t *testing.T) {
				f := shared // promtool wants each fault on a server of its own
				if f.t = t; fault.alone || dbtest.Full() {
					t.Parallel()
					f = newAlarmFixture(t)
				}
				h := f.suffer(fault, selectors, rules[fault.alerts[0]])
				mu.Lock()
				defer mu.Unlock()
				histories = append(histories, h)
				for _, name := range fault.alerts {
					reported[name] = true
				}
				for _, series := range []map[string]float64{h.before, h.after} {
					for name := range series {
						exported[name] = true
					}
				}
			})
		}
	})
	for name := range rules {
		if !reported[name] {
			t.Errorf("no planted fault raises %s", name)
		}
	}
	checkSeriesExist(t, exported)
	if dbtest.Full() {
		checkAlarms(t, histories)
	}
}

// suffer plants a fault, and waits for a scrape that shows it to the rule of its alert.
func (f *alarmFixture) suffer(fault alarmFault, selectors []selector, rule string) history {
	f.t.Helper()
	h := history{fault: fault, before: f.answered(selectors), started: time.Now()}
	fault.plant(f)
	dbtest.Eventually(f.t, "a scrape that shows the fault to "+fault.alerts[0], func() bool {
		h.after = f.read(selectors)
		return slices.ContainsFunc(selectorsOf(rule), func(s selector) bool { return s.changed(h.before, h.after) })
	})
	return h
}

// changed reports whether what the selector reads differs between two scrapes.
func (s selector) changed(before, after map[string]float64) bool {
	for _, pair := range [][2]map[string]float64{{before, after}, {after, before}} {
		for name := range pair[0] {
			if value, there := pair[1][name]; s.selects(name) && (!there || value != pair[0][name]) {
				return true
			}
		}
	}
	return false
}

// history is what Prometheus has scraped: quietSamples of before, and then after.
type history struct {
	fault         alarmFault
	before, after map[string]float64
	started       time.Time // about when both were scraped
}

const (
	scrapeInterval = 15 * time.Second
	quietSamples   = 40 // ten minutes
	faultSamples   = 20
	hourSamples    = 240
)

// quietHour is the traffic of a quiet time, repeated for an hour. Figures that only grow in tests stay as they are.
func quietHour(t *testing.T, selectors []selector) history {
	t.Helper()
	f := newAlarmFixture(t)
	before := f.answered(selectors)
	f.serveVisitors()
	return history{fault: alarmFault{name: "a quiet hour"}, before: before, after: f.answered(selectors),
		started: time.Now()}
}

// serverDown, restarts and poolWaits are faults that no server within a test can have.
func serverDown() history {
	return history{fault: alarmFault{name: "a server that does not answer", alerts: []string{"CreditsDown"}},
		before: map[string]float64{"up": 1}, after: map[string]float64{"up": 0}, started: time.Now()}
}

func restarts() history {
	return history{fault: alarmFault{name: "a server that restarts", alerts: []string{"CreditsRestarts"}},
		before: map[string]float64{"process_start_time_seconds": 1_800_000_000},
		after:  map[string]float64{"process_start_time_seconds": 1_800_000_600}, started: time.Now()}
}

func poolWaits() history {
	const wait = `go_sql_wait_duration_seconds_total{db_name="credits"}`
	return history{fault: alarmFault{name: "a pool in use", alerts: []string{"CreditsPoolWaits"}},
		before: map[string]float64{wait: 0}, after: map[string]float64{wait: 60}, started: time.Now()}
}

// values writes a series as promtool reads it.
func (h history) values(name string) string {
	metric, _, _ := strings.Cut(name, "{")
	before, known := h.before[name]
	after, remains := h.after[name]
	counter := slices.ContainsFunc([]string{"_total", "_bucket", "_count"}, func(suffix string) bool {
		return strings.HasSuffix(metric, suffix)
	})
	switch {
	case len(h.fault.alerts) == 0 && counter:
		return fmt.Sprintf("%g%+gx%d", before, (after-before)/10, hourSamples)
	case len(h.fault.alerts) == 0:
		return fmt.Sprintf("%g+0x%d", before, hourSamples)
	case metric == "process_start_time_seconds" && known && before != after: // again and again
		return fmt.Sprintf("%g+0x%d %g+15x%d", before, quietSamples-1, after, faultSamples)
	}
	quiet, fault := fmt.Sprintf("_x%d", quietSamples), fmt.Sprintf("_x%d", faultSamples)
	if known {
		quiet = fmt.Sprintf("%g+0x%d", before, quietSamples-1)
	}
	if step := after - before; remains && counter && !h.fault.once {
		fault = fmt.Sprintf("%g%+gx%d", after, step, faultSamples)
	} else if remains {
		fault = fmt.Sprintf("%g+0x%d", after, faultSamples)
	}
	return quiet + " " + fault
}

// series are the input of promtool for the history.
func (h history) series() (all []map[string]string) {
	names := maps.Clone(h.before)
	maps.Copy(names, h.after)
	if _, there := names["up"]; !there {
		all = append(all, map[string]string{"series": `up{job="credits",instance="credits:3000"}`,
			"values": fmt.Sprintf("1+0x%d", hourSamples)})
	}
	for name := range names {
		metric, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		if labels != "" {
			labels += ","
		}
		all = append(all, map[string]string{"series": metric + "{" + labels + `job="credits",instance="credits:3000"}`,
			"values": h.values(name)})
	}
	return all
}

// firing is a question to promtool: which alerts fire at a moment?
func firing(at time.Duration, names ...string) map[string]any {
	samples := []map[string]any{}
	for _, name := range names {
		samples = append(samples, map[string]any{"labels": fmt.Sprintf("{alertname=%q}", name), "value": 1})
	}
	return map[string]any{"expr": `count by (alertname) (ALERTS{alertstate="firing"})`, "eval_time": at.String(),
		"exp_samples": samples}
}

// group is the history's test for promtool.
func (h history) group() map[string]any {
	planted := quietSamples * scrapeInterval
	questions := []map[string]any{firing(planted - scrapeInterval), firing(planted+2*time.Minute, h.fault.alerts...)}
	start := h.started.Add(-planted - time.Minute)
	if len(h.fault.alerts) == 0 {
		questions = nil
		for minute := range 60 {
			questions = append(questions, firing(time.Duration(minute)*time.Minute))
		}
		start = h.started.Add(-time.Hour)
	}
	return map[string]any{"name": h.fault.name, "interval": scrapeInterval.String(), "input_series": h.series(),
		"promql_expr_test": questions, "start_timestamp": start.UTC().Format(time.RFC3339)}
}

// checkAlarms lets promtool evaluate the rules over the histories.
func checkAlarms(t *testing.T, histories []history) {
	t.Helper()
	var groups []map[string]any
	for _, h := range histories {
		groups = append(groups, h.group())
	}
	promtool(t, map[string]any{"rule_files": []string{"alerts.yml"}, "evaluation_interval": scrapeInterval.String(),
		"fuzzy_compare": true, "tests": groups})
}
