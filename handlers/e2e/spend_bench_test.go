package e2e

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/spend"
)

const (
	spendEach = 60  // requests of each client in one round
	yardEach  = 120 // transactions of each client of pgbench, a third of them to warm up
)

// fiveTrips is a spend as one would write it by hand: begin, lock, insert, update, commit, five round trips.
const fiveTrips = `\set owner random(:first, :last)
BEGIN;
SELECT credits_balance - credits_held AS available FROM users WHERE id = :owner FOR UPDATE \gset
INSERT INTO credit_transactions (user_id, delta_credits, reason, meta)
	VALUES (:owner, -5, 'job_match', jsonb_build_object('idempotency_key', gen_random_uuid()::text));
UPDATE users SET credits_balance = credits_balance - 5, updated_at = now() WHERE id = :owner;
END;
`

// BenchmarkSpend is 32 clients who spend, over 10,000 users and as one user, in Go and over HTTP with a service key, and who
// hold and capture. Its yardstick is pgbench with the same transaction on the same durable database, in the same round.
// The figures are medians of the rounds: ask for several (-benchtime 5x).
func BenchmarkSpend(b *testing.B) {
	t := newTill(b)
	t.warm(b)
	for b.Loop() {
		for _, of := range []struct {
			name  string
			users int
		}{{"", len(t.shop.users)}, {"hot_", 1}} {
			t.yard(b, of.name, of.users)
			t.measure(b, of.name+"go", of.users, t.spendInGo)
			t.measure(b, of.name+"http", of.users, t.spendOverHTTP)
			t.measure(b, of.name+"hold", of.users, t.holdAndCapture)
		}
	}
	t.report(b)
	dbtest.CheckLedger(b, t.shop.db)
}

// till is where the clients spend.
type till struct {
	shop    *shop
	service *spend.Service
	conns   []*bench
	key     string
	pgbench *pgbench
	made    atomic.Int64 // idempotency keys
	rates   map[string][]float64
	took    map[string][]time.Duration
}

func newTill(b *testing.B) *till {
	b.Helper()
	shop, server := durableShop(b)
	t := &till{shop: shop, pgbench: newPgbench(b, server), rates: map[string][]float64{}, took: map[string][]time.Duration{}}
	shop.exec(b, `WITH line AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) SELECT id, 100000000, 'manual' FROM users RETURNING user_id)
		UPDATE users SET credits_balance = 100000000 WHERE id IN (SELECT user_id FROM line)`)
	t.service = &spend.Service{DB: shop.db, Log: slog.New(slog.DiscardHandler)}
	out, code := command(b, []string{"DATABASE_URL=" + shop.url, "LOG_LEVEL=error"}, "keys", "create", "--name", "Benchmark", "--scope", "spend", "--per-minute", "0")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "rmc_") {
			t.key = strings.TrimSpace(line)
		}
	}
	if code != 0 || t.key == "" {
		b.Fatalf("keys create ends with %d and prints no key", code)
	}
	site := start(b, append(shop.env(), "LOG_LEVEL=warn")...)
	for range benchConnections {
		t.conns = append(t.conns, dialBench(b, site.url))
	}
	return t
}

// warm lets every connection of the servers learn its statements.
func (t *till) warm(b *testing.B) {
	for _, work := range []func(*testing.B, int, int64) error{t.spendInGo, t.spendOverHTTP, t.holdAndCapture} {
		t.measure(b, "warm", len(t.shop.users), work)
	}
}

// yard measures pgbench on as many of the users.
func (t *till) yard(b *testing.B, name string, users int) {
	b.Helper()
	if t.pgbench == nil {
		return
	}
	each := yardEach
	if users == 1 {
		each /= 4 // they wait for each other
	}
	rate, took := t.pgbench.run(b, fiveTrips, benchConnections, each, fmt.Sprintf("first=%d", t.shop.users[0]), fmt.Sprintf("last=%d", t.shop.users[users-1]))
	t.rates[name+"pgbench"] = append(t.rates[name+"pgbench"], rate)
	t.took[name+"pgbench"] = append(t.took[name+"pgbench"], took...)
}

// measure has the clients do work for users in turn.
func (t *till) measure(b *testing.B, name string, users int, work func(b *testing.B, client int, user int64) error) {
	b.Helper()
	took := make([]time.Duration, benchConnections*spendEach)
	began := time.Now()
	var clients sync.WaitGroup
	for c := range benchConnections {
		clients.Go(func() {
			for i := range spendEach {
				n := c*spendEach + i
				sent := time.Now()
				if err := work(b, c, t.shop.users[(n*7919)%users]); err != nil {
					b.Errorf("%s: %v", name, err)
					return
				}
				took[n] = time.Since(sent)
			}
		})
	}
	clients.Wait()
	t.rates[name] = append(t.rates[name], float64(len(took))/time.Since(began).Seconds())
	t.took[name] = append(t.took[name], took...)
}

func (t *till) request(user int64) spend.Request {
	return spend.Request{UserID: user, Feature: "job_match", Key: "go_" + strconv.FormatInt(t.made.Add(1), 10)}
}

func (t *till) spendInGo(b *testing.B, _ int, user int64) error {
	_, err := t.service.Spend(b.Context(), t.request(user))
	return err
}

func (t *till) holdAndCapture(b *testing.B, _ int, user int64) error {
	held, err := t.service.Hold(b.Context(), spend.HoldRequest{Request: t.request(user)})
	if err == nil {
		_, err = t.service.Capture(b.Context(), uuid.Nil, held.ID.String(), nil)
	}
	return err
}

func (t *till) spendOverHTTP(_ *testing.B, client int, user int64) error {
	body := fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user)
	var out bytes.Buffer
	fmt.Fprintf(&out, "POST /api/credits/spend HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nIdempotency-Key: http_%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		t.conns[client].host, t.key, t.made.Add(1), len(body), body)
	return t.conns[client].post(out.Bytes(), 201)
}

// report writes rates, the slowest of a hundred, and last the ratios to the yardstick.
func (t *till) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // of a round; it says nothing
	for _, users := range []string{"", "hot_"} {
		yard := 0.0
		if t.pgbench != nil {
			yard = median(t.rates[users+"pgbench"])
		}
		for _, kind := range []string{"pgbench", "go", "http", "hold"} {
			name := users + kind
			if len(t.rates[name]) == 0 {
				continue
			}
			slices.Sort(t.took[name])
			b.ReportMetric(median(t.rates[name]), name+"/s")
			b.ReportMetric(float64(t.took[name][len(t.took[name])*99/100].Microseconds())/1000, name+"_p99_ms")
			row := figure{name: "spend, " + name, rates: t.rates[name], took: t.took[name]}
			if yard > 0 && kind != "pgbench" {
				b.ReportMetric(median(t.rates[name])/yard, name+"/pgbench")
				row.yard = t.rates[users+"pgbench"]
			}
			tabulate(b, row)
		}
	}
}
