package withdrawal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// claim is a case of the table: 100 credits for €5.00, and what happened to them before the withdrawal.
type claim struct {
	usedPercent int // of what a refund left
	day         int // after the order, in the buyer's zone
	refunded    models.Cents
	dispute     string // Stripe's status; empty without one
	consent     bool
	zone        string // of the buyer
}

func (c claim) String() string {
	return fmt.Sprintf("%d %% used, day %d in %s, %d cents refunded, dispute %q, consent %t", c.usedPercent, c.day, c.zone,
		c.refunded, c.dispute, c.consent)
}

// due is what each withdrawal entitles to, in cents. Without consent nothing is owed for use, so all that is left of
// the payment goes back. With it, the unused credits do, at five cents each.
var due = map[bool]map[models.Cents]map[int]models.Cents{ // by consent, earlier refund, percent used
	false: {0: {0: 500, 40: 500, 100: 500}, 125: {0: 375, 40: 375, 100: 375}},
	true:  {0: {0: 500, 40: 300, 100: 0}, 125: {0: 375, 40: 225, 100: 0}},
}

// late says on which days after the order a withdrawal comes too late. Orders and withdrawals are made at 23:30 in the
// buyer's zone, and the period ends in Germany: an evening in New York is the next morning there, and one in Auckland
// the same noon, so both orders and withdrawals move alike.
var late = map[int]bool{0: false, 13: false, 14: false, 15: true}

// disputes says which disputes take the money, so that it is not refunded as well.
var disputes = map[string]bool{"needs_response": true, "won": false}

// Each withdrawal is computed as the table above says, over real rows.
func TestEntitlement(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cases := 0
	for consent, byRefund := range due {
		for refunded, byUse := range byRefund {
			for used, cents := range byUse {
				for day, tooLate := range late {
					for _, zone := range []string{"Europe/Berlin", "America/New_York", "Pacific/Auckland"} {
						cases++
						f.wantClaim(claim{used, day, refunded, "", consent, zone}, cents, missing(tooLate, false, cents == 0))
					}
					for dispute, takes := range disputes {
						cases++
						cents := map[bool]models.Cents{false: cents}[takes]
						f.wantClaim(claim{used, day, refunded, dispute, consent, "Europe/Berlin"}, cents,
							missing(tooLate, takes, cents == 0))
					}
				}
			}
		}
	}
	if cases < 200 {
		t.Errorf("%d cases, want at least 200", cases)
	}
}

func missing(late, disputed, nothing bool) (all []models.Missing) {
	for _, m := range []struct {
		is   bool
		what models.Missing
	}{{late, models.MissingTime}, {disputed, models.MissingDispute}, {nothing, models.MissingAmount}} {
		if m.is {
			all = append(all, m.what)
		}
	}
	return all
}

// wantClaim declares a withdrawal of a purchase of its own, and compares what it entitles to.
func (f *fixture) wantClaim(c claim, cents models.Cents, missing []models.Missing) {
	f.t.Helper()
	zone, err := time.LoadLocation(c.zone)
	if err != nil {
		f.t.Fatal(err)
	}
	ordered := time.Date(2026, time.October, 14, 23, 30, 0, 0, zone) // summer time ends on day 11
	f.now = ordered.AddDate(0, 0, c.day)
	id, user := f.sold(c, ordered)
	w, err := f.Declare(f.t.Context(), withdrawal.Declaration{UserID: user, PurchaseID: id.String(), Name: "Ada",
		Email: "ada@example.com", Contract: "100 Credits", Locale: "de", Key: id.String()})
	if err != nil {
		f.t.Fatal(err)
	}
	if w, err = f.Find(f.t.Context(), w.ID.String()); err != nil {
		f.t.Fatal(err)
	}
	e := f.entitlement(w)
	day := ordered.AddDate(0, 0, c.day).In(f.berlin).AddDate(0, 0, 14).Format(time.DateOnly)
	if e.Cents != cents || !slices.Equal(e.Missing, missing) || e.DueOn.In(f.berlin).Format(time.DateOnly) != day {
		f.t.Errorf("%s: %d cents, due on %s, missing %v; want %d, %s, %v", c, e.Cents,
			e.DueOn.In(f.berlin).Format(time.DateOnly), e.Missing, cents, day, missing)
	}
}

// sold stores a purchase as it is after what the case says, and its buyer.
func (f *fixture) sold(c claim, ordered time.Time) (id uuid.UUID, user int64) {
	f.t.Helper()
	id = uuid.Must(uuid.NewV7())
	back := models.Credits(c.refunded / 5)
	held := map[bool]models.Credits{true: 100 - back}[c.dispute == "needs_response"]
	used := (100 - back) * models.Credits(c.usedPercent) / 100
	var consent *models.Consent
	if c.consent {
		consent = models.NewConsent(true, true, "de", []string{"a", "b"}, ordered)
	}
	args := map[string]any{"id": id, "payment": "pi_" + id.String(), "ordered": ordered, "consent": consent, "back": back,
		"cents": c.refunded, "taken": held, "dispute": c.dispute, "used": used, "balance": 100 - back - held - used}
	err := f.DB.Raw(`WITH buyer AS (INSERT INTO users (credits_balance) VALUES (@balance) RETURNING id),
		price AS (INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_100', 100, 500)
			ON CONFLICT (stripe_price_id) DO UPDATE SET active = true RETURNING stripe_price_id),
		bought AS (INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
			idempotency_key, status, paid_at, paid_cents, paid_currency, payment_intent_id, credits_granted, credits_refunded,
			credits_disputed, consent, created_at)
			SELECT @id, buyer.id, stripe_price_id, 1, 100, 500, 'eur', 'de', @payment, 'paid', @ordered, 500, 'eur', @payment, 100, @back,
				@taken, CAST(@consent AS jsonb), @ordered FROM buyer, price),
		refunds AS (INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status)
			SELECT 're_' || @payment, @payment, @cents, 'eur', 'succeeded' WHERE @cents > 0),
		disputes AS (INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status)
			SELECT 'dp_' || @payment, @payment, 500, 'eur', @dispute WHERE @dispute <> ''),
		entries AS (INSERT INTO credit_transactions (user_id, delta_credits, reason)
			SELECT buyer.id, delta, reason FROM buyer, (VALUES (1, 100, 'purchase'), (2, 0 - CAST(@back AS int), 'refund'),
				(3, 0 - CAST(@used AS int), 'resume_analysis'), (4, 0 - CAST(@taken AS int), 'dispute')) e (n, delta, reason)
			WHERE delta <> 0 ORDER BY n)
		SELECT id FROM buyer`, args).Scan(&user).Error
	if err != nil {
		f.t.Fatal(err)
	}
	return id, user
}

// entitlement returns what a declaration about a purchase entitles to.
func (f *fixture) entitlement(w models.Withdrawal) models.Entitlement {
	f.t.Helper()
	d, err := f.Purchases.Detail(f.t.Context(), w.PurchaseID.String())
	if err != nil {
		f.t.Fatal(err)
	}
	return withdrawal.Entitle(w, d)
}
