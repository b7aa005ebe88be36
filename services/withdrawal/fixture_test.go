package withdrawal_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/withdrawal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is the service, and a paid purchase of 1200 credits for €35.00.
type fixture struct {
	*withdrawal.Service
	t        *testing.T
	user     models.User
	purchase uuid.UUID
	now      time.Time
	berlin   *time.Location
	stripe   *fakeStripe
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db, now := dbtest.New(t), models.Now()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	f := &fixture{t: t, user: dbtest.User(t, db, "ada@example.com"), purchase: uuid.Must(uuid.NewV7()), now: now,
		berlin: berlin, stripe: newFakeStripe(t)}
	clock := func() time.Time { return f.now }
	f.Service = &withdrawal.Service{
		DB: db, Automatic: true, Now: clock, Log: quiet,
		Purchases: &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789abcdef", f.stripe.URL),
			Now: clock, Log: quiet},
	}
	err = db.Exec(
		`WITH price AS (INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500) RETURNING stripe_price_id)
		INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key,
			status, paid_at, paid_cents, paid_currency)
		SELECT ?, ?, stripe_price_id, 1, 1200, 3500, 'eur', 'de', 'order', 'paid', ?, 3500, 'eur' FROM price`, f.purchase, f.user.ID, now).Error
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) wantNoEntries() {
	f.t.Helper()
	var n int64
	if err := f.DB.Raw(`SELECT count(*) FROM credit_transactions`).Scan(&n).Error; err != nil || n != 0 {
		f.t.Errorf("%d ledger entries (%v), want none", n, err)
	}
}
