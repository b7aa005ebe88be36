package webhook

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/periodic"
)

func TestDeletionLeavesNoPersonalData(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	details := func(payload string) string { // Stripe's personal data
		return payload[:len(payload)-3] + `,` + customerDetails +
			`"receipt_email":"ada@example.com","billing_details":{"name":"Ada Lovelace"}}}}`
	}
	for _, payload := range []string{
		f.completed("evt_paid", "cs_1", "paid"),
		event("evt_intent", "payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`),
		event("evt_charge", "charge.succeeded",
			`{"id":"ch_1","object":"charge","payment_intent":{"id":"pi_1","receipt_email":"ada@example.com"}}`),
		refunded("evt_refund", 350),
	} {
		f.deliver(details(payload))
	}
	f.wantBalance(1080)
	meta := models.Meta{IdempotencyKey: "ada@example.com/1", RequestHash: "h",
		RequestMetadata: []byte(`{"for":"Ada Lovelace"}`)}
	f.post(ledger.Entry{UserID: f.user, Delta: -10, Reason: "resume_analysis", Meta: meta})
	f.post(ledger.Entry{
		UserID: f.user, Delta: 5, Reason: models.ReasonManual, Meta: models.Meta{Actor: "operator", Note: "for Ada Lovelace"},
	})
	f.must(models.AppendAudit(models.Tx{DB: f.DB}, models.AuditEvent{
		Action: models.ActionCreditsGrant, UserID: f.user, Detail: map[string]any{"note": "for Ada Lovelace", "credits": 5},
	}))
	f.must(
		f.DB.Exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (?, ?, 'k', 350, 'Ada Lovelace asked', 'refused', now())`, uuid.New(), f.purchase.ID).Error)
	for i, end := range []bool{true, false} {
		f.must(postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
			held := &ledger.HoldOp{
				ID: uuid.New(), UserID: f.user, Feature: "job_match", TTL: time.Hour,
				Key: fmt.Sprint("hold of ada@example.com/", i), Metadata: []byte(`{"for":"Ada Lovelace"}`),
			}
			err := apply(tx, held)
			if err == nil && end {
				err = apply(tx, &ledger.CaptureOp{UserID: f.user, ID: held.ID})
			}
			return err
		}))
	}
	if n := len(dbtest.Traces(t, f.DB, personalTexts...)); n < 10 {
		t.Fatalf("%d columns hold personal data before the deletion, want at least 10", n)
	}

	f.deleteAccount()
	f.wantNoTrace()
	f.wantBalance(0)
	var user models.User
	f.must(f.DB.Take(&user, "id = ?", f.user).Error)
	want := time.Date(time.Now().UTC().Year()+8, 12, 31, 0, 0, 0, 0, time.UTC)
	if user.DeletedAt == nil || user.DeleteAfter == nil || !user.DeleteAfter.Equal(want) {
		t.Errorf("deleted at %v, retained until %v, want %v", user.DeletedAt, user.DeleteAfter, want)
	}
	if _, err := f.auth.Account(context.Background(), f.user); !fault.Is(err, fault.NotFound) {
		t.Errorf("account after deletion: error = %v, want not found", err)
	}
	t.Run("books a later refund without personal data", func(t *testing.T) {
		f.deliver(details(refunded("evt_later", 3500)))
		f.wantBalance(-1080)
		f.must(f.accounts.EraseDue(context.Background()))
		f.wantNoTrace()
		f.deliver(event("evt_ignored", "payment_intent.created",
			`{"id":"pi_1","object":"payment_intent","receipt_email":"ada@example.com"}`))
		if err := periodic.Once(context.Background(), f.accounts.Jobs()); err != nil {
			t.Fatal(err)
		}
		f.wantNoTrace()
	})
	t.Run("keeps the ledger and the audit log append-only", func(t *testing.T) {
		for _, statement := range []string{
			`UPDATE credit_transactions SET delta_credits = delta_credits + 1`,
			`UPDATE credit_transactions SET meta = meta - 'purchase_id'`,
			`UPDATE credit_transactions SET meta = meta || '{"note": "new"}'`,
			`UPDATE credit_transactions SET meta = meta - 'note', created_at = now()`,
			`DELETE FROM credit_transactions`, `DELETE FROM audit_log`, `UPDATE audit_log SET detail = '{}', action = 'other'`,
			`BEGIN; UPDATE users SET delete_after = current_date - 1; DELETE FROM credit_transactions; COMMIT`,
		} {
			if err := f.DB.Exec(statement).Error; err == nil {
				t.Errorf("%s: no error, want a refusal", statement)
			}
			f.DB.Exec(`ROLLBACK`)
		}
		f.must(f.DB.Exec(`UPDATE users SET delete_after = current_date - 2`).Error)
		if n, err := f.accounts.RemoveDue(context.Background()); n != 0 || err != nil {
			t.Errorf("sweep removed %d accounts (%v), want 0: entries of this year", n, err)
		}
	})
}

func TestPaymentAfterDeletion(t *testing.T) {
	t.Parallel()
	for name, kinds := range map[string][]string{
		"a direct debit": {"unpaid", "checkout.session.async_payment_succeeded"},
		"a card":         {"", "checkout.session.completed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDeletionFixture(t)
			if kinds[0] != "" {
				f.deliver(f.completed("evt_open", "cs_1", kinds[0]))
			}
			f.deleteAccount()
			object := fmt.Sprintf(`{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid",%s
				"payment_intent":"pi_1","currency":"eur","amount_subtotal":3500,"amount_total":3500,"metadata":{"credits":"1200","purchase_id":%q}}`, customerDetails, f.purchase.ID)
			f.deliver(event("evt_late", kinds[1], object))
			f.wantBalance(1200)
			if f.statusOf("evt_late") != models.EventReview {
				t.Errorf("event is %s, want review", f.statusOf("evt_late"))
			}
			f.must(f.accounts.EraseDue(context.Background()))
			f.wantNoTrace()
			var accounts int64
			f.must(f.DB.Raw(`SELECT count(*) FROM users WHERE deleted_at IS NULL`).Scan(&accounts).Error)
			if accounts != 0 {
				t.Errorf("%d accounts after the payment, want 0", accounts)
			}
			err := postgres.Transaction(context.Background(), f.DB, func(tx models.Tx) error {
				return apply(tx, spendOp(f.user, "k"))
			})
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("spend of a deleted account: error = %v, want not found", err)
			}
			f.must(f.Retry(context.Background(), "evt_late")) // the payment is not refunded yet
			if f.statusOf("evt_late") != models.EventReview {
				t.Errorf("event is %s before the refund, want review", f.statusOf("evt_late"))
			}
			f.deliver(refunded("evt_back", 3500))
			f.must(f.Retry(context.Background(), "evt_late"))
			if f.statusOf("evt_late") != models.EventDone {
				t.Errorf("event is %s after the refund, want done", f.statusOf("evt_late"))
			}
			f.wantBalance(0)
		})
	}
}

func TestConcurrentDeletionPaymentSpendAndHold(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	f.post(ledger.Entry{UserID: f.user, Delta: 100, Reason: models.ReasonManual,
		Meta: models.Meta{Actor: "operator", Note: "test"}})
	paid := f.completed("evt_1", "cs_1", "paid")
	var spent, held atomic.Int64
	dbtest.Concurrently(40, func(i int) {
		ctx, err := context.Background(), error(nil)
		switch i % 4 {
		case 0:
			err = f.accounts.Delete(ctx, f.user)
		case 1:
			err = f.Receive(ctx, []byte(paid), sign(paid, testSecret, f.clock))
		case 2:
			err = postgres.Transaction(ctx, f.DB, func(tx models.Tx) error {
				return apply(tx, spendOp(f.user, fmt.Sprint("spend", i)))
			})
			if err == nil {
				spent.Add(5)
			}
		case 3:
			err = postgres.Transaction(ctx, f.DB, func(tx models.Tx) error {
				return apply(tx, &ledger.HoldOp{
					ID: uuid.New(), UserID: f.user, Feature: "job_match", TTL: time.Hour, Key: fmt.Sprint("hold", i),
				})
			})
			if err == nil {
				held.Add(1)
			}
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("operation %d: error = %v, want none or not found", i, err)
		}
	})
	var failures []string
	f.must(f.DB.Raw(`SELECT last_error FROM stripe_events WHERE status = 'failed'`).Scan(&failures).Error)
	if len(failures) > 0 {
		t.Errorf("event failed: %s", failures)
	}
	f.must(f.BookDue(context.Background()))
	f.must(f.accounts.EraseDue(context.Background()))
	f.wantNoTrace()
	if got := f.balance(); got != 0 && got != 1200 {
		t.Errorf("balance = %d credits, want 0 or the 1200 of a late payment", got)
	}
	if want := models.EventReview; f.balance() == 1200 && f.statusOf("evt_1") != want {
		t.Errorf("event of the late payment is %s (%s), want %s", f.statusOf("evt_1"), f.lastErrorOf("evt_1"), want)
	}
	var deletions, open int64
	f.must(f.DB.Raw(`SELECT count(*) FROM audit_log WHERE action = 'account.delete'`).Scan(&deletions).Error)
	f.must(f.DB.Raw(`SELECT count(*) FROM holds`).Scan(&open).Error)
	if deletions != 1 || open != 0 {
		t.Errorf("%d deletions and %d holds, want 1 and 0", deletions, open)
	}
	t.Logf("%d credits spent and %d holds before the deletion", spent.Load(), held.Load())
}

func TestDisputedAccountIsNotDeleted(t *testing.T) {
	t.Parallel()
	f := newDeletionFixture(t)
	f.deliver(f.completed("evt_1", "cs_1", "paid"))
	f.deliver(dispute("evt_2", "created", "needs_response", 3500))
	err := f.accounts.Delete(context.Background(), f.user)
	if f := fault.Of(err); f == nil || f.Problem != fault.DeletionDispute {
		t.Fatalf("delete: error = %v, want %s", err, fault.DeletionDispute)
	}
	if _, err := f.auth.Account(context.Background(), f.user); err != nil {
		t.Errorf("account after the refusal: error = %v, want none", err)
	}
	f.deliver(dispute("evt_3", "closed", "lost", 3500))
	f.deleteAccount()
	f.wantNoTrace()
	f.wantBalance(0)
}
