package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/periodic"
)

func TestReconcileBooksMissedEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.paid(2)
	f.paid(3)
	f.refunded(1, 1000, "succeeded")
	f.refunded(1, 500, "failed")
	f.disputed(2, "needs_response")
	first := f.reconcile()
	f.wantBalance(3*1200 - 342 - 1200)
	got := kinds(first)
	if got[models.FindingPurchase] != 3 || got[models.FindingRefund] != 1 || got[models.FindingDispute] != 1 ||
		len(first.Findings) != 5 {
		t.Errorf("findings = %v, want 3 purchases, 1 refund and 1 dispute", got)
	}
	for _, finding := range first.Findings {
		if finding.PurchaseID == nil || finding.UserID == nil || *finding.UserID != f.user.ID {
			t.Errorf("finding = %+v, want the purchase and the user %d", finding, f.user.ID)
		}
	}
	if second := f.reconcile(); len(second.Findings) != 0 || second.Checked != 3+2+1+1 {
		t.Errorf("second run checked %d objects and found %+v, want 7 and none", second.Checked, second.Findings)
	}
	t.Run("books later changes of status", func(t *testing.T) {
		f.lists["/v1/refunds"][1]["status"] = "failed"
		f.lists["/v1/disputes"][0]["status"] = "won"
		if got := kinds(f.reconcile()); got[models.FindingRefund] != 1 || got[models.FindingDispute] != 1 {
			t.Errorf("findings = %v, want 1 refund and 1 dispute", got)
		}
		f.wantBalance(3 * 1200)
	})
}

// Refunds and disputes change long after creation, so they are read from further back than sessions.
func TestReconcileReadsRefundsAndDisputesOf120Days(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ago := func(path string, days int) { f.lists[path][0]["created"] = f.clock.AddDate(0, 0, -days).Unix() }
	for n := range 4 {
		f.paid(n + 1)
	}
	f.reconcile()
	f.refunded(1, 3500, "succeeded")
	ago("/v1/refunds", 119)
	f.refunded(2, 3500, "succeeded")
	ago("/v1/refunds", 121)
	f.disputed(3, "needs_response")
	ago("/v1/disputes", 119)
	f.disputed(4, "needs_response")
	ago("/v1/disputes", 121)
	f.paid(5)
	ago("/v1/checkout/sessions", 29)
	f.paid(6)
	ago("/v1/checkout/sessions", 31)
	got := kinds(f.reconcile())
	if got[models.FindingRefund] != 1 || got[models.FindingDispute] != 1 || got[models.FindingPurchase] != 1 {
		t.Errorf("findings = %v, want the refund and dispute of 119 days ago and the purchase of 29 days ago", got)
	}
	f.wantBalance(3 * 1200)
}

func TestReconcileIgnoresOtherProducts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const sessions = "/v1/checkout/sessions"
	f.put(sessions, map[string]any{
		"id": "cs_shoes", "object": "checkout.session", "mode": "payment", "status": "complete", "payment_status": "paid",
		"payment_intent": "pi_shoes", "currency": "eur", "amount_subtotal": 900, "amount_total": 900,
	})
	f.put(sessions, map[string]any{
		"id": "cs_open", "object": "checkout.session", "mode": "payment", "status": "open", "payment_status": "unpaid",
	})
	f.put(sessions, map[string]any{
		"id": "cs_abo", "object": "checkout.session", "mode": "subscription", "status": "complete", "payment_status": "paid",
	})
	f.refunded(77, 900, "succeeded")
	f.disputed(77, "lost")
	f.lists["/v1/checkout/sessions/cs_shoes/line_items"] = []map[string]any{{
		"id": "li_1", "object": "item", "quantity": 1, "price": map[string]any{"id": "price_shoes", "object": "price"},
		"created": f.clock.Unix(),
	}}
	if r := f.reconcile(); len(r.Findings) != 0 {
		t.Errorf("findings = %+v, want none", r.Findings)
	}
	var facts int64
	err := f.DB.Raw(`SELECT (SELECT count(*) FROM stripe_refunds) + (SELECT count(*) FROM stripe_disputes)`).Scan(&facts).
		Error
	if err != nil || facts != 0 {
		t.Errorf("%d refunds and disputes of another product are stored (%v), want 0", facts, err)
	}
}

func TestReconcileReviewsContradictionsOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.paid(2)
	f.lists["/v1/checkout/sessions"][1]["amount_subtotal"] = 1 // of the first
	r := f.reconcile()
	if got := kinds(r); got[models.FindingReview] != 1 || got[models.FindingPurchase] != 1 {
		t.Fatalf("findings = %v, want 1 review and 1 purchase", got)
	}
	f.wantBalance(1200)
	if r := f.reconcile(); len(r.Findings) != 0 {
		t.Errorf("findings of the second run = %+v, want none", r.Findings)
	}
}

func TestReconcileComparesBalances(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.reconcile()
	f.breakBalance()
	var log bytes.Buffer
	f.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := f.reconcile()
	if n := strings.Count(log.String(), "balance did not match its entries"); n != 1 {
		t.Errorf("%d lines about a balance, want 1, in:\n%s", n, log.String())
	}
	if len(r.Findings) != 1 || r.Findings[0].Kind != models.FindingBalance || r.Findings[0].Credits != 1193 {
		t.Errorf("findings = %+v, want 1 balance corrected by 1193 credits", r.Findings)
	}
	f.wantBalance(1200)
}

func TestReconcileContinuesAfterARefusedList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.refunded(1, 3500, "succeeded")
	f.failWith = func(path string, _ int) int { // a restricted key
		if path == "/v1/disputes" {
			return http.StatusForbidden
		}
		return 0
	}
	got := kinds(f.reconcile())
	if got[models.FindingReview] != 1 || got[models.FindingPurchase] != 1 || got[models.FindingRefund] != 1 {
		t.Errorf("findings = %v, want 1 purchase, 1 refund and 1 review of the refused list", got)
	}
	f.wantBalance(0)
	if r := f.reconcile(); len(r.Findings) != 0 {
		t.Errorf("findings of the second run = %+v, want none", r.Findings)
	}
}

func TestReconcileContinuesAfterInconsistentEntries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	f.reconcile()
	for _, sql := range []string{`ALTER TABLE credit_transactions DISABLE TRIGGER USER`,
		`UPDATE credit_transactions SET delta_credits = 1`,
		`ALTER TABLE credit_transactions ENABLE TRIGGER USER`} {
		if err := f.DB.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	r := f.reconcile()
	if r.FinishedAt == nil || len(r.Findings) != 1 || r.Findings[0].Kind != models.FindingReview ||
		r.Findings[0].ObjectID != fmt.Sprintf("user:%d", f.user.ID) {
		t.Errorf("findings = %+v, want a review of the user in a finished run", r.Findings)
	}
}

func TestRunReconcilesEveryHourAndOnBegin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	start := f.clock
	var mu sync.Mutex
	f.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return f.clock }
	f.Purchase.Now = f.Now
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	schedule := periodic.Schedule{DB: f.DB, Jobs: f.Jobs(), Log: f.Log}
	go func() { schedule.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	finished := func(runs int64) {
		t.Helper()
		dbtest.Eventually(t, fmt.Sprintf("%d runs have finished", runs), func() bool {
			var n int64
			if err := f.DB.Raw(`SELECT count(*) FROM reconciliations WHERE finished_at IS NOT NULL`).Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n == runs
		})
	}
	finished(1)
	mu.Lock()
	f.clock = start.Add(time.Minute)
	mu.Unlock()
	if err := f.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	finished(2)
}

// A correction and its finding are one transaction.
func TestReconcileBooksNothingWithoutAFinding(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.paid(1)
	refuseFindings := func(add bool) {
		t.Helper()
		sql := `ALTER TABLE reconciliation_findings DROP CONSTRAINT spoilt`
		if add {
			sql = `ALTER TABLE reconciliation_findings
				ADD CONSTRAINT spoilt CHECK (kind NOT IN ('purchase', 'balance')) NOT VALID`
		}
		if err := f.DB.Exec(sql).Error; err != nil {
			t.Fatal(err)
		}
	}
	refuseFindings(true)
	f.reconcile()
	f.wantBalance(0)
	refuseFindings(false)
	if got := kinds(f.reconcile()); got[models.FindingPurchase] != 1 {
		t.Errorf("findings = %v, want 1 purchase", got)
	}
	f.wantBalance(1200)
	f.breakBalance()
	refuseFindings(true)
	f.reconcile()
	refuseFindings(false)
	if got := kinds(f.reconcile()); got[models.FindingBalance] != 1 {
		t.Errorf("findings = %v, want 1 balance", got)
	}
	f.wantBalance(1200)
}
