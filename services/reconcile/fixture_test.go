package reconcile_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is the service, and a Stripe server with lists of sessions, refunds and disputes whose events were lost.
type fixture struct {
	*reconcile.Service
	t     *testing.T
	user  models.User
	clock time.Time

	mu       sync.Mutex
	lists    map[string][]map[string]any        // by path, newest first
	requests []string                           // path and starting_after of each request
	failWith func(path string, request int) int // returns a status, or 0 to succeed

	expanded []string // expanded fields of all requests
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: models.Now(), lists: map[string][]map[string]any{}}
	server := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(server.Close)
	db := dbtest.New(t)
	f.user = dbtest.User(t, db, "ada@example.com")
	now, quiet := func() time.Time { return f.clock }, slog.New(slog.DiscardHandler)
	client := stripeapi.New("sk_test_0123456789abcdef", server.URL)
	f.Service = &reconcile.Service{
		DB: db, Now: now, Log: quiet, Purchase: &purchase.Service{DB: db, Stripe: client, Now: now, Log: quiet},
	}
	if err := db.Exec(
		`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).Error; err != nil {
		t.Fatal(err)
	}
	return f
}

// serve serves the lists by pages, as Stripe does.
func (f *fixture) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	query := r.URL.Query()
	f.expanded = append(f.expanded, query["expand[]"]...)
	f.expanded = append(f.expanded, query["expand[0]"]...)
	f.requests = append(f.requests, strings.TrimSuffix(r.URL.Path+" "+query.Get("starting_after"), " "))
	if f.failWith != nil {
		if status := f.failWith(r.URL.Path, len(f.requests)); status != 0 {
			if status == http.StatusServiceUnavailable {
				w.Header().Set("Stripe-Should-Retry", "false") // keeps the client from pausing
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`)
			return
		}
	}
	if list, id, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/"); one && list == "disputes" {
		for _, o := range f.lists["/v1/disputes"] {
			if o["id"] == id {
				_ = json.NewEncoder(w).Encode(o) // the client may be gone
			}
		}
		return
	}
	since, _ := strconv.ParseInt(query.Get("created[gte]"), 10, 64)
	limit, _ := strconv.Atoi(query.Get("limit"))
	if limit == 0 {
		limit = 10 // Stripe's default
	}
	rows, after := []map[string]any{}, query.Get("starting_after")
	known := func(o map[string]any) bool { return o["id"] == after }
	if after != "" && !slices.ContainsFunc(f.lists[r.URL.Path], known) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"starting_after"}}`)
		return
	}
	skip := after != ""
	for _, o := range f.lists[r.URL.Path] {
		if created, _ := o["created"].(int64); !skip && created >= since {
			rows = append(rows, o)
		}
		skip = skip && o["id"] != after
	}
	more := len(rows) > limit
	list := map[string]any{"object": "list", "has_more": more, "data": rows[:min(limit, len(rows))]}
	_ = json.NewEncoder(w).Encode(list) // the client may be gone
}

// put adds an object to a list, created an hour ago.
func (f *fixture) put(path string, o map[string]any) {
	o["created"] = f.clock.Add(-time.Hour).Unix()
	f.lists[path] = append([]map[string]any{o}, f.lists[path]...)
}

// paid inserts a purchase of 1200 credits for €35.00 whose paid session was not reported.
func (f *fixture) paid(n int) {
	f.t.Helper()
	id := uuid.New()
	err := f.DB.Exec(
		`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
			idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', ?, ?)`, id, f.user.ID, id.String(), fmt.Sprintf("cs_%d", n)).Error
	if err != nil {
		f.t.Fatal(err)
	}
	f.put("/v1/checkout/sessions", map[string]any{
		"id": fmt.Sprintf("cs_%d", n), "object": "checkout.session", "mode": "payment", "status": "complete",
		"payment_status": "paid",
		"payment_intent": fmt.Sprintf("pi_%d", n), "client_reference_id": id.String(),
		"currency": "eur", "amount_subtotal": 3500, "amount_total": 3500,
		"metadata": map[string]string{"credits": "1200", "purchase_id": id.String()},
	})
}

func (f *fixture) refunded(n int, cents int64, status string) {
	f.put("/v1/refunds", map[string]any{
		"id": fmt.Sprintf("re_%d_%d", n, cents), "object": "refund", "amount": cents, "currency": "eur", "status": status,
		"charge": fmt.Sprintf("ch_%d", n), "payment_intent": fmt.Sprintf("pi_%d", n),
	})
}

func (f *fixture) disputed(n int, status string) {
	f.put("/v1/disputes", map[string]any{
		"id": fmt.Sprintf("dp_%d", n), "object": "dispute", "amount": 3500, "currency": "eur", "status": status,
		"charge": fmt.Sprintf("ch_%d", n), "payment_intent": fmt.Sprintf("pi_%d", n),
	})
}

func (f *fixture) reconcile() reconcile.Report {
	f.t.Helper()
	report, err := f.Once(f.t.Context())
	if err != nil {
		f.t.Fatalf("reconcile: %v", err)
	}
	return report
}

func (f *fixture) wantBalance(want models.Credits) {
	f.t.Helper()
	var user models.User
	if err := f.DB.Take(&user, "id = ?", f.user.ID).Error; err != nil {
		f.t.Fatal(err)
	}
	if user.CreditsBalance != want {
		f.t.Errorf("balance = %d credits, want %d", user.CreditsBalance, want)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

// breakBalance sets the user's balance to 7 credits, against the entries.
func (f *fixture) breakBalance() {
	f.t.Helper()
	for _, sql := range []string{
		`ALTER TABLE users DISABLE TRIGGER users_balance_equals_ledger`, `UPDATE users SET credits_balance = 7`,
		`ALTER TABLE users ENABLE TRIGGER users_balance_equals_ledger`,
	} {
		if err := f.DB.Exec(sql).Error; err != nil {
			f.t.Fatal(err)
		}
	}
}

// kinds counts the findings by kind.
func kinds(r reconcile.Report) map[models.FindingKind]int {
	n := map[models.FindingKind]int{}
	for _, finding := range r.Findings {
		n[finding.Kind]++
	}
	return n
}
