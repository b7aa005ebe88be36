package webhook

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// Words that only one person brings into the database.
var adasWords = []string{"ada@example.com", "Lovelace", "subject-of-ada"}

const adasDetails = `"customer_details":{"email":"Ada@example.com","name":"Ada Lovelace","address":{"line1":"Lovelace Street"}},`

// leaver is a shop whose user can leave.
type leaver struct {
	*shop
	auth     *auth.Service
	accounts *account.Service
}

func newLeaver(t *testing.T) leaver {
	t.Helper()
	s := newShop(t)
	service, err := auth.New(auth.Options{DB: s.DB, AppURL: "https://credits.example.com"})
	s.must(err)
	s.must(s.DB.Exec(`UPDATE users SET name = 'Ada Lovelace', locale = 'en' WHERE id = ?`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
		VALUES ('https://id.example.com', 'subject-of-ada', ?, 'oidc', 'ada@example.com', true, 'Ada Lovelace')`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO sessions (key_hash, user_id, device, expires_at) VALUES ('k', ?, 'Firefox', now() + interval '1 day')`, s.user).Error)
	return leaver{s, service, &account.Service{DB: s.DB, Purchase: s.Purchase, Now: s.Now, Log: s.Log}}
}

func (l leaver) post(e ledger.Entry) {
	l.t.Helper()
	l.must(postgres.Transaction(context.Background(), l.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, e)
		return err
	}))
}

func (l leaver) leave() {
	l.t.Helper()
	l.must(l.accounts.Delete(context.Background(), l.user))
	l.must(l.accounts.EraseDue(context.Background()))
}

func (l leaver) wantNoTrace() {
	l.t.Helper()
	for _, trace := range dbtest.Traces(l.t, l.DB, adasWords...) {
		l.t.Errorf("left: %s", trace)
	}
	dbtest.CheckLedger(l.t, l.DB)
}

func TestADeletedPersonLeavesNoTrace(t *testing.T) {
	t.Parallel()
	l := newLeaver(t)
	details := func(payload string) string { // as Stripe really sends it
		return payload[:len(payload)-3] + `,` + adasDetails + `"receipt_email":"ada@example.com","billing_details":{"name":"Ada Lovelace"}}}}`
	}
	for _, payload := range []string{
		l.completed("evt_paid", "cs_1", "paid"),
		event("evt_intent", "payment_intent.succeeded", `{"id":"pi_1","object":"payment_intent"}`),
		event("evt_charge", "charge.succeeded", `{"id":"ch_1","object":"charge","payment_intent":{"id":"pi_1","receipt_email":"ada@example.com"}}`),
		refunded("evt_refund", 350),
	} {
		l.deliver(details(payload))
	}
	l.wantBalance(1080)
	meta := models.Meta{IdempotencyKey: "ada@example.com/1", RequestHash: "h", RequestMetadata: []byte(`{"for":"Ada Lovelace"}`)}
	l.post(ledger.Entry{UserID: l.user, Delta: -10, Reason: "resume_analysis", Meta: meta})
	l.post(ledger.Entry{UserID: l.user, Delta: 5, Reason: models.ReasonManual, Meta: models.Meta{Actor: "operator", Note: "for Ada Lovelace"}})
	l.must(models.AppendAudit(models.Tx{DB: l.DB}, models.AuditEvent{Action: models.ActionCreditsGrant, UserID: l.user, Detail: map[string]any{"note": "for Ada Lovelace", "credits": 5}}))
	l.must(l.DB.Exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (?, ?, 'k', 350, 'Ada Lovelace asked', 'refused', now())`, uuid.New(), l.purchase.ID).Error)
	for i, end := range []bool{true, false} {
		l.must(postgres.Transaction(context.Background(), l.DB, func(tx models.Tx) error {
			held := &ledger.HoldOp{ID: uuid.New(), UserID: l.user, Feature: "job_match", TTL: time.Hour, Key: fmt.Sprint("hold of ada@example.com/", i), Metadata: []byte(`{"for":"Ada Lovelace"}`)}
			err := apply(tx, held)
			if err == nil && end {
				err = apply(tx, &ledger.CaptureOp{UserID: l.user, ID: held.ID})
			}
			return err
		}))
	}
	if n := len(dbtest.Traces(t, l.DB, adasWords...)); n < 10 {
		t.Fatalf("only %d columns name Ada before: the test proves little", n)
	}

	l.leave()
	l.wantNoTrace()
	l.wantBalance(0)
	var user models.User
	l.must(l.DB.Take(&user, "id = ?", l.user).Error)
	if want := time.Date(time.Now().UTC().Year()+models.KeepYears, 12, 31, 0, 0, 0, 0, time.UTC); user.DeletedAt == nil || user.DeleteAfter == nil || !user.DeleteAfter.Equal(want) {
		t.Errorf("deleted at %v, kept until %v, want %v", user.DeletedAt, user.DeleteAfter, want)
	}
	if _, err := l.auth.Account(context.Background(), l.user); !fault.Is(err, fault.NotFound) {
		t.Errorf("the account is still there: %v", err)
	}
	t.Run("and money that goes back later is still booked", func(t *testing.T) {
		l.deliver(details(refunded("evt_later", 3500)))
		l.wantBalance(-1080)
		l.must(l.accounts.EraseDue(context.Background()))
		l.wantNoTrace()
		l.deliver(event("evt_ignored", "payment_intent.created", `{"id":"pi_1","object":"payment_intent","receipt_email":"ada@example.com"}`))
		if _, err := l.accounts.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		l.wantNoTrace()
	})
	t.Run("and the ledger lets go of nothing else", func(t *testing.T) {
		for _, statement := range []string{
			`UPDATE credit_transactions SET delta_credits = delta_credits + 1`, `UPDATE credit_transactions SET meta = meta - 'purchase_id'`,
			`UPDATE credit_transactions SET meta = meta || '{"note": "new"}'`, `UPDATE credit_transactions SET meta = meta - 'note', created_at = now()`,
			`DELETE FROM credit_transactions`, `DELETE FROM audit_log`, `UPDATE audit_log SET detail = '{}', action = 'other'`,
			`BEGIN; UPDATE users SET delete_after = current_date - 1; DELETE FROM credit_transactions; COMMIT`,
		} {
			if err := l.DB.Exec(statement).Error; err == nil {
				t.Errorf("%s: done, want a refusal", statement)
			}
			l.DB.Exec(`ROLLBACK`)
		}
		l.must(l.DB.Exec(`UPDATE users SET delete_after = current_date - 2`).Error)
		if n, err := l.accounts.Sweep(context.Background()); n != 0 || err != nil {
			t.Errorf("%d accounts were removed with lines of this year (%v)", n, err)
		}
	})
}

func TestADeletedAccountGoesWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	l := newLeaver(t)
	before := time.Now().AddDate(-9, 0, 0)
	l.must(postgres.Transaction(context.Background(), l.DB, func(tx models.Tx) error {
		for _, delta := range []int{1200, -10} {
			err := tx.Exec(`INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, created_at) VALUES (?, ?, 'manual', ?, ?)`,
				l.user, delta, fmt.Sprintf(`{"purchase_id":%q}`, l.purchase.ID), before).Error
			if err != nil {
				return err
			}
		}
		return tx.Exec(`UPDATE users SET credits_balance = 1190 WHERE id = ?`, l.user).Error
	}))
	l.must(l.DB.Exec(`UPDATE purchases SET status = 'paid', payment_intent_id = 'pi_1', credits_granted = credits, paid_at = ?, created_at = ?`, before, before).Error)
	l.deliver(refund("evt_1", "re_1", 350))
	l.must(l.DB.Exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (?, ?, 'k', 350, 'asked', 'refused', now())`, uuid.New(), l.purchase.ID).Error)
	l.must(l.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, deleted_at) VALUES ('cus_1', ?, false, now())`, l.user).Error)
	other := dbtest.User(t, l.DB, "bob@example.com")
	// As if it had been deleted nine years ago: without the lines that are written today.
	l.must(l.DB.Exec(`DELETE FROM identities`).Error)
	l.must(l.DB.Exec(`UPDATE users SET email = NULL, name = '', locale = '', deleted_at = ?, delete_after = current_date WHERE id = ?`, before, l.user).Error)
	l.must(l.accounts.EraseDue(context.Background()))
	for i, want := range []int64{0, 1, 0} {
		if n, err := l.accounts.Sweep(context.Background()); n != want || err != nil {
			t.Fatalf("sweep %d removed %d accounts, want %d (%v)", i, n, want, err)
		}
		if i == 0 {
			l.must(l.DB.Exec(`UPDATE users SET delete_after = current_date - 2 WHERE id = ?`, l.user).Error)
		}
	}
	for _, table := range []string{"credit_transactions", "purchases", "stripe_events", "stripe_refunds", "stripe_customers", "refund_requests", "holds", "sessions"} {
		var n int64
		l.must(l.DB.Table(table).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d rows of %s are left", n, table)
		}
	}
	var left []int64
	l.must(l.DB.Raw(`SELECT id FROM users`).Scan(&left).Error)
	if len(left) != 1 || left[0] != other.ID {
		t.Errorf("users %v are left, want %d alone", left, other.ID)
	}
	dbtest.CheckLedger(t, l.DB)
}

func TestMoneyThatComesAfterTheDeletion(t *testing.T) {
	t.Parallel()
	for name, kinds := range map[string][]string{
		"a direct debit": {"unpaid", "checkout.session.async_payment_succeeded"},
		"a card":         {"", "checkout.session.completed"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLeaver(t)
			if kinds[0] != "" {
				l.deliver(l.completed("evt_open", "cs_1", kinds[0]))
			}
			l.leave()
			object := fmt.Sprintf(`{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid",%s"payment_intent":"pi_1","currency":"eur",
				"amount_subtotal":3500,"amount_total":3500,"metadata":{"credits":"1200","purchase_id":%q}}`, adasDetails, l.purchase.ID)
			l.deliver(event("evt_late", kinds[1], object))
			l.wantBalance(1200)
			if l.statusOf("evt_late") != models.EventReview {
				t.Errorf("the event is %s, want a person to look at it", l.statusOf("evt_late"))
			}
			l.must(l.accounts.EraseDue(context.Background()))
			l.wantNoTrace()
			var people int64
			l.must(l.DB.Raw(`SELECT count(*) FROM users WHERE deleted_at IS NULL`).Scan(&people).Error)
			if people != 0 {
				t.Error("the payment made an account")
			}
			err := postgres.Transaction(context.Background(), l.DB, func(tx models.Tx) error {
				return apply(tx, spendOp(l.user, "k"))
			})
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("spending from a deleted account = %v, want not found", err)
			}
			l.must(l.Retry(context.Background(), "evt_late")) // nobody has given the money back
			if l.statusOf("evt_late") != models.EventReview {
				t.Errorf("the event is %s while the money is here, want a person to look at it", l.statusOf("evt_late"))
			}
			l.deliver(refunded("evt_back", 3500))
			l.must(l.Retry(context.Background(), "evt_late"))
			if l.statusOf("evt_late") != models.EventDone {
				t.Errorf("the event is %s after the money went back, want done", l.statusOf("evt_late"))
			}
			l.wantBalance(0)
		})
	}
}

// apply applies one operation and returns the fault that refused it.
func apply(tx models.Tx, op ledger.Op) error {
	if err := ledger.Apply(tx, op); err != nil {
		return err
	}
	return op.Err()
}

func spendOp(user int64, key string) *ledger.PostOp {
	return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Reason: "job_match", Meta: models.Meta{IdempotencyKey: key}}}
}

func TestDeletionBesideEverythingElse(t *testing.T) {
	t.Parallel()
	l := newLeaver(t)
	l.post(ledger.Entry{UserID: l.user, Delta: 100, Reason: models.ReasonManual, Meta: models.Meta{Actor: "operator", Note: "test"}})
	paid := l.completed("evt_1", "cs_1", "paid")
	var spent, held atomic.Int64
	dbtest.Concurrently(40, func(i int) {
		ctx, err := context.Background(), error(nil)
		switch i % 4 {
		case 0:
			err = l.accounts.Delete(ctx, l.user)
		case 1:
			err = l.Receive(ctx, []byte(paid), sign(paid, testSecret, l.clock))
		case 2:
			err = postgres.Transaction(ctx, l.DB, func(tx models.Tx) error {
				return apply(tx, spendOp(l.user, fmt.Sprint("spend", i)))
			})
			if err == nil {
				spent.Add(5)
			}
		case 3:
			err = postgres.Transaction(ctx, l.DB, func(tx models.Tx) error {
				return apply(tx, &ledger.HoldOp{ID: uuid.New(), UserID: l.user, Feature: "job_match", TTL: time.Hour, Key: fmt.Sprint("hold", i)})
			})
			if err == nil {
				held.Add(1)
			}
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("%d: %v", i, err)
		}
	})
	var failures []string
	l.must(l.DB.Raw(`SELECT last_error FROM stripe_events WHERE status = 'failed'`).Scan(&failures).Error)
	if len(failures) > 0 {
		t.Errorf("the payment was not booked at once: %s", failures)
	}
	l.must(l.BookDue(context.Background()))
	l.must(l.accounts.EraseDue(context.Background()))
	l.wantNoTrace()
	if got := l.balance(); got != 0 && got != 1200 {
		t.Errorf("balance = %d credits, want none, or those that were paid for too late", got)
	}
	if want := models.EventReview; l.balance() == 1200 && l.statusOf("evt_1") != want {
		var row models.StripeEvent
		l.must(l.DB.Take(&row, "event_id = 'evt_1'").Error)
		t.Errorf("the late payment's event is %s (%s), want %s", l.statusOf("evt_1"), row.LastError, want)
	}
	var deletions, open int64
	l.must(l.DB.Raw(`SELECT count(*) FROM audit_log WHERE action = 'account.delete'`).Scan(&deletions).Error)
	l.must(l.DB.Raw(`SELECT count(*) FROM holds`).Scan(&open).Error)
	if deletions != 1 || open != 0 {
		t.Errorf("%d deletions and %d holds, want 1 and 0", deletions, open)
	}
	t.Logf("%d credits spent and %d holds before the deletion", spent.Load(), held.Load())
}

func TestADisputedAccountStays(t *testing.T) {
	t.Parallel()
	l := newLeaver(t)
	l.deliver(l.completed("evt_1", "cs_1", "paid"))
	l.deliver(event("evt_2", "charge.dispute.created", `{"id":"dp_1","object":"dispute","amount":3500,"currency":"eur","status":"needs_response","charge":"ch_1","payment_intent":"pi_1"}`))
	err := l.accounts.Delete(context.Background(), l.user)
	if told := fault.Of(err); told == nil || told.Problem != fault.DeletionDispute {
		t.Fatalf("deletion = %v, want a refusal", err)
	}
	if _, err := l.auth.Account(context.Background(), l.user); err != nil {
		t.Errorf("the account is gone: %v", err)
	}
	l.deliver(event("evt_3", "charge.dispute.closed", `{"id":"dp_1","object":"dispute","amount":3500,"currency":"eur","status":"lost","charge":"ch_1","payment_intent":"pi_1"}`))
	l.leave()
	l.wantNoTrace()
	l.wantBalance(0)
}

func TestOldEventsSayNoMoreThanIsRead(t *testing.T) {
	t.Parallel()
	l := newLeaver(t)
	object := fmt.Sprintf(`{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid","status":"complete",%s"payment_intent":{"id":"pi_1","receipt_email":"ada@example.com"},
		"customer":"cus_1","client_reference_id":null,"currency":"chf","amount_subtotal":3400,"amount_total":3400,"currency_conversion":{"source_currency":"eur","amount_subtotal":3500,
		"fx_rate":"1"},"metadata":{"credits":"1200","purchase_id":%q,"name":"Ada Lovelace"}}`, adasDetails, l.purchase.ID)
	paid, odd := event("evt_1", "checkout.session.completed", object), event("evt_2", "ping.pong", `{"name":"Ada Lovelace"}`)
	l.deliver(paid)
	l.deliver(odd)
	reduced := func(id string) string {
		t.Helper()
		if _, err := l.accounts.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		var row models.StripeEvent
		l.must(l.DB.Take(&row, "event_id = ?", id).Error)
		return string(row.Payload)
	}
	l.clock = l.clock.Add(89 * 24 * time.Hour)
	if reduced("evt_1") != paid {
		t.Error("an event was cut down before its time")
	}
	l.clock = l.clock.Add(2 * 24 * time.Hour)
	want, err := objectOf([]byte(paid))
	l.must(err)
	want.CustomerDetails.Email = ""
	delete(want.Metadata, "name")
	got, err := objectOf([]byte(reduced("evt_1")))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("what is read of it has changed (%v): %s", err, diff)
	}
	for _, id := range []string{"evt_1", "evt_2"} {
		if text := reduced(id); strings.Contains(text, "ada@example.com") || strings.Contains(text, "Lovelace") {
			t.Errorf("%s still says %s", id, text)
		}
	}
	l.wantBalance(1200)
}
