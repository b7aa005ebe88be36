package webhook

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
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
	auth *auth.Service
}

func newLeaver(t *testing.T) leaver {
	t.Helper()
	s := newShop(t)
	service, err := auth.New(auth.Options{DB: s.DB, AppURL: "https://credits.example.com"})
	s.must(err)
	s.must(s.DB.Exec(`UPDATE users SET name = 'Ada Lovelace', locale = 'en' WHERE id = ?`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name)
		VALUES ('https://id.example.com', 'subject-of-ada', ?, 'oidc', 'ada@example.com', true, 'Ada Lovelace')`, s.user).Error)
	s.must(s.DB.Exec(`INSERT INTO sessions (key_hash, data, user_id, device, expires_at) VALUES ('k', 'x', ?, 'Firefox', now() + interval '1 day')`, s.user).Error)
	return leaver{s, service}
}

func (l leaver) post(e ledger.Entry) {
	l.t.Helper()
	l.must(models.Transaction(context.Background(), l.DB, func(tx *gorm.DB) error {
		_, err := ledger.Post(tx, e)
		return err
	}))
}

func (l leaver) leave() {
	l.t.Helper()
	l.must(l.auth.Delete(context.Background(), l.user))
	l.must(l.Purchase.EraseDue(context.Background()))
}

func (l leaver) wantNoTrace() {
	l.t.Helper()
	for _, trace := range dbtest.Traces(l.t, l.DB, adasWords...) {
		l.t.Errorf("left: %s", trace)
	}
	dbtest.CheckLedger(l.t, l.DB)
}

func TestADeletedPersonLeavesNoTrace(t *testing.T) {
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
	l.must(models.AppendAudit(l.DB, models.Deed{Action: "credits.grant", UserID: l.user, Detail: map[string]any{"note": "for Ada Lovelace", "credits": 5}}))
	l.must(l.DB.Exec(`INSERT INTO refund_requests (id, purchase_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (?, ?, 'k', 350, 'Ada Lovelace asked', 'refused', now())`, uuid.New(), l.purchase.ID).Error)
	for i, end := range []bool{true, false} {
		l.must(models.Transaction(context.Background(), l.DB, func(tx *gorm.DB) error {
			held, err := ledger.Hold(tx, ledger.Order{ID: uuid.New(), UserID: l.user, Feature: "job_match", TTL: time.Hour, Key: fmt.Sprint("hold of ada@example.com/", i), Metadata: []byte(`{"for":"Ada Lovelace"}`)})
			if err == nil && end {
				_, err = ledger.Capture(tx, uuid.Nil, held.ID, nil)
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
		l.must(l.Purchase.EraseDue(context.Background()))
		l.wantNoTrace()
		l.deliver(event("evt_ignored", "payment_intent.created", `{"id":"pi_1","object":"payment_intent","receipt_email":"ada@example.com"}`))
		if _, err := l.Purchase.Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
		l.wantNoTrace()
	})
	t.Run("and everything goes when its time is over", func(t *testing.T) {
		if n, err := l.Purchase.Sweep(context.Background()); n != 0 || err != nil {
			t.Fatalf("%d accounts were removed before their time (%v)", n, err)
		}
		if err := l.DB.Exec(`DELETE FROM credit_transactions WHERE user_id = ?`, l.user).Error; err == nil {
			t.Fatal("the ledger let lines go that must be kept")
		}
		l.must(l.DB.Exec(`UPDATE users SET delete_after = current_date - 2 WHERE id = ?`, l.user).Error)
		if n, err := l.Purchase.Sweep(context.Background()); n != 1 || err != nil {
			t.Fatalf("%d accounts were removed, want 1 (%v)", n, err)
		}
		for _, table := range []string{"users", "credit_transactions", "purchases", "stripe_events", "refund_requests", "holds"} {
			var n int64
			l.must(l.DB.Table(table).Count(&n).Error)
			if n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
	})
}

func TestMoneyThatComesAfterTheDeletion(t *testing.T) {
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
			l.must(l.Purchase.EraseDue(context.Background()))
			l.wantNoTrace()
			var people int64
			l.must(l.DB.Raw(`SELECT count(*) FROM users WHERE deleted_at IS NULL`).Scan(&people).Error)
			if people != 0 {
				t.Error("the payment made an account")
			}
			err := models.Transaction(context.Background(), l.DB, func(tx *gorm.DB) error {
				_, err := ledger.Spend(tx, l.user, "job_match", models.Meta{IdempotencyKey: "k"})
				return err
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

func TestDeletionBesideEverythingElse(t *testing.T) {
	l := newLeaver(t)
	l.post(ledger.Entry{UserID: l.user, Delta: 100, Reason: models.ReasonManual, Meta: models.Meta{Actor: "operator", Note: "test"}})
	paid := l.completed("evt_1", "cs_1", "paid")
	var spent, held atomic.Int64
	dbtest.Together(40, func(i int) {
		ctx, err := context.Background(), error(nil)
		switch i % 4 {
		case 0:
			err = l.auth.Delete(ctx, l.user)
		case 1:
			err = l.Receive(ctx, []byte(paid), sign(paid, testSecret, l.clock))
		case 2:
			err = models.Transaction(ctx, l.DB, func(tx *gorm.DB) error {
				_, err := ledger.Spend(tx, l.user, "job_match", models.Meta{IdempotencyKey: fmt.Sprint("spend", i)})
				return err
			})
			if err == nil {
				spent.Add(5)
			}
		case 3:
			err = models.Transaction(ctx, l.DB, func(tx *gorm.DB) error {
				_, err := ledger.Hold(tx, ledger.Order{ID: uuid.New(), UserID: l.user, Feature: "job_match", TTL: time.Hour, Key: fmt.Sprint("hold", i)})
				return err
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
	l.must(l.Purchase.EraseDue(context.Background()))
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
	l := newLeaver(t)
	l.deliver(l.completed("evt_1", "cs_1", "paid"))
	l.deliver(event("evt_2", "charge.dispute.created", `{"id":"dp_1","object":"dispute","amount":3500,"currency":"eur","status":"needs_response","charge":"ch_1","payment_intent":"pi_1"}`))
	err := l.auth.Delete(context.Background(), l.user)
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
