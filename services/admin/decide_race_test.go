package admin_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

// purchaseActions sends the forms of an admin's actions, rendered while the purchase was under review.
var purchaseActions = map[models.DecisionKind]func(f *fixture, i int) error{
	models.DecisionBook: func(f *fixture, _ int) error {
		decision := f.decision(models.DecisionBook)
		decision.Seen = models.PurchaseReview
		return f.DecidePurchase(context.Background(), f.order, decision)
	},
	models.DecisionForeign: func(f *fixture, _ int) error {
		return f.DecidePurchase(context.Background(), f.order, f.decision(models.DecisionForeign))
	},
	models.DecisionRefund: func(f *fixture, i int) error {
		_, err := f.Refund(context.Background(), admin.Refund{
			ActorID: f.boss.ID, PurchaseID: f.order, Cents: 4000, Waiting: true, Note: "compared with Stripe",
			Key: fmt.Sprintf("form-%d", i%2), RequestID: "req_1",
		})
		return err
	},
	"move": func(f *fixture, _ int) error {
		_, err := f.Move(context.Background(), admin.Move{
			ActorID: f.boss.ID, PurchaseID: f.order, From: f.user.ID, To: "bea@example.com", Note: "compared with Stripe",
		})
		return err
	},
}

// Two admins decide the same review differently, ten times each and concurrently. One decision takes effect, and the
// other is a conflict. A move is not a decision: it is refused until the purchase is booked.
func TestConcurrentDecisionsConflict(t *testing.T) {
	t.Parallel()
	kinds := []models.DecisionKind{models.DecisionBook, models.DecisionForeign, models.DecisionRefund, "move"}
	for a, one := range kinds {
		for _, other := range kinds[a+1:] {
			t.Run(fmt.Sprintf("%s and %s", one, other), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				bea := dbtest.User(t, f.DB, "bea@example.com")
				event := f.deliver("checkout.session.completed", f.paidInDollars())
				done := map[models.DecisionKind]*atomic.Int64{one: {}, other: {}}
				dbtest.Concurrently(20, func(i int) {
					kind := []models.DecisionKind{one, other}[i%2]
					switch err := purchaseActions[kind](f, i/2); {
					case err == nil:
						done[kind].Add(1)
					case !fault.Is(err, fault.Conflict):
						t.Errorf("%s: error = %v, want success or a conflict", kind, err)
					}
				})
				f.must(f.Webhook.BookDecided(context.Background()))
				effects := f.effects()
				booked := len(effects) == 2 && one == models.DecisionBook && other == "move" // a booked purchase may move
				if len(effects) != 1 && !booked {
					t.Errorf("effects = %v, want one", effects)
				}
				for kind, n := range done {
					if took := strings.Contains(strings.Join(effects, " "), string(kind)); took != (n.Load() > 0) {
						t.Errorf("%s succeeded %d times, and took effect: %v", kind, n.Load(), took)
					}
				}
				if got := f.waiting(); len(got) != 0 && len(effects) > 0 {
					t.Errorf("open reviews = %q, want none", got)
				}
				if len(effects) > 0 && f.statusOf(event) == models.EventReview {
					t.Error("event is still under review")
				}
				var owner models.User
				f.must(f.DB.Take(&owner, "id = ?", bea.ID).Error)
				moved := strings.Contains(strings.Join(effects, " "), "move")
				if want := map[bool]models.Credits{true: 1200}[moved]; owner.CreditsBalance != want {
					t.Errorf("other account has %d credits, want %d", owner.CreditsBalance, want)
				}
				dbtest.CheckLedger(t, f.DB)
			})
		}
	}
}

// effects returns the audited actions on purchases and events, and wants one entry of each.
func (f *fixture) effects() (kinds []string) {
	f.t.Helper()
	var rows []struct {
		Action string
		N      int
	}
	f.must(f.DB.Raw(`SELECT action, count(*) AS n FROM audit_log
		WHERE action LIKE 'purchase.%' OR action LIKE 'event.%' GROUP BY action ORDER BY action`).Scan(&rows).Error)
	for _, r := range rows {
		kinds = append(kinds, r.Action)
		if r.N != 1 {
			f.t.Errorf("%d audit entries of %s, want 1", r.N, r.Action)
		}
	}
	return kinds
}

func (f *fixture) statusOf(eventID string) models.StripeEventStatus {
	f.t.Helper()
	var e models.StripeEvent
	f.must(f.DB.Omit("payload").Take(&e, "event_id = ?", eventID).Error)
	return e.Status
}

// A pending refund is a decision: until Stripe answers, the purchase can be neither booked nor closed.
func TestPendingRefundConflictsWithDecisions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t)
	f.deliver("checkout.session.completed", f.paidInDollars())
	f.must(
		f.DB.Exec(
			`INSERT INTO refund_requests (id, purchase_id, actor_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (gen_random_uuid(), ?, ?, 'form', 4000, 'wrong currency', 'pending', now() + interval '1 hour')`, f.order, f.boss.ID).Error)
	for _, kind := range []models.DecisionKind{models.DecisionBook, models.DecisionForeign} {
		if err := f.DecidePurchase(ctx, f.order, f.decision(kind)); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s with a pending refund: error = %v, want a conflict", kind, err)
		}
	}
	f.wantPurchase("cs_1", models.PurchaseReview, 0)
	f.must(f.DB.Exec(`UPDATE refund_requests SET status = 'refused'`).Error)
	f.must(f.DecidePurchase(ctx, f.order, f.decision(models.DecisionBook)))
	f.wantBalance(1200)
}

// Two admins set different shares of one dispute, or one sets a share and the other closes its event: the first
// counts.
func TestConcurrentDisputeDecisions(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	newDisputed := func(t *testing.T) (*fixture, string) {
		f := newFixture(t)
		f.deliver("checkout.session.completed", paidInEuros)
		return f, f.deliver("charge.dispute.created", `{"id":"dp_1","object":"dispute","amount":1000,"currency":"usd",
			"status":"needs_response","charge":"ch_1","payment_intent":"pi_1"}`)
	}
	share := func(f *fixture, cents models.Cents) error {
		decision := f.decision(models.DecisionShare)
		decision.DisputeID, decision.Share = "dp_1", cents
		return f.DecidePurchase(ctx, f.order, decision)
	}
	t.Run("two shares", func(t *testing.T) {
		t.Parallel()
		f, _ := newDisputed(t)
		var done [2]atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			switch err := share(f, []models.Cents{875, 1750}[i%2]); {
			case err == nil:
				done[i%2].Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("set share: error = %v, want success or a conflict", err)
			}
		})
		switch {
		case done[0].Load() > 0 && done[1].Load() > 0, done[0].Load()+done[1].Load() != 10:
			t.Errorf("shares succeeded %d and %d times, want one of them 10 times", done[0].Load(), done[1].Load())
		case done[0].Load() > 0:
			f.wantBalance(900)
		default:
			f.wantBalance(600)
		}
		if n := f.audited("purchase.share"); n != 1 {
			t.Errorf("%d audit entries of the decision, want 1", n)
		}
	})
	t.Run("a share and a close", func(t *testing.T) {
		t.Parallel()
		f, event := newDisputed(t)
		var shared, closed atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			n := &shared
			var err error
			if i%2 == 0 {
				err = share(f, 875)
			} else {
				n, err = &closed, f.DecideEvent(ctx, event, f.decision(models.DecisionClose))
			}
			switch {
			case err == nil:
				n.Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("decide: error = %v, want success or a conflict", err)
			}
		})
		f.must(f.Webhook.BookDecided(ctx))
		f.must(f.Webhook.BookDue(ctx)) // events that were skipped while a decision held their lock
		switch {
		case shared.Load() > 0 && closed.Load() > 0, shared.Load()+closed.Load() == 0:
			t.Errorf("share succeeded %d times and close %d times, want exactly one of them to", shared.Load(), closed.Load())
		case shared.Load() > 0:
			f.wantBalance(900)
		default:
			f.wantBalance(0)
		}
		f.wantEvent(event, models.EventDone)
	})
}
