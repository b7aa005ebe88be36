package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is the service with one user, and one pending purchase of 1200 credits for €35.00.
type fixture struct {
	*Service
	t        testing.TB
	user     int64
	purchase models.Purchase
	clock    time.Time

	savedNow func() time.Time // replaced by a test
	blocked  *gorm.DB         // a transaction that blocks bookings
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	db := dbtest.New(t)
	s := &fixture{t: t, user: dbtest.User(t, db, "ada@example.com").ID, clock: models.Now()}
	s.Service = &Service{
		DB: db, Secrets: []string{testSecret}, Now: func() time.Time { return s.clock }, Log: slog.New(slog.DiscardHandler),
		InlineTimeout: dbtest.HangTimeout, ReserveTimeout: dbtest.HangTimeout,
	}
	s.Purchase = &purchase.Service{
		DB: db, Stripe: stripeapi.New("sk_test_0123456789", stripeWithLineItems(t)), Now: s.Now, Log: s.Log,
	}
	s.Catalog = &catalog.Service{DB: db, Stripe: s.Purchase.Stripe, Log: s.Log}
	s.must(
		db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).
			Error)
	s.purchase = s.order("cs_1")
	return s
}

func (s *fixture) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// order inserts a pending purchase of the user.
func (s *fixture) order(session string) models.Purchase {
	s.t.Helper()
	id := uuid.Must(uuid.NewV7())
	s.must(
		s.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
			idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', ?, NULLIF(?, ''))`, id, s.user, id.String(), session).Error)
	return models.Purchase{ID: id}
}

// event is Stripe's event about an object.
func event(id, kind, object string) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2024-06-20","created":1800000000,"livemode":false,`+
		`"type":%q,"data":{"object":%s}}`, id, kind, object)
}

// at returns the event as if created that many seconds later.
func at(seconds int64, payload string) string {
	return strings.Replace(payload, `"created":1800000000`, fmt.Sprintf(`"created":%d`, 1800000000+seconds), 1)
}

// completed is the event of the purchase's Checkout Session.
func (s *fixture) completed(id, session, status string) string {
	return event(id, "checkout.session.completed",
		fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,
		"payment_intent":"pi_1","client_reference_id":%q,"currency":"eur","amount_subtotal":3500,"amount_total":3500,
		"metadata":{"credits":"1200","purchase_id":%q}}`, session, status, s.purchase.ID, s.purchase.ID))
}

// refunded is the event of the charge with its sum of refunds.
func refunded(id string, cumulative int64) string {
	return event(id, "charge.refunded", fmt.Sprintf(`{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":%d,
		"currency":"eur","payment_intent":"pi_1"}`, cumulative))
}

// refund is the event of a new refund.
func refund(id, refundID string, amount int64) string {
	return event(id, "refund.created", fmt.Sprintf(`{"id":%q,"object":"refund","amount":%d,"currency":"eur",
		"status":"succeeded","charge":"ch_1","payment_intent":"pi_1"}`, refundID, amount))
}

// receive delivers an event once. It may be called concurrently.
func (s *fixture) receive(payload string) {
	s.t.Helper()
	if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err != nil {
		s.t.Errorf("receive: %v", err)
	}
}

// deliver delivers an event twice, as Stripe may.
func (s *fixture) deliver(payload string) {
	s.t.Helper()
	for range 2 {
		s.must(s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)))
	}
}

func (s *fixture) balance() models.Credits {
	s.t.Helper()
	var user models.User
	s.must(s.DB.Take(&user, "id = ?", s.user).Error)
	return user.CreditsBalance
}

func (s *fixture) statusOf(eventID string) models.StripeEventStatus {
	s.t.Helper()
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = ?", eventID).Error)
	return row.Status
}

func (s *fixture) wantBalance(want models.Credits) {
	s.t.Helper()
	if got := s.balance(); got != want {
		s.t.Errorf("balance = %d credits, want %d", got, want)
	}
	dbtest.CheckLedger(s.t, s.DB)
}
