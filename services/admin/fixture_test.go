package admin_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/webhook"
)

const webhookSecret = "whsec_0123456789"

// fixture is an admin, and a buyer whose order of 1200 credits for €35.00 is not paid yet.
type fixture struct {
	*admin.Service
	t          *testing.T
	boss, user models.User
	order      uuid.UUID
	clock      time.Time
	delivered  int // events
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := dbtest.New(t)
	address, _ := stripeRefunds(t, "usd")
	f := &fixture{
		t: t, boss: dbtest.User(t, db, "admin@example.com"), user: dbtest.User(t, db, "ada@example.com"),
		order: uuid.Must(uuid.NewV7()), clock: models.Now(),
	}
	now, quiet := func() time.Time { return f.clock }, slog.New(slog.DiscardHandler)
	buy := &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789", address), Now: now, Log: quiet}
	events := &webhook.Service{
		DB: db, Purchase: buy, Secrets: []string{webhookSecret}, Now: now, Log: quiet, InlineTimeout: dbtest.HangTimeout,
	}
	f.Service = &admin.Service{DB: db, Purchase: buy, Webhook: events, Log: quiet}
	f.must(
		db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).
			Error)
	f.must(
		db.Exec(
			`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', 'k', 'cs_1')`, f.order, f.user.ID).Error)
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// deliver sends a new Stripe event to the webhook and returns its id.
func (f *fixture) deliver(kind, object string) string {
	f.t.Helper()
	f.delivered++
	id := fmt.Sprintf("evt_%d", f.delivered)
	f.must(f.send(id, kind, object))
	return id
}

func (f *fixture) send(id, kind, object string) error {
	payload := fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2024-06-20","created":%d,"livemode":false,
		"type":%q,"data":{"object":%s}}`, id, 1800000000+f.delivered, kind, object)
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "%d.%s", f.clock.Unix(), payload)
	signature := fmt.Sprintf("t=%d,v1=%s", f.clock.Unix(), hex.EncodeToString(mac.Sum(nil)))
	return f.Webhook.Receive(context.Background(), []byte(payload), signature)
}

// paidInDollars is the order's Checkout Session, paid in another currency than ordered.
func (f *fixture) paidInDollars() string {
	return fmt.Sprintf(`{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid",
		"payment_intent":"pi_1","client_reference_id":%q,"currency":"usd","amount_subtotal":4000,"amount_total":4000,
		"metadata":{"credits":"1200","purchase_id":%q}}`, f.order, f.order)
}

// paidInEuros is the order's Checkout Session, paid as ordered.
const paidInEuros = `{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid",
	"payment_intent":"pi_1","currency":"eur","amount_subtotal":3500,"amount_total":3500}`

func refundOf(cents int64) string {
	return fmt.Sprintf(`{"id":"ch_1","object":"charge","amount":4000,"amount_refunded":%d,"currency":"usd",
		"payment_intent":"pi_1"}`, cents)
}

func (f *fixture) purchase(session string) models.Purchase {
	f.t.Helper()
	var p models.Purchase
	f.must(f.DB.Take(&p, "checkout_session_id = ?", session).Error)
	return p
}

func (f *fixture) wantPurchase(session string, status models.PurchaseStatus, granted models.Credits) {
	f.t.Helper()
	if p := f.purchase(session); p.Status != status || p.CreditsGranted != granted {
		f.t.Errorf("purchase of %s is %s with %d credits granted, want %s with %d",
			session, p.Status, p.CreditsGranted, status, granted)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

func (f *fixture) wantBalance(want models.Credits) {
	f.t.Helper()
	user, err := f.User(context.Background(), f.user.ID)
	if err != nil || user.CreditsBalance != want {
		f.t.Errorf("balance = %d credits (%v), want %d", user.CreditsBalance, err, want)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

func (f *fixture) wantEvent(id string, status models.StripeEventStatus) {
	f.t.Helper()
	var e models.StripeEvent
	f.must(f.DB.Omit("payload").Take(&e, "event_id = ?", id).Error)
	if e.Status != status {
		f.t.Errorf("event %s is %s (%s), want %s", id, e.Status, e.LastError, status)
	}
}

// audited counts the audit entries of an action.
func (f *fixture) audited(action string) (n int64) {
	f.t.Helper()
	f.must(f.DB.Raw(`SELECT count(*) FROM audit_log WHERE action = ?`, action).Scan(&n).Error)
	return n
}

// waiting returns the kinds and causes of all open reviews.
func (f *fixture) waiting() []string {
	f.t.Helper()
	rows, total, err := f.Waiting(context.Background(), 50)
	f.must(err)
	all := []string{}
	for _, w := range rows {
		all = append(all, string(w.Kind)+": "+string(w.Cause))
	}
	if int64(len(all)) != total {
		f.t.Errorf("%d reviews are listed, want the total of %d", len(all), total)
	}
	return all
}

func (f *fixture) decision(kind models.DecisionKind) admin.Decision {
	return admin.Decision{ActorID: f.boss.ID, Kind: kind, Note: "compared with Stripe", RequestID: "req_1"}
}
