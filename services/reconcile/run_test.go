package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
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
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/reconcile"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// archive is what Stripe still knows of payments whose events never came: three lists, newest first.
type archive struct {
	*reconcile.Service
	t     *testing.T
	user  models.User
	clock time.Time

	mu     sync.Mutex
	lists  map[string][]map[string]any // by path
	asked  []string                    // path and starting_after of every call
	refuse func(path string, call int) int

	expanded []string // what of the lists was to be written out
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t: t, clock: models.Now(), lists: map[string][]map[string]any{}}
	server := httptest.NewServer(http.HandlerFunc(a.answer))
	t.Cleanup(server.Close)
	db := dbtest.New(t)
	a.user = dbtest.User(t, db, "ada@example.com")
	now, quiet := func() time.Time { return a.clock }, slog.New(slog.DiscardHandler)
	a.Service = &reconcile.Service{DB: db, Now: now, Log: quiet,
		Purchase: &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789abcdef", server.URL), Now: now, Log: quiet}}
	if err := db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).Error; err != nil {
		t.Fatal(err)
	}
	return a
}

// answer serves the lists as Stripe does, a hundred at a time.
func (a *archive) answer(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	query := r.URL.Query()
	a.expanded = append(a.expanded, query["expand[]"]...)
	a.expanded = append(a.expanded, query["expand[0]"]...)
	a.asked = append(a.asked, strings.TrimSuffix(r.URL.Path+" "+query.Get("starting_after"), " "))
	if a.refuse != nil {
		if status := a.refuse(r.URL.Path, len(a.asked)); status != 0 {
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`)
			return
		}
	}
	if list, id, one := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/"); one && list == "disputes" {
		for _, o := range a.lists["/v1/disputes"] {
			if o["id"] == id {
				_ = json.NewEncoder(w).Encode(o) // a client that went away is none of ours
			}
		}
		return
	}
	since, _ := strconv.ParseInt(query.Get("created[gte]"), 10, 64)
	limit, _ := strconv.Atoi(query.Get("limit"))
	if limit == 0 {
		limit = 10 // Stripe's own
	}
	rows, after := []map[string]any{}, query.Get("starting_after")
	if after != "" && !slices.ContainsFunc(a.lists[r.URL.Path], func(o map[string]any) bool { return o["id"] == after }) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"starting_after"}}`)
		return
	}
	skip := after != ""
	for _, o := range a.lists[r.URL.Path] {
		if created, _ := o["created"].(int64); !skip && created >= since {
			rows = append(rows, o)
		}
		skip = skip && o["id"] != after
	}
	more := len(rows) > limit
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "has_more": more, "data": rows[:min(limit, len(rows))]}) // a client that went away is none of ours
}

func (a *archive) put(path string, o map[string]any) {
	o["created"] = a.clock.Add(-time.Hour).Unix()
	a.lists[path] = append([]map[string]any{o}, a.lists[path]...)
}

// paid makes a purchase of 1200 credits for €35.00 whose event was lost.
func (a *archive) paid(n int) {
	a.t.Helper()
	id := uuid.New()
	err := a.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', ?, ?)`, id, a.user.ID, id.String(), fmt.Sprintf("cs_%d", n)).Error
	if err != nil {
		a.t.Fatal(err)
	}
	a.put("/v1/checkout/sessions", map[string]any{"id": fmt.Sprintf("cs_%d", n), "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
		"payment_intent": fmt.Sprintf("pi_%d", n), "client_reference_id": id.String(), "currency": "eur", "amount_subtotal": 3500, "amount_total": 3500,
		"metadata": map[string]string{"credits": "1200", "purchase_id": id.String()}})
}

func (a *archive) refunded(n int, cents int64, status string) {
	a.put("/v1/refunds", map[string]any{"id": fmt.Sprintf("re_%d_%d", n, cents), "object": "refund", "amount": cents, "currency": "eur", "status": status,
		"charge": fmt.Sprintf("ch_%d", n), "payment_intent": fmt.Sprintf("pi_%d", n)})
}

func (a *archive) disputed(n int, status string) {
	a.put("/v1/disputes", map[string]any{"id": fmt.Sprintf("dp_%d", n), "object": "dispute", "amount": 3500, "currency": "eur", "status": status,
		"charge": fmt.Sprintf("ch_%d", n), "payment_intent": fmt.Sprintf("pi_%d", n)})
}

func (a *archive) reconcile() reconcile.Report {
	a.t.Helper()
	report, err := a.Once(a.t.Context())
	if err != nil {
		a.t.Fatalf("reconcile: %v", err)
	}
	return report
}

func (a *archive) wantBalance(want models.Credits) {
	a.t.Helper()
	var user models.User
	if err := a.DB.Take(&user, "id = ?", a.user.ID).Error; err != nil {
		a.t.Fatal(err)
	}
	if user.CreditsBalance != want {
		a.t.Errorf("balance = %d credits, want %d", user.CreditsBalance, want)
	}
	dbtest.CheckLedger(a.t, a.DB)
}

// kinds is how often each kind was found.
func kinds(r reconcile.Report) map[models.FindingKind]int {
	n := map[models.FindingKind]int{}
	for _, f := range r.Findings {
		n[f.Kind]++
	}
	return n
}

func TestReconcileMendsWhatNoEventBrought(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.paid(2)
	a.paid(3)
	a.refunded(1, 1000, "succeeded")
	a.refunded(1, 500, "failed")
	a.disputed(2, "needs_response")
	first := a.reconcile()
	a.wantBalance(3*1200 - 342 - 1200)
	if got := kinds(first); got[models.FindingPurchase] != 3 || got[models.FindingRefund] != 1 || got[models.FindingDispute] != 1 || len(first.Findings) != 5 {
		t.Errorf("found %v, want 3 purchases, a refund and a dispute", got)
	}
	if second := a.reconcile(); len(second.Findings) != 0 || second.Checked != 3+2+1+1 {
		t.Errorf("second run checked %d and found %+v, want 7 and nothing", second.Checked, second.Findings)
	}
	t.Run("and what changed since", func(t *testing.T) {
		a.lists["/v1/refunds"][1]["status"] = "failed"
		a.lists["/v1/disputes"][0]["status"] = "won"
		if got := kinds(a.reconcile()); got[models.FindingRefund] != 1 || got[models.FindingDispute] != 1 {
			t.Errorf("found %v, want a refund and a dispute that gave back", got)
		}
		a.wantBalance(3 * 1200)
	})
}

// Refunds and disputes change long after they were made, so they are read from further back than sessions.
func TestReconcileReadsRefundsAndDisputesOf120Days(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	ago := func(path string, days int) { a.lists[path][0]["created"] = a.clock.AddDate(0, 0, -days).Unix() }
	for n := range 4 {
		a.paid(n + 1)
	}
	a.reconcile()
	a.refunded(1, 3500, "succeeded")
	ago("/v1/refunds", 119)
	a.refunded(2, 3500, "succeeded")
	ago("/v1/refunds", 121)
	a.disputed(3, "needs_response")
	ago("/v1/disputes", 119)
	a.disputed(4, "needs_response")
	ago("/v1/disputes", 121)
	a.paid(5)
	ago("/v1/checkout/sessions", 29)
	a.paid(6)
	ago("/v1/checkout/sessions", 31)
	if got := kinds(a.reconcile()); got[models.FindingRefund] != 1 || got[models.FindingDispute] != 1 || got[models.FindingPurchase] != 1 {
		t.Errorf("found %v, want a refund and a dispute of 119 days ago and a purchase of 29 days ago", got)
	}
	a.wantBalance(3 * 1200)
}

func TestReconcileLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.put("/v1/checkout/sessions", map[string]any{"id": "cs_shoes", "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid", "payment_intent": "pi_shoes",
		"currency": "eur", "amount_subtotal": 900, "amount_total": 900})
	a.put("/v1/checkout/sessions", map[string]any{"id": "cs_open", "object": "checkout.session", "mode": "payment", "status": "open", "payment_status": "unpaid"})
	a.put("/v1/checkout/sessions", map[string]any{"id": "cs_abo", "object": "checkout.session", "mode": "subscription", "status": "complete", "payment_status": "paid"})
	a.refunded(77, 900, "succeeded")
	a.disputed(77, "lost")
	a.lists["/v1/checkout/sessions/cs_shoes/line_items"] = []map[string]any{{"id": "li_1", "object": "item", "quantity": 1, "price": map[string]any{"id": "price_shoes", "object": "price"}, "created": a.clock.Unix()}}
	if r := a.reconcile(); len(r.Findings) != 0 {
		t.Errorf("found %+v, want nothing of ours", r.Findings)
	}
	var facts int64
	if err := a.DB.Raw(`SELECT (SELECT count(*) FROM stripe_refunds) + (SELECT count(*) FROM stripe_disputes)`).Scan(&facts).Error; err != nil || facts != 0 {
		t.Errorf("%d facts of another product were kept (%v), want none", facts, err)
	}
}

func TestReconcileHandsContradictionsToAPersonOnce(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.paid(2)
	a.lists["/v1/checkout/sessions"][1]["amount_subtotal"] = 1 // of the first
	r := a.reconcile()
	if got := kinds(r); got[models.FindingReview] != 1 || got[models.FindingPurchase] != 1 {
		t.Fatalf("found %v, want one for a person, and the other one mended", got)
	}
	a.wantBalance(1200)
	if r := a.reconcile(); len(r.Findings) != 0 {
		t.Errorf("second run found %+v, want nothing new", r.Findings)
	}
}

func TestReconcilePagesAndResumes(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for n := range 250 {
		a.paid(n)
	}
	a.refuse = func(_ string, call int) int { // the third page, and each attempt that the client makes of itself
		if call >= 3 && call <= 7 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if _, err := a.Once(t.Context()); err == nil {
		t.Fatal("reconcile succeeded although Stripe refused a page")
	}
	a.wantBalance(200 * 1200)
	last, err := a.Last(t.Context(), 0, 1000)
	if err != nil || last.FinishedAt != nil || last.LastError == "" || last.Cursor != "cs_50" {
		t.Fatalf("run = %+v, %v; want it stopped after cs_50 with a reason", last, err)
	}
	if r := a.reconcile(); len(r.Findings) != 250 || r.ID != last.ID {
		t.Errorf("run %d found %d, want run %d with all 250", r.ID, len(r.Findings), last.ID)
	}
	a.wantBalance(250 * 1200)
	want := []string{"/v1/checkout/sessions", "/v1/checkout/sessions cs_150", "/v1/checkout/sessions cs_50", "/v1/refunds", "/v1/disputes"}
	if !slices.Equal(slices.Compact(a.asked), want) {
		t.Errorf("asked for %q, want %q", a.asked, want)
	}
}

func TestReconcileBeginsAStepAgainWhenItsPlaceIsGone(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for n := range 101 {
		a.paid(n)
	}
	a.refuse = func(_ string, call int) int {
		if call >= 2 && call <= 6 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if _, err := a.Once(t.Context()); err == nil {
		t.Fatal("reconcile succeeded although Stripe refused a page")
	}
	a.lists["/v1/checkout/sessions"] = slices.DeleteFunc(a.lists["/v1/checkout/sessions"], func(o map[string]any) bool { return o["id"] == "cs_1" })
	a.reconcile()
	a.wantBalance(101 * 1200)
}

func TestReconcileSlowsDown(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.refuse = func(_ string, call int) int {
		if call <= 1 {
			return http.StatusTooManyRequests
		}
		return 0
	}
	a.reconcile()
	a.wantBalance(1200)
}

func TestReconcileSurvivesStripeBeingDown(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.refuse = func(string, int) int { return http.StatusServiceUnavailable }
	ctx, cancel := context.WithTimeout(t.Context(), dbtest.HangTimeout)
	defer cancel()
	if _, err := a.Once(ctx); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("reconcile = %v, want unavailable", err)
	}
	a.wantBalance(0)
	a.refuse = nil
	a.reconcile()
	a.wantBalance(1200)
}

func TestReconcileIsOneProcess(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for n := range 40 {
		a.paid(n)
	}
	var mu sync.Mutex
	done, busy := 0, 0
	dbtest.Concurrently(20, func(int) {
		report, err := a.Once(t.Context())
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			done += len(report.Findings)
		case errors.Is(err, reconcile.ErrRunning):
			busy++
		default:
			t.Errorf("reconcile: %v", err)
		}
	})
	if done != 40 {
		t.Errorf("%d findings in all, want each purchase found once; %d were told that another is at work", done, busy)
	}
	a.wantBalance(40 * 1200)
}

func TestReconcileTakesOverFromADeadProcess(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	err := a.DB.Exec(`INSERT INTO reconciliations (since, step, holder, leased_until, started_at) VALUES (?, 'refunds', gen_random_uuid(), ?, ?)`,
		a.clock.Add(-24*time.Hour), a.clock.Add(time.Minute), a.clock).Error
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Once(t.Context()); !errors.Is(err, reconcile.ErrRunning) {
		t.Fatalf("reconcile = %v, want to be told that another process does", err)
	}
	a.clock = a.clock.Add(2 * time.Minute)
	a.reconcile() // what is left of the dead one's run
	a.wantBalance(0)
	a.reconcile()
	a.wantBalance(1200)
}

func TestReconcileComparesBalances(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.reconcile()
	for _, sql := range []string{`ALTER TABLE users DISABLE TRIGGER users_balance_equals_ledger`, `UPDATE users SET credits_balance = 7`,
		`ALTER TABLE users ENABLE TRIGGER users_balance_equals_ledger`} {
		if err := a.DB.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	r := a.reconcile()
	if len(r.Findings) != 1 || r.Findings[0].Kind != models.FindingBalance || r.Findings[0].Credits != 1193 {
		t.Errorf("found %+v, want a balance that was 1193 credits short", r.Findings)
	}
	a.wantBalance(1200)
}

func TestReconcileGoesOnWhenAListIsRefused(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.refunded(1, 3500, "succeeded")
	a.refuse = func(path string, _ int) int { // a restricted key
		if path == "/v1/disputes" {
			return http.StatusForbidden
		}
		return 0
	}
	if got := kinds(a.reconcile()); got[models.FindingReview] != 1 || got[models.FindingPurchase] != 1 || got[models.FindingRefund] != 1 {
		t.Errorf("found %v, want all that can be read, and the list that cannot", got)
	}
	a.wantBalance(0)
	if r := a.reconcile(); len(r.Findings) != 0 {
		t.Errorf("second run found %+v, want it said once", r.Findings)
	}
}

func TestReconcileGoesOnWhenLinesContradictEachOther(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	a.reconcile()
	for _, sql := range []string{`ALTER TABLE credit_transactions DISABLE TRIGGER USER`, `UPDATE credit_transactions SET delta_credits = 1`,
		`ALTER TABLE credit_transactions ENABLE TRIGGER USER`} {
		if err := a.DB.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	if r := a.reconcile(); r.FinishedAt == nil || len(r.Findings) != 1 || r.Findings[0].Kind != models.FindingReview || r.Findings[0].ObjectID != fmt.Sprintf("user:%d", a.user.ID) {
		t.Errorf("found %+v, want the user handed to a person, and an end", r.Findings)
	}
}

func TestServersReconcileEveryHourAndWhenAsked(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	start := a.clock
	var mu sync.Mutex
	a.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return a.clock }
	a.Purchase.Now = a.Now
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	finished := func(runs int64) {
		t.Helper()
		dbtest.Eventually(t, fmt.Sprintf("%d runs have finished", runs), func() bool {
			var n int64
			if err := a.DB.Raw(`SELECT count(*) FROM reconciliations WHERE finished_at IS NOT NULL`).Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n == runs
		})
	}
	finished(1)
	mu.Lock()
	a.clock = start.Add(time.Minute)
	mu.Unlock()
	if err := a.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	finished(2)
}

// What is mended is in the report: neither is kept without the other, wherever the process ends.
func TestReconcileMendsNothingThatItCannotReport(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.paid(1)
	spoil := func(add bool) {
		t.Helper()
		sql := `ALTER TABLE reconciliation_findings DROP CONSTRAINT spoilt`
		if add {
			sql = `ALTER TABLE reconciliation_findings ADD CONSTRAINT spoilt CHECK (kind NOT IN ('purchase', 'balance')) NOT VALID`
		}
		if err := a.DB.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	spoil(true)
	a.reconcile()
	a.wantBalance(0)
	spoil(false)
	if got := kinds(a.reconcile()); got[models.FindingPurchase] != 1 {
		t.Errorf("found %v, want the purchase", got)
	}
	a.wantBalance(1200)
	for _, sql := range []string{`ALTER TABLE users DISABLE TRIGGER users_balance_equals_ledger`, `UPDATE users SET credits_balance = 7`,
		`ALTER TABLE users ENABLE TRIGGER users_balance_equals_ledger`} {
		if err := a.DB.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	spoil(true)
	a.reconcile()
	spoil(false)
	if got := kinds(a.reconcile()); got[models.FindingBalance] != 1 {
		t.Errorf("found %v, want the balance", got)
	}
	a.wantBalance(1200)
}
