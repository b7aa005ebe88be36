package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// shop is a database with one user and one purchase of 1200 credits for €35.00 that waits for payment.
type shop struct {
	*Service
	t        testing.TB
	user     int64
	purchase models.Purchase
	clock    time.Time

	broken  func() time.Time // what a test took away, to put it back
	blocked *gorm.DB         // a transaction that holds what bookings want
}

func newShop(t testing.TB) *shop {
	t.Helper()
	db := dbtest.New(t)
	s := &shop{t: t, user: dbtest.User(t, db, "ada@example.com").ID, clock: models.Now()}
	s.Service = &Service{DB: db, Secrets: []string{testSecret}, Now: func() time.Time { return s.clock }, Log: slog.New(slog.DiscardHandler), InlineTimeout: dbtest.HangTimeout}
	s.Purchase = &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789", stripeWithLineItems(t)), Now: s.Now, Log: s.Log}
	s.Catalog = &catalog.Service{DB: db, Stripe: s.Purchase.Stripe, Log: s.Log}
	s.must(db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).Error)
	s.purchase = s.order("cs_1")
	return s
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) order(session string) models.Purchase {
	s.t.Helper()
	id := uuid.Must(uuid.NewV7())
	s.must(s.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', ?, NULLIF(?, ''))`, id, s.user, id.String(), session).Error)
	return models.Purchase{ID: id}
}

// event is Stripe's envelope around an object.
func event(id, kind, object string) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2024-06-20","created":1800000000,"livemode":false,"type":%q,"data":{"object":%s}}`, id, kind, object)
}

// at is the event as made so many seconds later.
func at(seconds int64, payload string) string {
	return strings.Replace(payload, `"created":1800000000`, fmt.Sprintf(`"created":%d`, 1800000000+seconds), 1)
}

func (s *shop) completed(id, session, status string) string {
	return event(id, "checkout.session.completed", fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,
		"payment_intent":"pi_1","client_reference_id":%q,"currency":"eur","amount_subtotal":3500,"amount_total":3500,
		"metadata":{"credits":"1200","purchase_id":%q}}`, session, status, s.purchase.ID, s.purchase.ID))
}

func refunded(id string, cumulative int64) string {
	return event(id, "charge.refunded", fmt.Sprintf(`{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":%d,"currency":"eur","payment_intent":"pi_1"}`, cumulative))
}

func refund(id, refundID string, amount int64) string {
	return event(id, "refund.created", fmt.Sprintf(`{"id":%q,"object":"refund","amount":%d,"currency":"eur","status":"succeeded","charge":"ch_1","payment_intent":"pi_1"}`, refundID, amount))
}

// deliver brings an event twice, as Stripe may at any time.
func (s *shop) deliver(payload string) {
	s.t.Helper()
	for range 2 {
		s.must(s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)))
	}
}

func (s *shop) balance() models.Credits {
	s.t.Helper()
	var user models.User
	s.must(s.DB.Take(&user, "id = ?", s.user).Error)
	return user.CreditsBalance
}

func (s *shop) statusOf(eventID string) models.StripeEventStatus {
	s.t.Helper()
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = ?", eventID).Error)
	return row.Status
}

func (s *shop) wantBalance(want models.Credits) {
	s.t.Helper()
	if got := s.balance(); got != want {
		s.t.Errorf("balance = %d credits, want %d", got, want)
	}
	dbtest.CheckLedger(s.t, s.DB)
}

func TestPaidCheckoutIsBookedOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	paid := s.completed("evt_1", "cs_1", "paid")
	s.deliver(paid)
	s.deliver(paid)
	s.wantBalance(1200)
	s.deliver(s.completed("evt_2", "cs_1", "paid")) // a second event object for the same session
	s.wantBalance(1200)

	var row models.CreditTransaction
	s.must(s.DB.Take(&row, "user_id = ?", s.user).Error)
	if row.StripeEventID == nil || *row.StripeEventID != "evt_1" || row.Meta.Session != "cs_1" || row.Meta.PaymentIntent != "pi_1" || row.Meta.PurchaseID != s.purchase.ID.String() {
		t.Errorf("line = %v %+v, want event, session, payment and purchase", row.StripeEventID, row.Meta)
	}
	if s.statusOf("evt_1") != models.EventDone || s.statusOf("evt_2") != models.EventDone {
		t.Errorf("events are %s and %s, want done", s.statusOf("evt_1"), s.statusOf("evt_2"))
	}
}

func TestTwentyDeliveriesAtOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	same := s.completed("evt_same", "cs_1", "paid")
	dbtest.Concurrently(20, func(i int) {
		payload := same
		if i%2 == 1 {
			payload = s.completed(fmt.Sprintf("evt_%d", i), "cs_1", "paid")
		}
		if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err != nil {
			t.Errorf("receive: %v", err)
		}
	})
	s.wantBalance(1200)
}

func TestCheckoutThatDiedBeforeItsSessionWasKept(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.DB.Exec(`UPDATE purchases SET checkout_session_id = NULL`).Error)
	s.deliver(s.completed("evt_1", "cs_lost", "paid"))
	s.wantBalance(1200)
}

func TestDelayedPayment(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
	s.wantBalance(0)
	succeeded := strings.Replace(s.completed("evt_2", "cs_1", "paid"), "session.completed", "session.async_payment_succeeded", 1)
	s.deliver(succeeded)
	s.deliver(succeeded)
	s.wantBalance(1200)
}

func TestFailedRefundGivesTheCreditsBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	failed := strings.Replace(refund("evt_f", "re_1", 1000), `"status":"succeeded"`, `"status":"failed"`, 1)
	failed = strings.Replace(failed, "refund.created", "charge.refund.updated", 1)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.deliver(refunded("evt_c1", 1000))
	s.deliver(refund("evt_r1", "re_1", 1000))
	s.wantBalance(1200 - 342)
	s.deliver(failed)
	s.wantBalance(1200)
	s.deliver(refund("evt_r2", "re_1", 1000)) // late: a failed refund stays failed
	s.wantBalance(1200)
}

func TestABusyMomentIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.InlineTimeout = 10 * time.Millisecond
	blocked := s.DB.Begin()
	s.must(blocked.Exec(`SELECT 1 FROM users WHERE id = ? FOR UPDATE`, s.user).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.InlineTimeout = 0
	s.must(blocked.Rollback().Error)
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = 'evt_1'").Error)
	if row.Attempts != 0 || row.NextAttemptAt.After(s.clock.Add(inlineGrace)) {
		t.Errorf("after %d attempts the next is at %s, want none counted and the next within %s", row.Attempts, row.NextAttemptAt, inlineGrace)
	}
	s.clock = s.clock.Add(inlineGrace + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(1200)
}

func TestOverviewOfAnEmptyShop(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	overview, err := s.Overview(context.Background(), 10)
	if err != nil || overview.LastReceived != nil || len(overview.Open) != 0 {
		t.Errorf("overview = %+v, %v; want nothing", overview, err)
	}
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	if overview, err = s.Overview(context.Background(), 10); err != nil || overview.LastReceived == nil {
		t.Errorf("overview = %+v, %v; want the time of the last event", overview, err)
	}
}

func TestUnpaidCheckoutGivesNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_1", "cs_1", "unpaid"))
	s.wantBalance(0)
	s.deliver(s.completed("evt_2", "cs_1", "paid"))
	s.deliver(s.completed("evt_3", "cs_1", "unpaid")) // late: paid stays paid
	s.wantBalance(1200)
}

// One refund is told by two events of different kinds; partial refunds come in three steps. Whatever the order, also
// before the purchase, and with every event delivered twice, the end is the same.
func TestRefundsInAnyOrder(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for _, c := range []struct {
		name   string
		events func(s *shop) []string
		want   models.Credits
	}{
		{"a part", func(s *shop) []string { return []string{refunded("evt_c1", 1000), refund("evt_r1", "re_1", 1000)} }, 1200 - 342},
		{"the charge alone", func(s *shop) []string { return []string{refunded("evt_c1", 1000), refunded("evt_c2", 2000)} }, 1200 - 685},
		{"the refunds alone", func(s *shop) []string {
			return []string{refund("evt_r1", "re_1", 1000), refund("evt_r2", "re_2", 1000)}
		}, 1200 - 685},
		{"all of it in three steps", func(s *shop) []string {
			return []string{refunded("evt_c1", 1000), refund("evt_r1", "re_1", 1000), refunded("evt_c2", 2000), refund("evt_r2", "re_2", 1000),
				refunded("evt_c3", 3500), refund("evt_r3", "re_3", 1500)}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for round := range 6 {
				s := newShop(t)
				events := append(c.events(s), s.completed("evt_paid", "cs_1", "paid"))
				events = append(events, events...)
				if round > 0 {
					random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				}
				for _, e := range events {
					s.deliver(e)
				}
				if s.wantBalance(c.want); t.Failed() {
					t.Fatalf("seed %d, round %d", seed, round)
				}
				var waiting int64
				s.must(s.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status <> 'done'`).Scan(&waiting).Error)
				if waiting != 0 {
					t.Errorf("seed %d, round %d: %d events still wait", seed, round, waiting)
				}
			}
		})
	}
}

func TestPurchaseAndRefundAtTheSameMoment(t *testing.T) {
	t.Parallel()
	for range 5 {
		s := newShop(t)
		payloads := []string{s.completed("evt_paid", "cs_1", "paid"), refunded("evt_c1", 1000), refund("evt_r1", "re_1", 1000), s.completed("evt_paid2", "cs_1", "paid")}
		dbtest.Concurrently(20, func(i int) {
			p := payloads[i%len(payloads)]
			if err := s.Receive(context.Background(), []byte(p), sign(p, testSecret, s.clock)); err != nil {
				t.Errorf("receive: %v", err)
			}
		})
		s.wantBalance(1200 - 342)
	}
}

func TestRefundOfSpentCreditsLeavesADebt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.must(postgres.Transaction(context.Background(), s.DB, func(tx models.Tx) error {
		return tx.Exec(`WITH spent AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) VALUES (?, -1000, 'resume_analysis') RETURNING 1)
			UPDATE users SET credits_balance = credits_balance - 1000 WHERE id = ?`, s.user, s.user).Error
	}))
	s.deliver(refunded("evt_c1", 3500))
	s.wantBalance(-1000)
}

func TestEventsThatBookNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, c := range []struct {
		name, payload string
		want          models.StripeEventStatus
	}{
		{"unknown type", event("evt_a", "invoice.paid", `{"id":"in_1"}`), models.EventIgnored},
		{"payment_intent.succeeded is the same fact as the session", event("evt_b", "payment_intent.succeeded", `{"id":"pi_1","amount":3500,"metadata":{"credits":"1200"}}`), models.EventIgnored},
		{"subscription", event("evt_c", "checkout.session.completed", `{"id":"cs_1","mode":"subscription","payment_status":"paid"}`), models.EventIgnored},
		{"a session of another product", event("evt_d", "checkout.session.completed", `{"id":"cs_x","mode":"payment","payment_status":"paid","amount_total":1}`), models.EventIgnored},
		{"a session of ours that we do not know", event("evt_k", "checkout.session.completed", `{"id":"cs_y","mode":"payment","payment_status":"paid","metadata":{"credits":"500"}}`), models.EventReview},
		{"a dispute before its purchase", event("evt_l", "charge.dispute.created", `{"id":"dp_1","amount":3500,"charge":"ch_1","payment_intent":"pi_9","status":"needs_response"}`), models.EventDeferred},
		{"a dispute in a state nobody knows", event("evt_n", "charge.dispute.created", `{"id":"dp_2","amount":3500,"payment_intent":"pi_9","status":"odd"}`), models.EventReview},
		{"a stranger's customer", event("evt_o", "customer.deleted", `{"id":"cus_stranger"}`), models.EventIgnored},
		{"another product's expired session", event("evt_p", "checkout.session.expired", `{"id":"cs_z","mode":"payment"}`), models.EventIgnored},
		{"a refund in a state nobody knows", event("evt_m", "refund.created", `{"id":"re_8","amount":5,"status":"lost","payment_intent":"pi_1"}`), models.EventReview},
		{"another amount than ordered", event("evt_e", "checkout.session.completed", fmt.Sprintf(`{"id":"cs_1","mode":"payment","payment_status":"paid","payment_intent":"pi_1",
			"currency":"eur","amount_subtotal":1,"amount_total":1,"metadata":{"credits":"1200","purchase_id":%q}}`, s.purchase.ID)), models.EventReview},
		{"another currency", event("evt_f", "checkout.session.completed", `{"id":"cs_1","mode":"payment","payment_status":"paid","currency":"usd","amount_subtotal":3500,"amount_total":3500}`), models.EventReview},
		{"real money in test mode", `{"id":"evt_g","object":"event","livemode":true,"type":"checkout.session.completed","data":{"object":{"id":"cs_1","payment_status":"paid"}}}`, models.EventReview},
		{"an object without id", event("evt_h", "charge.refunded", `{"amount":5}`), models.EventReview},
		{"refund_without_payment", event("evt_i", "refund.created", `{"id":"re_9","amount":5,"status":"succeeded","payment_intent":null,"charge":null}`), models.EventIgnored},
		{"a refund before its purchase", refunded("evt_j", 100), models.EventDeferred},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.deliver(c.payload)
			s.deliver(c.payload)
			if id := c.payload[7:12]; s.statusOf(id) != c.want {
				t.Errorf("event is %s, want %s", s.statusOf(id), c.want)
			}
			s.wantBalance(0)
		})
	}
}

func TestWorkerBooksWhatWasLeft(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	payload := s.completed("evt_1", "cs_1", "paid")
	event, err := verify([]byte(payload), sign(payload, testSecret, s.clock), s.Secrets, s.clock)
	s.must(err)
	_, err = s.store(context.Background(), s.rowOf(event, []byte(payload))) // stored, and then the process died
	s.must(err)
	s.deliver(payload) // Stripe, who got no answer, sends it again
	s.must(s.BookDue(context.Background()))
	s.wantBalance(0) // left to the request that brought it, for a moment
	s.clock = s.clock.Add(inlineGrace + time.Second)
	dbtest.Concurrently(20, func(int) {
		if err := s.BookDue(context.Background()); err != nil {
			t.Errorf("book due: %v", err)
		}
	})
	s.wantBalance(1200)
}

func TestFailedBookingIsTriedAgainAndThenShownToAPerson(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(s.DB.Exec(`ALTER TABLE purchases RENAME TO purchases_away`).Error)
	s.deliver(s.completed("evt_1", "cs_1", "paid")) // stored, so answered 2xx all the same
	if s.statusOf("evt_1") != models.EventFailed {
		t.Fatalf("event is %s, want failed", s.statusOf("evt_1"))
	}
	s.must(s.DB.Exec(`ALTER TABLE purchases_away RENAME TO purchases`).Error)
	s.clock = s.clock.Add(pauses[0] + time.Second)
	s.must(s.BookDue(context.Background()))
	s.wantBalance(1200)

	i, err := s.Purchase.Installation(t.Context())
	s.must(err)
	known := newKnowing(t, map[string]string{"/v1/payment_intents/pi_9": fmt.Sprintf(`{"id":"pi_9","metadata":{%q:%q}}`, stripeapi.TagKey, i.ID)})
	s.Purchase.Stripe = known.client() // a payment of ours whose purchase is lost
	s.deliver(event("evt_2", "charge.refunded", `{"id":"ch_9","amount":5,"amount_refunded":5,"currency":"eur","payment_intent":"pi_9"}`))
	for _, pause := range pauses {
		if s.statusOf("evt_2") != models.EventDeferred {
			t.Fatalf("event is %s, want deferred", s.statusOf("evt_2"))
		}
		s.clock = s.clock.Add(pause + time.Second)
		s.must(s.BookDue(context.Background()))
	}
	if s.statusOf("evt_2") != models.EventReview {
		t.Errorf("event is %s after %d attempts, want review", s.statusOf("evt_2"), len(pauses)+1)
	}
	s.must(s.Retry(context.Background(), "evt_2"))
	if s.statusOf("evt_2") != models.EventDeferred {
		t.Errorf("event is %s after it was opened again, want deferred", s.statusOf("evt_2"))
	}
	for _, id := range []string{"evt_1", "evt_nobody"} { // done, and unknown
		if err := s.Retry(context.Background(), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("retry of %s: %v, want not found", id, err)
		}
	}
	overview, err := s.Overview(context.Background(), 10)
	if err != nil || len(overview.Open) != 1 || overview.Open[0].EventID != "evt_2" || len(overview.Open[0].Payload) != 0 {
		t.Errorf("overview = %d open events (%v), want evt_2 without its payload", len(overview.Open), err)
	}
}

func TestDuplicatesUseUpNoAttempts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for range 10 {
		s.deliver(refunded("evt_early", 1000))
	}
	var row models.StripeEvent
	s.must(s.DB.Take(&row, "event_id = 'evt_early'").Error)
	if row.Status != models.EventDeferred || row.Attempts != 1 {
		t.Errorf("event is %s after %d attempts, want deferred after 1", row.Status, row.Attempts)
	}
	s.deliver(s.completed("evt_paid", "cs_1", "paid"))
	s.wantBalance(1200 - 342)
	if got := s.statusOf("evt_early"); got != models.EventDone {
		t.Errorf("event is %s once its purchase came, want done", got)
	}
}

func TestDatabaseAwayIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.must(postgres.Close(s.DB))
	payload := s.completed("evt_1", "cs_1", "paid")
	if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err == nil {
		t.Error("an event that could not be stored was acknowledged")
	}
}
