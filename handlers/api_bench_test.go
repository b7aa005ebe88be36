package handlers

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/services/logging"
)

const benchUsers = 1000

// BenchmarkSpendHTTP measures a service that spends for many users over loopback: 32 concurrent calls on keep-alive
// connections, each with an idempotency key and two log lines.
func BenchmarkSpendHTTP(b *testing.B) {
	f := newFixture(b)
	log := logging.NewLogger(io.Discard, slog.LevelInfo, "json")
	f.handler.Site.Log, f.handler.Spend.Log = log, log
	err := f.db.Exec(`INSERT INTO users (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, ?) n`,
		benchUsers).Error
	if err != nil {
		b.Fatal(err)
	}
	err = f.db.Exec(`WITH given AS (INSERT INTO credit_transactions (user_id, delta_credits, reason, meta)
		SELECT id, 1000000, 'manual', '{"actor":"operator","note":"test"}' FROM users RETURNING user_id)
		UPDATE users SET credits_balance = 1000000 WHERE id IN (SELECT user_id FROM given)`).Error
	if err != nil {
		b.Fatal(err)
	}
	_, bearer := f.serviceKey("spend")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.app.Listener(listener) }()
	b.Cleanup(func() {
		if err := errors.Join(f.app.Shutdown(), <-served); err != nil {
			b.Error(err)
		}
	})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(16) // times GOMAXPROCS
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost,
				"http://"+listener.Addr().String()+"/api/credits/spend",
				strings.NewReader(fmt.Sprintf(`{"userId":%d,"feature":"job_match","metadata":{"resume":%d}}`, i%benchUsers+1, i)))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", fmt.Sprint("bench-", i))
			req.Header.Set("Authorization", strings.TrimPrefix(bearer, "Authorization: "))
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != http.StatusCreated {
				b.Errorf("%d %s", res.StatusCode, text)
				return
			}
		}
	})
}
