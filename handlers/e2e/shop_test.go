package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

const (
	shopSecret  = "whsec_0123456789abcdef"
	soldCredits = 1200
	soldCents   = 3500
)

// shop is the database of servers that a test starts and kills, with people who buy 1200 credits for €35.00.
type shop struct {
	db    *gorm.DB
	url   string
	users []int64
}

func newShop(t testing.TB, users int) *shop {
	t.Helper()
	db := dbtest.New(t)
	return openShop(t, db, dbtest.URLOf(db), users)
}

// openShop is newShop on a migrated database that has an address already.
func openShop(t testing.TB, db *gorm.DB, url string, users int) *shop {
	t.Helper()
	s := &shop{db: db, url: url}
	s.exec(t, `INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', ?, ?)`, soldCredits, soldCents)
	err := s.db.Raw(`INSERT INTO users (email, locale) SELECT 'user' || n || '@example.com', 'en' FROM generate_series(1, ?) n RETURNING id`,
		users).Scan(&s.users).Error
	if err != nil {
		t.Fatalf("store users: %v", err)
	}
	return s
}

func (s *shop) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := s.db.Exec(sql, args...).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// serverName is how a server's connections are told from the test's own.
const serverName = "credits-server"

// env is what a server of this shop is started with: a Stripe key of its own, so that nothing stands in for anything,
// and a Stripe that does not answer, since all that is sold here was begun here.
func (s *shop) env() []string {
	return []string{"DATABASE_URL=" + s.url + "&application_name=" + serverName, "STRIPE_SECRET_KEY=sk_test_0123456789abcdef",
		"STRIPE_WEBHOOK_SECRET=" + shopSecret, "STRIPE_API_BASE=http://127.0.0.1:9", "GITHUB_CLIENT_ID=credits", "GITHUB_CLIENT_SECRET=0123456789"}
}

// order is one purchase and what Stripe says of it.
type order struct {
	id       uuid.UUID
	user     int64
	begun    time.Time
	events   []notice // each of its own second, as they happened
	refunded int64    // cents that stay refunded, and that a bank keeps
	disputed int64
}

// notice is one of Stripe's events.
type notice struct{ id, payload string }

func (s *shop) order(t testing.TB, user int64) *order {
	t.Helper()
	o := &order{id: uuid.Must(uuid.NewV7()), user: user, begun: time.Now()}
	s.exec(t, `INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, ?, ?, 'eur', 'de', ?, ?)`, o.id, user, soldCredits, soldCents, o.id.String(), o.session())
	return o
}

func (o *order) session() string { return "cs_" + o.id.String() }
func (o *order) payment() string { return "pi_" + o.id.String() }

// say adds an event; what tells apart events of one kind is in the suffix.
func (o *order) say(kind, suffix, object string) notice {
	id := fmt.Sprintf("evt_%s_%s_%s", o.id, kind, suffix)
	n := notice{id, fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2024-06-20","created":%d,"livemode":false,"type":%q,"data":{"object":%s}}`,
		id, o.begun.Add(time.Duration(len(o.events))*time.Second).Unix(), kind, object)}
	o.events = append(o.events, n)
	return n
}

func (o *order) checkout(kind, suffix, status string) notice {
	return o.say(kind, suffix, fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,"payment_intent":%q,
		"client_reference_id":%q,"currency":"eur","amount_subtotal":%d,"amount_total":%d,"metadata":{"credits":"%d","purchase_id":%q}}`,
		o.session(), status, o.payment(), o.id, soldCents, soldCents, soldCredits, o.id))
}

func (o *order) paid() notice { return o.checkout("checkout.session.completed", "1", "paid") }

// refund is money that went back; the charge tells the same in an event of its own.
func (o *order) refund(cents int64) notice {
	o.refunded = cents
	return o.say("refund.created", "1", fmt.Sprintf(`{"id":"re_%s","object":"refund","amount":%d,"currency":"eur","status":"succeeded","charge":"ch_%s",
		"payment_intent":%q}`, o.id, cents, o.id, o.payment()))
}

func (o *order) charge() notice {
	return o.say("charge.refunded", "1", fmt.Sprintf(`{"id":"ch_%s","object":"charge","amount":%d,"amount_refunded":%d,"currency":"eur","payment_intent":%q}`,
		o.id, soldCents, o.refunded, o.payment()))
}

func (o *order) dispute(kind, status string, cents int64) notice {
	o.disputed = cents
	if status == "won" {
		o.disputed = 0
	}
	return o.say(kind, status, fmt.Sprintf(`{"id":"dp_%s","object":"dispute","amount":%d,"currency":"eur","status":%q,"charge":"ch_%s","payment_intent":%q}`,
		o.id, cents, status, o.id, o.payment()))
}

// due is what the ledger must say in the end: the grant, and the share of it that the money which went back stands for.
func (o *order) due() booked {
	share := func(cents int64) int64 { return soldCredits * min(cents, soldCents) / soldCents }
	refunded := share(o.refunded)
	return booked{Grants: 1, Granted: soldCredits, Refunded: refunded, Disputed: share(o.refunded+o.disputed) - refunded}
}

// booked is what the ledger says of a purchase.
type booked struct{ Grants, Granted, Refunded, Disputed int64 }

// wantBooked checks that every order is in the ledger once, with all that was reported of it, in lines, purchases and balances.
func (s *shop) wantBooked(t testing.TB, orders ...*order) {
	t.Helper()
	var rows []struct {
		ID                                   uuid.UUID
		Lines                                booked `gorm:"embedded"`
		RowGranted, RowRefunded, RowDisputed int64
	}
	err := s.db.Raw(`SELECT p.id, p.credits_granted AS row_granted, p.credits_refunded AS row_refunded, p.credits_disputed AS row_disputed,
			count(c.id) FILTER (WHERE c.reason = 'purchase') AS grants,
			coalesce(sum(c.delta_credits) FILTER (WHERE c.reason = 'purchase'), 0) AS granted,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'refund'), 0) AS refunded,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'dispute'), 0) AS disputed
		FROM purchases p LEFT JOIN credit_transactions c ON c.meta ->> 'purchase_id' = p.id::text GROUP BY p.id`).Scan(&rows).Error
	if err != nil {
		t.Fatalf("read what was booked: %v", err)
	}
	found := map[uuid.UUID]booked{}
	for _, r := range rows {
		found[r.ID] = r.Lines
		if row := (booked{r.Lines.Grants, r.RowGranted, r.RowRefunded, r.RowDisputed}); row != r.Lines {
			t.Errorf("purchase %s counts %+v, its lines are %+v", r.ID, row, r.Lines)
		}
	}
	for _, o := range orders {
		if got, want := found[o.id], o.due(); got != want {
			t.Errorf("of purchase %s is booked %+v, want %+v", o.id, got, want)
		}
	}
	s.wantBalances(t, orders)
	dbtest.CheckLedger(t, s.db)
}

// wantBalances checks that users have the credits of these orders and no others.
func (s *shop) wantBalances(t testing.TB, orders []*order) {
	t.Helper()
	want := map[int64]int64{}
	for _, o := range orders {
		due := o.due()
		want[o.user] += due.Granted - due.Refunded - due.Disputed
	}
	for user, credits := range want {
		var balance int64
		if err := s.db.Raw(`SELECT credits_balance FROM users WHERE id = ?`, user).Scan(&balance).Error; err != nil {
			t.Fatalf("read balance: %v", err)
		}
		if balance != credits {
			t.Errorf("user %d has %d credits, want %d", user, balance, credits)
		}
	}
}

// due moves the time of the next attempt of all that waits to now, instead of waiting for it.
func (s *shop) due(t testing.TB) {
	t.Helper()
	s.exec(t, `UPDATE stripe_events SET next_attempt_at = now() WHERE status IN ('received', 'deferred', 'failed')`)
}

// drain lets the worker's time come and wants all events that were sent stored and booked: none stays received or failed.
func (s *shop) drain(t testing.TB, sent int64) {
	t.Helper()
	s.due(t)
	s.eventually(t, "events are stored", func() int64 { return s.count(t, `SELECT count(*) FROM stripe_events`) }, sent)
	s.eventually(t, "events that are not booked", func() int64 { return s.count(t, `SELECT count(*) FROM stripe_events WHERE status <> 'done'`) }, 0)
}
