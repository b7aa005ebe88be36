package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// BenchmarkLetters measures how long a buyer waits for the letters that the law demands without delay: from sending a
// declaration of withdrawal, and from Stripe's event about a payment, to the letter at the mail server. Each round has
// one of both, and 20 run at a time. The 99th percentile needs at least 200:
//
//	go test ./handlers/e2e -run '^$' -bench Letters -benchtime 200x
func BenchmarkLetters(b *testing.B) {
	fx, _ := newDurableFixture(b)
	mail := newMailServer(b, 1)
	mail.behave()
	site := start(b, append(fx.env(), "SMTP_URL=smtp://"+mail.address, "MAIL_FROM=credits@example.com",
		"TRUSTED_PROXIES=127.0.0.1,::1", "LOG_LEVEL=warn")...)
	sender := newEventSender(b, func(int) string { return site.url })
	var mu sync.Mutex
	var declared, paid []time.Duration
	var rounds atomic.Int64
	b.SetParallelism(10)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := int(rounds.Add(1))
			stranger := fmt.Sprintf("stranger%d@example.com", n)
			began := time.Now()
			declare(b, site, n, stranger)
			letter := mail.waitFor(b, stranger).Sub(began)

			p := fx.newPurchase(b, fx.users[n%len(fx.users)])
			event := p.paid()
			began = time.Now()
			sender.send(b, event)
			confirmation := mail.waitFor(b, fx.email(b, p.user)).Sub(began)
			mu.Lock()
			declared, paid = append(declared, letter), append(paid, confirmation)
			mu.Unlock()
		}
	})
	for name, took := range map[string][]time.Duration{"declaration": declared, "payment": paid} {
		slices.Sort(took)
		for _, percent := range []int{50, 99, 100} {
			at := took[(len(took)-1)*percent/100]
			b.ReportMetric(float64(at.Microseconds())/1000, fmt.Sprintf("%s_p%d_ms", name, percent))
		}
	}
}

// declare sends a declaration of withdrawal from an address of its own: too many from one count as a flood.
func declare(b *testing.B, site *site, n int, email string) {
	b.Helper()
	form := url.Values{"name": {"Ada Stranger"}, "email": {email}, "contract": {fmt.Sprintf("Order %d", n)},
		"idempotency_key": {fmt.Sprintf("declaration-%d", n)}}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, site.url+"/en/withdrawal",
		strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", site.url)
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", n/250, n%250))
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		b.Fatalf("declaration %d: status %d, want 303", n, answer.StatusCode)
	}
}

// email returns a user's address.
func (fx *fixture) email(t testing.TB, user int64) (email string) {
	t.Helper()
	if err := fx.db.Raw(`SELECT email FROM users WHERE id = ?`, user).Scan(&email).Error; err != nil {
		t.Fatal(err)
	}
	return email
}

// waitFor waits for the first letter to an address and returns when it arrived.
func (s *mailServer) waitFor(t testing.TB, to string) time.Time {
	t.Helper()
	dbtest.Reaches(t, "letters to "+to, func() int64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.arrived[to].IsZero() {
			return 0
		}
		return 1
	}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived[to]
}
