package handlers

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/health"
	"github.com/resume-matcher/credits/services/metrics"
	"github.com/resume-matcher/credits/services/spend"
)

// monitored serves the fixture's server with metrics and returns its address.
func (f *fixture) monitored() string {
	f.t.Helper()
	if f.handler.Health.Check == nil {
		f.handler.Health.Check = func(context.Context) []health.Problem { return nil }
	}
	pool, err := f.db.DB()
	if err != nil {
		f.t.Fatal(err)
	}
	f.handler.Metrics = metrics.New(metrics.Options{Version: "v1.2.3", Mode: "test", Pool: pool, Now: time.Now,
		Figures: (&admin.Service{DB: f.db}).Figures, Problems: f.handler.Health.Problems,
		Codes: []string{"internal"}, Reasons: []string{"secret", "time"}})
	f.app = NewApp(f.handler)
	address, _ := f.serve(transport.Slots{})
	return address
}

// scrape reads /metrics: the value of each series, and the whole text.
func (f *fixture) scrape(address string) (series map[string]float64, text string) {
	f.t.Helper()
	res, text := dial(f.t, address).send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		f.t.Fatalf("/metrics: status %d, type %s; want 200 and text", res.StatusCode, res.Header.Get("Content-Type"))
	}
	series = map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.Contains(line, "{") {
			name += "}"
		} else {
			name, value, _ = strings.Cut(strings.TrimSpace(line), " ")
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			series[name] = n
		}
	}
	return series, text
}

// Each figure is what SQL counts, after purchases, refunds, grants, spends, holds, events, reviews and findings.
func TestMetricsEqualTheDatabase(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	ctx, owner := t.Context(), f.users["owner"]
	if _, err := f.handler.Spend.Spend(ctx, spend.Request{UserID: owner, Feature: "job_match"}); err != nil {
		t.Fatal(err)
	}
	for _, capture := range []bool{true, false} {
		if err := f.endHold(spend.Request{UserID: owner, Feature: "resume_analysis"}, capture); err != nil {
			t.Fatal(err)
		}
	}
	for query, args := range map[string][]any{
		`WITH entry AS (INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after)
			VALUES (@user, -100, 'refund', 0)) UPDATE users SET credits_balance = credits_balance - 100 WHERE id = @user`: {
			map[string]any{"user": owner}},
		`WITH entry AS (INSERT INTO credit_transactions (user_id, delta_credits, reason, balance_after)
			VALUES (@user, -7, 'dispute', 0)) UPDATE users SET credits_balance = credits_balance - 7 WHERE id = @user`: {
			map[string]any{"user": owner}},
		storePurchase: {owner},
		`INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe, received_at)
			VALUES ('evt_d', 'charge.refunded', '', false, '{}', 'deferred', 0, now() - interval '90 seconds'),
			('evt_o', 'charge.refunded', '', false, '{}', 'done', 0, now())`: nil,
		`UPDATE holds SET created_at = now() - interval '1 hour', expires_at = now() - interval '2 minutes'
			WHERE status = 'open'`: nil,
		`INSERT INTO webhook_deliveries (endpoint_id, type, status)
			SELECT gen_random_uuid(), 'credits.low', unnest(ARRAY['pending', 'pending', 'failed'])`: nil,
		`INSERT INTO letters (id, kind, key, locale, status, created_at) SELECT gen_random_uuid(), 'refunded', n, 'de',
			(ARRAY['waiting', 'failed', 'dropped'])[n], now() - interval '2 minutes' FROM generate_series(1, 3) n`: nil,
		`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, next_attempt_at, created_at)
			SELECT gen_random_uuid(), (SELECT id FROM purchases LIMIT 1), 'waits ' || n, 100, '', now(),
				now() - n * interval '50 minutes' FROM generate_series(1, 2) n`: nil,
		`UPDATE stripe_events SET last_error = 'failed ada@example.com' WHERE event_id = 'evt_2'`: nil,
	} {
		if err := f.db.Exec(query, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	sum := func(where string) string {
		return "SELECT coalesce(sum(delta_credits), 0) FROM credit_transactions " + where
	}
	want := []struct{ name, query string }{
		{`credits_sold`, sum(`WHERE reason = 'purchase'`)},
		{`credits_refunded`, `SELECT -(` + sum(`WHERE reason IN ('refund', 'dispute')`) + `)`},
		{`credits_granted`, sum(`WHERE reason = 'manual'`)},
		{`credits_spent`, `SELECT -(` + sum(`WHERE reason NOT IN ('purchase', 'refund', 'dispute', 'manual')`) + `)`},
		{`credits_outstanding`, sum(``)},
		{`credits_held`, `SELECT sum(credits) FROM holds WHERE status = 'open'`},
		{`credits_holds_overdue`, `SELECT count(*) FROM holds WHERE status = 'open'
			AND expires_at < now() - interval '1 minute'`},
		{`credits_figures_up`, `SELECT 1`},
		{`credits_health_problem{problem="clock_differs"}`, `SELECT 1`},
		{`credits_health_problem{problem="database_away"}`, `SELECT 0`},
		{`credits_refusals_total{code="internal"}`, `SELECT 0`},
		{`credits_stripe_events_refused_total{reason="time"}`, `SELECT 0`},
		{`credits_reviews{cause="",kind="event"}`, `SELECT count(*) FROM stripe_events
			WHERE status = 'review' AND last_error = ''`},
		{`credits_reviews{cause="failed",kind="event"}`, `SELECT count(*) FROM stripe_events
			WHERE status = 'review' AND last_error <> ''`},
		{`credits_reviews{cause="",kind="purchase"}`, `SELECT count(*) FROM purchases
			WHERE status = 'review' AND cause = ''`},
		{`credits_reviews{cause="",kind="finding"}`, `SELECT count(*) FROM reconciliation_findings
			WHERE kind = 'review' AND note = ''`},
		{`credits_reviews{cause="no_answer",kind="refund"}`, `SELECT count(*) FROM refund_requests
			WHERE status = 'pending' AND created_at < now() - interval '1 hour'`},
		{`credits_reviews{cause="resumes_away",kind="resumes"}`, `SELECT count(*) FROM gate_users WHERE deletion_attempts > 0`},
		{`credits_reconcile_last_success_timestamp_seconds`, `SELECT floor(extract(epoch FROM max(finished_at)))
			FROM reconciliations`},
	}
	for _, s := range models.StripeEventStatuses() {
		want = append(want, counted("credits_stripe_events", "stripe_events", "status", string(s)))
	}
	for _, s := range models.HoldStatuses() {
		want = append(want, counted("credits_holds", "holds", "status", string(s)))
	}
	for _, s := range models.DeliveryStatuses() {
		want = append(want, counted("credits_webhook_deliveries", "webhook_deliveries", "status", string(s)))
	}
	for _, s := range models.LetterStatuses() {
		want = append(want, counted("credits_letters", "letters", "status", string(s)))
	}
	for _, k := range models.FindingKinds() {
		want = append(want, counted("credits_reconcile_findings", "reconciliation_findings", "kind", string(k)))
	}
	f.handler.Health.Check = func(context.Context) []health.Problem { return []health.Problem{health.ClockDiffers} }
	series, text := f.scrape(f.monitored())
	zeros := 0
	for _, w := range want {
		var n float64
		if err := f.db.Raw(w.query).Row().Scan(&n); err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if got, ok := series[w.name]; !ok || got != n {
			t.Errorf("%s = %v (exported %v), want %v as in the database", w.name, got, ok, n)
		}
		if n == 0 {
			zeros++
		}
	}
	if zeros > len(want)/2 {
		t.Errorf("%d of %d figures are 0, want a history that moves most of them", zeros, len(want))
	}
	for name, oldest := range map[string]struct {
		least float64
		query string
	}{
		`credits_stripe_event_oldest_age_seconds{status="deferred"}`: {90, `SELECT min(received_at) FROM stripe_events
			WHERE status = 'deferred'`},
		`credits_letter_oldest_waiting_age_seconds`: {120, `SELECT min(created_at) FROM letters WHERE status = 'waiting'`},
	} {
		var most float64 // now, after the scrape
		if err := f.db.Raw(`SELECT extract(epoch FROM now() - (` + oldest.query + `))`).Row().Scan(&most); err != nil {
			t.Fatal(err)
		}
		if age := series[name]; age < oldest.least || age > most {
			t.Errorf("%s = %v s, want %v to %v s", name, age, oldest.least, most)
		}
	}
	if age := series["credits_webhook_delivery_oldest_waiting_age_seconds"]; age != 0 {
		t.Errorf("age of deliveries to a deleted endpoint = %v s, want 0", age)
	}
	if strings.Contains(text, "@") || strings.Contains(text, "example.") {
		t.Error("the metrics hold an address, want no person's data")
	}
}

// counted pairs a series with the statement that counts the rows of its label.
func counted(series, table, column, value string) struct{ name, query string } {
	return struct{ name, query string }{fmt.Sprintf("%s{%s=%q}", series, column, value),
		fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s = '%s'`, table, column, value)}
}

// endHold holds credits, then captures or releases them.
func (f *fixture) endHold(r spend.Request, capture bool) error {
	held, err := f.handler.Spend.Hold(f.t.Context(), spend.HoldRequest{Request: r})
	switch {
	case err != nil:
	case capture:
		_, err = f.handler.Spend.Capture(f.t.Context(), r.Caller, held.ID.String(), nil)
	default:
		_, err = f.handler.Spend.Release(f.t.Context(), r.Caller, held.ID.String())
	}
	return err
}

// A request counts under the pattern of its route, so that senders cannot invent series.
func TestRequestsAreCountedByRoute(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address := f.monitored()
	poor := "Cookie: " + f.signIn(f.user("ada@example.com", 0).ID) + "\r\n"
	for _, request := range []string{
		"GET /en/login HTTP/1.1\r\n", "HEAD /de/login HTTP/1.1\r\n", "GET /en/purchase/invented HTTP/1.1\r\n",
		"GET /invented HTTP/1.1\r\n", "GET /en/invented HTTP/1.1\r\n", "INVENTED / HTTP/1.1\r\n",
		"POST /api/stripe/webhook HTTP/1.1\r\nContent-Length: 2\r\n",
		"POST /api/credits/spend HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 23\r\n" + poor,
	} {
		body := map[bool]string{true: `{}`}[strings.Contains(request, "Length: 2\r")]
		if strings.Contains(request, "spend") {
			body = `{"feature":"job_match"}`
		}
		c := dial(t, address)
		if _, err := c.conn.Write([]byte(request + "Host: localhost\r\nConnection: close\r\n\r\n" + body)); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(request, " ")
		c.receive(method)
	}
	series, text := f.scrape(address)
	for name, want := range map[string]float64{
		`credits_http_requests_total{method="GET",route="/:locale/login",status="200"}`:         1,
		`credits_http_requests_total{method="HEAD",route="/:locale/login",status="200"}`:        1,
		`credits_http_requests_total{method="GET",route="/:locale/purchase/:id",status="303"}`:  1,
		`credits_http_requests_total{method="GET",route="/",status="404"}`:                      2,
		`credits_http_requests_total{method="other",route="",status="405"}`:                     1,
		`credits_http_requests_total{method="POST",route="/api/stripe/webhook",status="400"}`:   1,
		`credits_http_requests_total{method="POST",route="/api/credits/spend",status="402"}`:    1,
		`credits_http_request_duration_seconds_count{method="POST",route="/api/credits/spend"}`: 1,
		`credits_refusals_total{code="insufficient_credits"}`:                                   1,
		`credits_refusals_total{code="not_found"}`:                                              2,
		`credits_stripe_events_refused_total{reason="header"}`:                                  1,
		`credits_build_info{mode="test",version="v1.2.3"}`:                                      1,
	} {
		if series[name] != want {
			t.Errorf("%s = %v, want %v", name, series[name], want)
		}
	}
	if strings.Contains(strings.ToLower(text), "invented") {
		t.Error("a label holds what a sender invented")
	}
	if !strings.Contains(text, "go_sql_max_open_connections") || !strings.Contains(text, "go_goroutines") {
		t.Error("the database pool or the process is missing")
	}
}

// Without METRICS_TOKEN only a program on this machine reads the metrics, and no one through a proxy; with it only its
// bearer does, from anywhere.
func TestMetricsAreForMonitors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address := f.monitored()
	ask := func(lines string) int {
		res, _ := dial(t, address).send("GET /metrics HTTP/1.1\r\n" + lines + "\r\n")
		return res.StatusCode
	}
	const known = "4be1c07f93d52a86"
	for lines, want := range map[string][2]int{ // without and with a token
		"Host: localhost\r\n": {200, 401},
		"Host: 127.0.0.1:3000\r\nAuthorization: Bearer " + known + "\r\n":                    {200, 200},
		"Host: 127.0.0.1:3000\r\nAuthorization: Bearer " + known + "0\r\n":                   {200, 401},
		"Host: 127.0.0.1:3000\r\nAuthorization: Basic " + known + "\r\n":                     {200, 401},
		"Host: 127.0.0.1:3000\r\nAuthorization: Bearer \r\n":                                 {200, 401},
		"Host: credits.example.com\r\n":                                                      {404, 401},
		"Host: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n":                                  {404, 401},
		"Host: localhost\r\nX-Real-IP: 127.0.0.1\r\n":                                        {404, 401},
		"Host: localhost\r\nForwarded: for=127.0.0.1\r\n":                                    {404, 401},
		"Host: localhost\r\nVia: 1.1 proxy\r\n":                                              {404, 401},
		"Host: localhost\r\nX-Forwarded-For: ::1\r\nAuthorization: Bearer " + known + "\r\n": {404, 200},
	} {
		f.handler.Site.MetricsToken = ""
		without := ask(lines)
		f.handler.Site.MetricsToken = known
		if got := [2]int{without, ask(lines)}; got != want {
			t.Errorf("%q: status %v without and with a token, want %v", lines, got, want)
		}
	}
	f.handler.Site.MetricsToken = ""
	if res, _ := dial(t, address).send("GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:3000\r\n\r\n"); res.StatusCode != 404 {
		t.Errorf("by nginx without any setting: status %d, want 404", res.StatusCode)
	}
	f.handler.Site.MetricsToken = known
	// the peer of call is not a loopback address
	if r := f.call(http.MethodGet, "/metrics", "", "Authorization: Bearer "+known); r.status != 200 {
		t.Errorf("from another machine with the token: status %d, want 200", r.status)
	}
	f.handler.Site.MetricsToken = ""
	if r := f.call(http.MethodGet, "/metrics", ""); r.status != 404 {
		t.Errorf("from another machine without a token: status %d, want 404", r.status)
	}
}
