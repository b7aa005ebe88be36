package withdrawal_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/withdrawal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is the service, and 1200 credits that ada bought for €35.00.
type fixture struct {
	*withdrawal.Service
	t        *testing.T
	user     models.User
	purchase uuid.UUID
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, now := dbtest.New(t), models.Now()
	clock := func() time.Time { return now }
	quiet := slog.New(slog.DiscardHandler)
	c := &fixture{t: t, user: dbtest.User(t, db, "ada@example.com"), purchase: uuid.Must(uuid.NewV7())}
	c.Service = &withdrawal.Service{DB: db, Purchases: &purchase.Service{DB: db, Now: clock, Log: quiet}, Now: clock, Log: quiet}
	err := db.Exec(`WITH price AS (INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500) RETURNING stripe_price_id)
		INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, paid_at, paid_cents, paid_currency)
		SELECT ?, ?, stripe_price_id, 1, 1200, 3500, 'eur', 'de', 'order', 'paid', ?, 3500, 'eur' FROM price`, c.purchase, c.user.ID, now).Error
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *fixture) wantNoEntries() {
	c.t.Helper()
	var n int64
	if err := c.DB.Raw(`SELECT count(*) FROM credit_transactions`).Scan(&n).Error; err != nil || n != 0 {
		c.t.Errorf("%d entries in the ledger (%v), want none", n, err)
	}
}
