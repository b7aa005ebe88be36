package e2e

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/tracing/tracetest"
)

// line is one line of the log.
type line struct {
	Level, Msg, Version, Commit, Mode, Route string
	Port                                     int
	TransactionID                            int64 `json:"transaction_id"`
}

// lines parses the whole output of a program, each line of which must be JSON.
func lines(t *testing.T, text string) (all []line) {
	t.Helper()
	for raw := range strings.Lines(text) {
		var l line
		if err := json.Unmarshal([]byte(raw), &l); err != nil || l.Msg == "" {
			t.Errorf("no line of a JSON log: %q (%v)", raw, err)
		}
		all = append(all, l)
	}
	return all
}

// With LOG_FORMAT=json every line is JSON, from the start to the end. It begins within ten lines with what runs where,
// has one line for each entry of the ledger, none for a probe, and ends with "stopped". Traces tell of the purchase,
// and a report of an error. None of them, nor the metrics, holds what belongs to the user, with every statement logged.
func TestLogTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	address, collector, sentry := dbtest.URL(t), tracetest.New(t), newIngest(t)
	s := start(t, "DATABASE_URL="+address, "LOG_FORMAT=json", "LOG_LEVEL=debug",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+collector.URL, "SENTRY_DSN="+sentry.dsn)
	db, err := postgres.Open(address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	v := newVisitor(s, "en")
	v.signInNamed(canaryName, canaryAddress)
	canaries := []string{"Canary", "canary", canaryCard, v.find(`input[name="_csrf"]`).AttrOr("value", ""), v.cookie()}
	v.open("/en/purchase?package=500")
	v.submit("#place-order", "quantity", "1")
	v.submit("#pay")
	s.waitForOutput("credits moved")
	v.spend("resume_analysis")
	canaries = append(canaries, v.useServiceKey(address))
	v.changeName()
	v.receiveGrant(db)
	v.failOnce(db)
	request(t, v.client, "GET", s.url+"/readyz", "", nil)
	_, metrics := request(t, v.client, "GET", s.url+"/metrics", "", nil)
	s.stop()
	wantPurchaseStory(t, collector)
	sentry.wantError(t)
	wantNone(t, canaries, map[string]string{"log": s.out.String(), "metrics": metrics, "traces": string(collector.Raw()),
		"reports": sentry.String()})
	log := slices.DeleteFunc(lines(t, s.out.String()), func(l line) bool { return l.Level == "DEBUG" })
	started := slices.IndexFunc(log, func(l line) bool { return l.Msg == "started" })
	if started < 0 || started > 9 || log[started].Version == "" || log[started].Commit != builtCommit ||
		log[started].Mode != "sandbox" || log[started].Port == 0 {
		t.Errorf("line %d says that it started, want one of the first ten with version, commit, mode and port:\n%s", started+1, s.out)
	}
	if last := log[len(log)-1]; last.Msg != "stopped" {
		t.Errorf("the last line is %q, want stopped", last.Msg)
	}
	var moved []int64
	for _, l := range log {
		if l.Msg == "credits moved" {
			moved = append(moved, l.TransactionID)
		}
		if l.Route == "/readyz" {
			t.Error("a probe is logged above debug level")
		}
	}
	var rows []int64
	if err := db.Raw(`SELECT id FROM credit_transactions ORDER BY id`).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	if slices.Sort(moved); !slices.Equal(moved, rows) || len(rows) != 4 {
		t.Errorf("lines for entries %v, want one for each of %v", moved, rows)
	}
}

// A server that cannot start says why in its log's format.
func TestFailedStartIsALineOfTheLog(t *testing.T) {
	t.Parallel()
	out, code := command(t, []string{"LOG_FORMAT=json", "PORT=http"}, "serve")
	log := lines(t, out)
	if code != 1 || len(log) != 1 || log[0].Level != "ERROR" || !strings.Contains(out, "PORT must be") {
		t.Errorf("exit status %d, output %q; want 1 and one error line about PORT", code, out)
	}
}
