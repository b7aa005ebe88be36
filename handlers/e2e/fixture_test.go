package e2e

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

const (
	webhookSecret  = "whsec_0123456789abcdef"
	packageCredits = 1200
	packageCents   = 3500
)

// fixture is a database for servers that a test starts and kills. Its users can buy one package: 1200 credits for
// €35.00.
type fixture struct {
	db    *gorm.DB
	url   string
	users []int64

	program string // that runs commands; empty for binary
}

func newFixture(t testing.TB, users int) *fixture {
	t.Helper()
	db := dbtest.New(t)
	return fillFixture(t, db, dbtest.URLOf(db), users)
}

// fillFixture makes a fixture of a migrated database at url.
func fillFixture(t testing.TB, db *gorm.DB, url string, users int) *fixture {
	t.Helper()
	fx := &fixture{db: db, url: url}
	fx.exec(t, `INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', ?, ?)`,
		packageCredits, packageCents)
	err := fx.db.Raw(
		`INSERT INTO users (email, locale) SELECT 'user' || n || '@example.com', 'en' FROM generate_series(1, ?) n RETURNING id`,
		users).Scan(&fx.users).Error
	if err != nil {
		t.Fatalf("store users: %v", err)
	}
	return fx
}

func (fx *fixture) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := fx.db.Exec(sql, args...).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// grantCredits grants credits to each user.
func (fx *fixture) grantCredits(t testing.TB, credits int, users ...int64) {
	t.Helper()
	fx.exec(t,
		`WITH entry AS (INSERT INTO credit_transactions (user_id, delta_credits, reason) SELECT id, ?, 'manual' FROM users WHERE id IN ? RETURNING *)
		UPDATE users SET credits_balance = credits_balance + entry.delta_credits FROM entry WHERE users.id = entry.user_id`, credits, users)
}

// serviceKey makes a key that may spend and read without limit.
func (fx *fixture) serviceKey(t testing.TB) string {
	t.Helper()
	out, code := commandOf(t, cmp.Or(fx.program, binary), []string{"DATABASE_URL=" + fx.url, "LOG_LEVEL=error"}, "keys",
		"create", "--name", "Test", "--scope", "spend,read", "--per-minute", "0")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "rmc_") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("keys create: exit status %d without a key: %s", code, out)
	return ""
}

// serverName is the application_name of the servers' database connections.
const serverName = "credits-server"

// env returns a server's settings: a test-mode Stripe key, so that no stand-in starts, and a Stripe API that never
// answers, since every purchase starts in the fixture.
func (fx *fixture) env() []string {
	return []string{"DATABASE_URL=" + fx.url + "&application_name=" + serverName,
		"STRIPE_SECRET_KEY=sk_test_0123456789abcdef",
		"STRIPE_WEBHOOK_SECRET=" + webhookSecret, "STRIPE_API_BASE=http://127.0.0.1:9", "GITHUB_CLIENT_ID=credits",
		"GITHUB_CLIENT_SECRET=0123456789"}
}

// purchase is one purchase and the events that Stripe sends about it.
type purchase struct {
	id       uuid.UUID
	user     int64
	begun    time.Time
	events   []stripeEvent // in order, one second apart
	refunded int64         // cents, in the end
	disputed int64         // cents that the bank keeps, in the end
}

// stripeEvent is one signed payload, before signing.
type stripeEvent struct{ id, payload string }

func (fx *fixture) newPurchase(t testing.TB, user int64) *purchase {
	t.Helper()
	p := &purchase{id: uuid.Must(uuid.NewV7()), user: user, begun: time.Now()}
	fx.exec(t,
		`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, ?, ?, 'eur', 'de', ?, ?)`, p.id, user, packageCredits, packageCents, p.id.String(), p.session())
	return p
}

func (p *purchase) session() string { return "cs_" + p.id.String() }
func (p *purchase) payment() string { return "pi_" + p.id.String() }

// addEvent appends an event. The suffix distinguishes events of one kind.
func (p *purchase) addEvent(kind, suffix, object string) stripeEvent {
	id := fmt.Sprintf("evt_%s_%s_%s", p.id, kind, suffix)
	n := stripeEvent{id,
		fmt.Sprintf(
			`{"id":%q,"object":"event","api_version":"2024-06-20","created":%d,"livemode":false,"type":%q,"data":{"object":%s}}`,
			id, p.begun.Add(time.Duration(len(p.events))*time.Second).Unix(), kind, object)}
	p.events = append(p.events, n)
	return n
}

func (p *purchase) checkout(kind, suffix, status string) stripeEvent {
	return p.addEvent(kind, suffix,
		fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,"payment_intent":%q,
		"client_reference_id":%q,"currency":"eur","amount_subtotal":%d,"amount_total":%d,"metadata":{"credits":"%d","purchase_id":%q}}`,
			p.session(), status, p.payment(), p.id, packageCents, packageCents, packageCredits, p.id))
}

func (p *purchase) paid() stripeEvent { return p.checkout("checkout.session.completed", "1", "paid") }

// refund adds the event of a refund; charge adds the charge's event about the same refund.
func (p *purchase) refund(cents int64) stripeEvent {
	p.refunded = cents
	return p.addEvent("refund.created", "1",
		fmt.Sprintf(`{"id":"re_%s","object":"refund","amount":%d,"currency":"eur","status":"succeeded","charge":"ch_%s",
		"payment_intent":%q}`, p.id, cents, p.id, p.payment()))
}

func (p *purchase) charge() stripeEvent {
	return p.addEvent("charge.refunded", "1",
		fmt.Sprintf(`{"id":"ch_%s","object":"charge","amount":%d,"amount_refunded":%d,"currency":"eur","payment_intent":%q}`,
			p.id, packageCents, p.refunded, p.payment()))
}

func (p *purchase) dispute(kind, status string, cents int64) stripeEvent {
	p.disputed = cents
	if status == "won" {
		p.disputed = 0
	}
	return p.addEvent(kind, status,
		fmt.Sprintf(
			`{"id":"dp_%s","object":"dispute","amount":%d,"currency":"eur","status":%q,"charge":"ch_%s","payment_intent":%q}`,
			p.id, cents, status, p.id, p.payment()))
}

// expected returns the credits that the ledger must hold in the end: the grant, and its shares for refunds and
// disputes.
func (p *purchase) expected() totals {
	share := func(cents int64) int64 { return packageCredits * min(cents, packageCents) / packageCents }
	refunded := share(p.refunded)
	return totals{Grants: 1, Granted: packageCredits, Refunded: refunded,
		Disputed: share(p.refunded+p.disputed) - refunded}
}

// totals sums the ledger entries of one purchase.
// Units: credits, except Grants, which counts entries.
type totals struct{ Grants, Granted, Refunded, Disputed int64 }

// checkPurchases checks that entries, purchase rows and balances contain each purchase and its events exactly once.
func (fx *fixture) checkPurchases(t testing.TB, purchases ...*purchase) {
	t.Helper()
	found := fx.entriesOfPurchases(t)
	for id, r := range found {
		if row := (totals{r.Entries.Grants, r.RowGranted, r.RowRefunded, r.RowDisputed}); row != r.Entries {
			t.Errorf("purchase %s: row = %+v, entries = %+v", id, row, r.Entries)
		}
	}
	for _, p := range purchases {
		if got, want := found[p.id].Entries, p.expected(); got != want {
			t.Errorf("purchase %s: entries = %+v, want %+v", p.id, got, want)
		}
	}
	fx.checkBalances(t, purchases)
	dbtest.CheckLedger(t, fx.db)
}

// purchaseTotals is what the ledger and a purchase's own row say about it.
type purchaseTotals struct {
	ID                                   uuid.UUID
	Entries                              totals `gorm:"embedded"`
	RowGranted, RowRefunded, RowDisputed int64
}

// entriesOfPurchases sums the ledger's entries by purchase.
func (fx *fixture) entriesOfPurchases(t testing.TB) map[uuid.UUID]purchaseTotals {
	t.Helper()
	var rows []purchaseTotals
	err := fx.db.Raw(
		`SELECT p.id, p.credits_granted AS row_granted, p.credits_refunded AS row_refunded, p.credits_disputed AS row_disputed,
			count(c.id) FILTER (WHERE c.reason = 'purchase') AS grants,
			coalesce(sum(c.delta_credits) FILTER (WHERE c.reason = 'purchase'), 0) AS granted,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'refund'), 0) AS refunded,
			coalesce(-sum(c.delta_credits) FILTER (WHERE c.reason = 'dispute'), 0) AS disputed
		FROM purchases p LEFT JOIN credit_transactions c ON c.meta ->> 'purchase_id' = p.id::text GROUP BY p.id`).Scan(&rows).Error
	if err != nil {
		t.Fatalf("read entries: %v", err)
	}
	found := map[uuid.UUID]purchaseTotals{}
	for _, r := range rows {
		found[r.ID] = r
	}
	return found
}

// checkBalances checks that each user's balance is the sum of these purchases.
func (fx *fixture) checkBalances(t testing.TB, purchases []*purchase) {
	t.Helper()
	want := map[int64]int64{}
	for _, p := range purchases {
		sum := p.expected()
		want[p.user] += sum.Granted - sum.Refunded - sum.Disputed
	}
	for user, credits := range want {
		var balance int64
		if err := fx.db.Raw(`SELECT credits_balance FROM users WHERE id = ?`, user).Scan(&balance).Error; err != nil {
			t.Fatalf("read balance: %v", err)
		}
		if balance != credits {
			t.Errorf("user %d: balance = %d credits, want %d", user, balance, credits)
		}
	}
}

// makeEventsDue makes every pending event due now.
func (fx *fixture) makeEventsDue(t testing.TB) {
	t.Helper()
	fx.exec(t, `UPDATE stripe_events SET next_attempt_at = now() WHERE status IN ('received', 'deferred', 'failed')`)
}

// waitForEvents makes pending events due and waits until all sent events are stored and booked.
func (fx *fixture) waitForEvents(t testing.TB, sent int64) {
	t.Helper()
	fx.makeEventsDue(t)
	dbtest.Reaches(t, "stored events", func() int64 { return fx.count(t, `SELECT count(*) FROM stripe_events`) }, sent)
	dbtest.Reaches(t, "unbooked events", func() int64 {
		return fx.count(t, `SELECT count(*) FROM stripe_events WHERE status <> 'done'`)
	}, 0)
}
