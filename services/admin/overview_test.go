package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
)

// now is the time of the overview: the last day of February in a leap year.
var now = time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)

func TestOverview(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	empty, err := s.Overview(ctx, now, false)
	if err != nil || empty.Totals != (models.LedgerTotals{}) || len(empty.Revenue) != 0 || empty.LastHook != nil ||
		len(empty.Slots) != 30 {
		t.Fatalf("overview without data = %+v (%v), want zeros and 30 slots", empty, err)
	}
	ada, bob := dbtest.User(t, db, "ada@example.com"), dbtest.User(t, db, "bob@example.com")
	post := func(user models.User, at time.Time, delta models.Credits, reason models.Reason) {
		t.Helper()
		err := db.Exec(
			`WITH entry AS (INSERT INTO credit_transactions (user_id, delta_credits, reason, created_at, balance_after)
				VALUES (@user, @delta, @reason, @at, 0))
			UPDATE users SET credits_balance = credits_balance + @delta WHERE id = @user`,
			map[string]any{"user": user.ID, "delta": delta, "reason": reason, "at": at}).Error
		if err != nil {
			t.Fatal(err)
		}
	}
	day := 24 * time.Hour
	post(ada, now.Add(-400*day), 1000, models.ReasonPurchase)
	post(ada, now.Add(-45*day), -10, models.ReasonResumeAnalysis)
	post(bob, now.Add(-2*day), 500, models.ReasonPurchase)
	post(bob, now.Add(-2*day), -15, models.ReasonResumeImprovement)
	post(bob, now.Add(-1*day), -500, models.ReasonRefund)
	post(ada, now.Add(-time.Hour), 25, models.ReasonManual)
	post(ada, now, -5, models.ReasonJobMatch)

	want := models.LedgerTotals{Purchased: 1500, Returned: -500, Manual: 25, Used: 30, Outstanding: 995}
	for _, round := range []string{"closes days", "reads closed days"} {
		t.Run(round, func(t *testing.T) {
			o, err := s.Overview(ctx, now, false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, o.Totals); diff != "" {
				t.Error(diff)
			}
			got := map[string]models.OverviewSlot{}
			for _, slot := range o.Slots {
				got[slot.Begins.Format(time.DateOnly)] = slot
			}
			for date, want := range map[string]models.OverviewSlot{
				"2028-01-31": {Outstanding: 990},
				"2028-02-27": {Sold: 500, Used: 15, Outstanding: 1475},
				"2028-02-28": {Returned: 500, Outstanding: 975},
				"2028-02-29": {Used: 5, Outstanding: 995},
			} {
				want.Begins = got[date].Begins
				if diff := cmp.Diff(want, got[date]); diff != "" || want.Begins.IsZero() {
					t.Errorf("%s: %s", date, diff)
				}
			}
			o, err = s.Overview(ctx, now, true)
			if err != nil || len(o.Slots) != 12 || o.Slots[10].Used != 10 || o.Slots[9].Outstanding != 1000 ||
				o.Slots[11].Sold != 500 || o.Slots[11].Used != 20 || o.Slots[11].Outstanding != 995 {
				t.Errorf("slots by month = %+v (%v), want 500 sold, 20 used and 995 outstanding in the last", o.Slots, err)
			}
		})
	}
	var closed int
	err = db.Raw(`SELECT count(*) FROM credit_days WHERE day < '2028-02-29'`).Scan(&closed).Error
	if err != nil || closed < 400 {
		t.Errorf("%d days are closed (%v), want every day but today", closed, err)
	}
	dbtest.CheckLedger(t, db)
}

func TestOverviewSumsRevenue(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ada := dbtest.User(t, db, "ada@example.com")
	exec := func(statement string, args ...any) {
		t.Helper()
		if err := db.Exec(statement, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	pay := func(ref, currency string, cents int64) {
		t.Helper()
		exec(`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status,
				payment_intent_id, paid_cents, paid_currency, paid_at)
			VALUES (?, ?, 1, 500, 500, 'eur', 'de', ?, 'paid', ?, ?, ?, now())`, uuid.New(), ada.ID, ref, ref, cents, currency)
	}
	pay("pi_1", "", 500)
	pay("pi_2", "eur", 1000)
	pay("pi_3", "jpy", 700)
	pay("pi_4", "eur", 300)
	exec(`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		VALUES (?, ?, 1, 500, 500, 'eur', 'de', 'unpaid')`, uuid.New(), ada.ID)
	exec(`INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status) VALUES
		('re_1', 'pi_1', 200, 'eur', 'succeeded'), ('re_2', 'pi_1', 100, 'eur', 'failed'),
		('re_3', 'pi_of_others', 900, 'eur', 'succeeded'), ('re_4', 'pi_3', 100, 'eur', 'succeeded')`) // in another currency: settlement does not count it either
	exec(
		`INSERT INTO stripe_charges (charge_id, payment_ref, amount, amount_refunded, currency) VALUES ('ch_2', 'pi_2', 1000, 400, 'eur'), ('ch_1', 'pi_1', 500, 300, 'eur')`)
	exec(`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status) VALUES
		('du_1', 'pi_4', 300, 'eur', 'lost'), ('du_2', 'pi_3', 700, 'jpy', 'won'), ('du_3', 'pi_1', 500, 'eur', 'under_review')`)
	exec(`INSERT INTO stripe_events (event_id, type, livemode, payload, status, created_at_stripe, received_at)
		SELECT 'evt_' || status, 'x', false, '', status, 0, '2028-02-01T00:00:00Z' FROM unnest(ARRAY['done', 'ignored', 'failed', 'deferred', 'review']) status`)
	o, err := s.Overview(context.Background(), now, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []models.Revenue{{Currency: "eur", Paid: 1800, Refunded: 600, Disputed: 600}, {Currency: "jpy", Paid: 700}}
	if diff := cmp.Diff(want, o.Revenue); diff != "" {
		t.Error(diff)
	}
	if o.Revenue[0].Net() != 600 {
		t.Errorf("net revenue = %d cents, want 600", o.Revenue[0].Net())
	}
	last := time.Date(2028, 2, 1, 0, 0, 0, 0, time.UTC)
	if o.Review != 1 || o.Waiting != 2 || o.LastHook == nil || !o.LastHook.Equal(last) {
		t.Errorf("events: %d to review, %d waiting, last at %v; want 1, 2 and %v", o.Review, o.Waiting, o.LastHook, last)
	}
}

func TestOverviewByPackageAndUncharged(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ada := dbtest.User(t, db, "ada@example.com")
	pay := func(ref string, quantity, credits, cents int64, currency, at string) {
		t.Helper()
		err := db.Exec(`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status,
				payment_intent_id, paid_cents, paid_currency, paid_at)
			VALUES (?, ?, ?, ?, 500, 'eur', 'de', ?, 'paid', ?, ?, ?, ?)`,
			uuid.New(), ada.ID, quantity, credits, ref, ref, cents, currency, at).Error
		if err != nil {
			t.Fatal(err)
		}
	}
	pay("pi_1", 1, 500, 2000, "eur", "2028-02-28T23:59:59Z")
	pay("pi_2", 2, 1000, 4000, "eur", "2028-02-29T00:00:00Z")
	pay("pi_3", 1, 100, 700, "jpy", "2028-02-29T11:00:00Z")
	pay("pi_4", 1, 500, 2000, "eur", "2028-01-30T23:59:59Z") // before the first day
	o, err := s.Overview(context.Background(), now, false)
	if err != nil {
		t.Fatal(err)
	}
	day := func(cents ...models.Cents) []models.Cents {
		return append(make([]models.Cents, 30-len(cents)), cents...)
	}
	want := []models.PackageRevenue{{Credits: 100, Currency: "jpy", Paid: day(700)},
		{Credits: 500, Currency: "eur", Paid: day(2000, 4000)}}
	if diff := cmp.Diff(want, o.Packages); diff != "" {
		t.Error(diff)
	}

	err = db.Exec(`INSERT INTO holds (id, user_id, feature, credits, status, expires_at, updated_at)
		SELECT gen_random_uuid(), ?, 'job_match', 5, status, now(), at::timestamptz FROM (VALUES ('released', '2028-02-29T01:00:00Z'),
			('released', '2028-03-02T02:00:00Z'), ('expired', '2028-02-01T00:00:00Z'), ('expired', '2028-01-30T23:59:59Z')) ended(status, at)`,
		ada.ID).Error
	if err != nil {
		t.Fatal(err)
	}
	o, err = s.Overview(context.Background(), now, false)
	if err != nil || o.Slots[29].Released != 2 || o.Slots[29].Expired != 0 || o.Slots[1].Expired != 1 ||
		o.Slots[0].Expired != 0 {
		t.Errorf("slots = %+v (%v), want 2 released on the last day, or later, and 1 expired on 1 February", o.Slots, err)
	}
	months, err := s.Overview(context.Background(), now, true)
	if err != nil || months.Slots[10].Expired != 1 || months.Slots[11].Expired != 1 || months.Slots[11].Released != 2 ||
		months.Packages[1].Paid[10] != 2000 || months.Packages[1].Paid[11] != 6000 {
		t.Errorf("months = %+v, %+v (%v), want January apart from February", months.Slots, months.Packages, err)
	}
}

func TestUsersByPage(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	for i := range 7 {
		u := dbtest.User(t, db, fmt.Sprintf("user%d@example.com", i))
		credits := models.Credits(i % 3 * 10)
		if credits > 0 {
			_, err := s.Grant(context.Background(), admin.Grant{UserID: u.ID, Delta: credits, Note: "n", Key: "k"})
			if err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			err := db.Exec(
				`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status,
					paid_at, created_at)
				VALUES (?, ?, 1, 500, 500, 'eur', 'de', 'k', 'paid', now(), ?)`, uuid.New(), u.ID, now.AddDate(0, i%3, 0)).Error
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, order := range []admin.UserOrder{admin.ByJoined, admin.ByBalance, admin.ByHeld, admin.ByBought} {
		for _, up := range []bool{false, true} {
			seen := map[int64]bool{}
			q := admin.UserQuery{Text: "USER", Order: order, Ascending: up, Limit: 2}
			var last *int64
			for pages := 0; ; pages++ {
				users, next, err := s.Users(context.Background(), q)
				if err != nil || pages > 4 {
					t.Fatalf("%s: page %d: %v", order, pages, err)
				}
				for _, u := range users {
					if seen[u.ID] {
						t.Errorf("%s: user %d is listed twice", order, u.ID)
					}
					if last != nil && (up && u.Key < *last || !up && u.Key > *last) {
						t.Errorf("%s, up %t: %d follows %d", order, up, u.Key, *last)
					}
					seen[u.ID], last = true, &u.Key
					if (u.Bought != nil) != (u.ID%2 == 1) { // ids start at 1
						t.Errorf("user %d bought at %v, want a purchase of odd ids only", u.ID, u.Bought)
					}
				}
				if next == nil {
					break
				}
				q.After = *next
			}
			if len(seen) != 7 {
				t.Errorf("%s, up %t: %d users, want 7", order, up, len(seen))
			}
		}
	}
}
