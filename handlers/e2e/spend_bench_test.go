package e2e

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/spend"
)

const (
	spendEach   = 60  // requests per client and round
	pgbenchEach = 120 // transactions per pgbench client, the first third to warm up
)

// fiveTrips is a hand-written spend: begin, lock, insert, update, commit, in five round trips.
const fiveTrips = `\set owner random(:first, :last)
BEGIN;
SELECT credits_balance - credits_held AS available FROM users WHERE id = :owner FOR UPDATE \gset
INSERT INTO credit_transactions (user_id, delta_credits, reason, meta)
	VALUES (:owner, -5, 'job_match', jsonb_build_object('idempotency_key', gen_random_uuid()::text));
UPDATE users SET credits_balance = credits_balance - 5, updated_at = now() WHERE id = :owner;
END;
`

// BenchmarkSpend lets 32 clients spend, over 10,000 users and for a single one, in Go and over HTTP with a service
// key, and hold and capture. In each round pgbench runs the same transaction on the same durable database as the
// yardstick. Figures are medians over rounds, so run several (-benchtime 5x).
func BenchmarkSpend(b *testing.B) {
	s := newSpendBench(b)
	s.warm(b)
	for b.Loop() {
		for _, of := range []struct {
			name  string
			users int
		}{{"", len(s.fx.users)}, {"hot_", 1}} {
			s.runPgbench(b, of.name, of.users)
			s.measure(b, of.name+"go", of.users, s.spendInGo)
			s.measure(b, of.name+"http", of.users, s.spendOverHTTP)
			s.measure(b, of.name+"hold", of.users, s.holdAndCapture)
		}
	}
	s.report(b)
	dbtest.CheckLedger(b, s.fx.db)
}

// spendBench is the server, the service and the measurements.
type spendBench struct {
	fx      *fixture
	service *spend.Service
	conns   []*rawConn
	key     string
	pgbench *pgbench
	made    atomic.Int64 // idempotency keys used
	rates   map[string][]float64
	took    map[string][]time.Duration
}

func newSpendBench(b *testing.B) *spendBench {
	b.Helper()
	fx, server := newDurableFixture(b)
	s := &spendBench{fx: fx, pgbench: newPgbench(b, server), rates: map[string][]float64{},
		took: map[string][]time.Duration{}}
	fx.exec(b,
		`WITH entry AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) SELECT id, 100000000, 'manual' FROM users RETURNING user_id)
		UPDATE users SET credits_balance = 100000000 WHERE id IN (SELECT user_id FROM entry)`)
	s.service = &spend.Service{DB: fx.db, Log: slog.New(slog.DiscardHandler)}
	s.key = fx.serviceKey(b)
	site := start(b, append(fx.env(), "LOG_LEVEL=warn")...)
	for range benchConnections {
		s.conns = append(s.conns, dialRaw(b, site.url))
	}
	return s
}

// warm lets every database connection prepare its statements.
func (s *spendBench) warm(b *testing.B) {
	for _, work := range []func(*testing.B, int, int64) error{s.spendInGo, s.spendOverHTTP, s.holdAndCapture} {
		s.measure(b, "warm", len(s.fx.users), work)
	}
}

// runPgbench measures pgbench with as many users.
func (s *spendBench) runPgbench(b *testing.B, name string, users int) {
	b.Helper()
	if s.pgbench == nil {
		return
	}
	each := pgbenchEach
	if users == 1 {
		each /= 4 // they wait for one lock
	}
	rate, took := s.pgbench.run(b, fiveTrips, benchConnections, each, fmt.Sprintf("first=%d", s.fx.users[0]),
		fmt.Sprintf("last=%d", s.fx.users[users-1]))
	s.rates[name+"pgbench"] = append(s.rates[name+"pgbench"], rate)
	s.took[name+"pgbench"] = append(s.took[name+"pgbench"], took...)
}

// measure lets each client do its share of work, for users in turn.
func (s *spendBench) measure(b *testing.B, name string, users int,
	work func(b *testing.B, client int, user int64) error) {
	b.Helper()
	rate, took := runClients(b, benchConnections, spendEach, func(client, n int) error {
		return work(b, client, s.fx.users[(n*7919)%users])
	})
	s.rates[name] = append(s.rates[name], rate)
	s.took[name] = append(s.took[name], took...)
}

func (s *spendBench) request(user int64) spend.Request {
	return spend.Request{UserID: user, Feature: "job_match", Key: "go_" + strconv.FormatInt(s.made.Add(1), 10)}
}

func (s *spendBench) spendInGo(b *testing.B, _ int, user int64) error {
	_, err := s.service.Spend(b.Context(), s.request(user))
	return err
}

func (s *spendBench) holdAndCapture(b *testing.B, _ int, user int64) error {
	held, err := s.service.Hold(b.Context(), spend.HoldRequest{Request: s.request(user)})
	if err == nil {
		_, err = s.service.Capture(b.Context(), uuid.Nil, held.ID.String(), nil)
	}
	return err
}

func (s *spendBench) spendOverHTTP(_ *testing.B, client int, user int64) error {
	body := fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user)
	var out bytes.Buffer
	fmt.Fprintf(&out,
		"POST /api/credits/spend HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nIdempotency-Key: http_%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		s.conns[client].host, s.key, s.made.Add(1), len(body), body)
	return s.conns[client].post(out.Bytes(), 201)
}

// report writes rates and the 99th percentiles, ratios to pgbench last.
func (s *spendBench) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // drop the meaningless time per round
	for _, users := range []string{"", "hot_"} {
		yard := 0.0
		if s.pgbench != nil {
			yard = median(s.rates[users+"pgbench"])
		}
		for _, kind := range []string{"pgbench", "go", "http", "hold"} {
			name := users + kind
			if len(s.rates[name]) == 0 {
				continue
			}
			slices.Sort(s.took[name])
			b.ReportMetric(median(s.rates[name]), name+"/s")
			b.ReportMetric(float64(s.took[name][len(s.took[name])*99/100].Microseconds())/1000, name+"_p99_ms")
			row := figure{name: "spend, " + name, rates: s.rates[name], took: s.took[name]}
			if yard > 0 && kind != "pgbench" {
				b.ReportMetric(median(s.rates[name])/yard, name+"/pgbench")
				row.yard = s.rates[users+"pgbench"]
			}
			writeFigures(b, row)
		}
	}
}
