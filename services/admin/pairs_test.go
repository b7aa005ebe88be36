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

// wayOut is a decision as a form asks for it that was rendered while the purchase waited.
type wayOut func(d *desk, i int) error

var purchaseWays = map[models.WayOut]wayOut{
	models.WayBook: func(d *desk, _ int) error {
		decision := d.decide(models.WayBook)
		decision.Seen = models.PurchaseReview
		return d.DecidePurchase(context.Background(), d.order, decision)
	},
	models.WayForeign: func(d *desk, _ int) error {
		return d.DecidePurchase(context.Background(), d.order, d.decide(models.WayForeign))
	},
	models.WayRefund: func(d *desk, i int) error {
		_, err := d.Refund(context.Background(), admin.Refund{ActorID: d.boss.ID, PurchaseID: d.order, Cents: 4000, Waiting: true, Note: "compared with Stripe",
			Key: fmt.Sprintf("form-%d", i%2), RequestID: "req_1"})
		return err
	},
	"move": func(d *desk, _ int) error {
		_, err := d.Move(context.Background(), admin.Move{ActorID: d.boss.ID, PurchaseID: d.order, From: d.user.ID, To: "bea@example.com", Note: "compared with Stripe"})
		return err
	},
}

// Two admins decide the same review by different ways out, ten times each and at once. One way takes effect and the other
// is refused in words, whichever was faster. A move is none of the ways: it waits until the purchase is booked.
func TestTwoWaysOutAtOnce(t *testing.T) {
	t.Parallel()
	ways := []models.WayOut{models.WayBook, models.WayForeign, models.WayRefund, "move"}
	for a, one := range ways {
		for _, other := range ways[a+1:] {
			t.Run(fmt.Sprintf("%s and %s", one, other), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				bea := dbtest.User(t, d.DB, "bea@example.com")
				event := d.tell("checkout.session.completed", d.paidInDollars())
				done := map[models.WayOut]*atomic.Int64{one: {}, other: {}}
				dbtest.Concurrently(20, func(i int) {
					way := []models.WayOut{one, other}[i%2]
					switch err := purchaseWays[way](d, i/2); {
					case err == nil:
						done[way].Add(1)
					case !fault.Is(err, fault.Conflict):
						t.Errorf("%s: %v, want it done or a conflict", way, err)
					}
				})
				d.must(d.Webhook.BookDecided(context.Background()))
				effects := d.effects()
				booked := len(effects) == 2 && one == models.WayBook && other == "move" // what is booked may move
				if len(effects) != 1 && !booked {
					t.Errorf("took effect: %v, want one way", effects)
				}
				for way, n := range done {
					if took := strings.Contains(strings.Join(effects, " "), string(way)); took != (n.Load() > 0) {
						t.Errorf("%s was answered as done %d times, and took effect: %v", way, n.Load(), took)
					}
				}
				if got := d.waiting(); len(got) != 0 && len(effects) > 0 {
					t.Errorf("%q still wait", got)
				}
				if len(effects) > 0 && d.statusOf(event) == models.EventReview {
					t.Error("the event still waits")
				}
				var owner models.User
				d.must(d.DB.Take(&owner, "id = ?", bea.ID).Error)
				moved := strings.Contains(strings.Join(effects, " "), "move")
				if want := map[bool]models.Credits{true: 1200}[moved]; owner.CreditsBalance != want {
					t.Errorf("the other account has %d credits, want %d", owner.CreditsBalance, want)
				}
				dbtest.CheckLedger(t, d.DB)
			})
		}
	}
}

// effects are the ways out that the audit log tells of, each once.
func (d *desk) effects() (ways []string) {
	d.t.Helper()
	var rows []struct {
		Action string
		N      int
	}
	d.must(d.DB.Raw(`SELECT action, count(*) AS n FROM audit_log WHERE action LIKE 'purchase.%' OR action LIKE 'event.%' GROUP BY action ORDER BY action`).Scan(&rows).Error)
	for _, r := range rows {
		ways = append(ways, r.Action)
		if r.N != 1 {
			d.t.Errorf("the audit log has %d lines of %s, want 1", r.N, r.Action)
		}
	}
	return ways
}

func (d *desk) statusOf(eventID string) models.StripeEventStatus {
	d.t.Helper()
	var e models.StripeEvent
	d.must(d.DB.Omit("payload").Take(&e, "event_id = ?", eventID).Error)
	return e.Status
}

// A refund that Stripe has not answered is decided: nobody books the purchase, or closes it, in the meantime.
func TestARefundOnItsWayIsADecision(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t)
	d.tell("checkout.session.completed", d.paidInDollars())
	d.must(d.DB.Exec(`INSERT INTO refund_requests (id, purchase_id, actor_id, idempotency_key, amount_cents, note, status, next_attempt_at)
		VALUES (gen_random_uuid(), ?, ?, 'form', 4000, 'wrong currency', 'pending', now() + interval '1 hour')`, d.order, d.boss.ID).Error)
	for _, way := range []models.WayOut{models.WayBook, models.WayForeign} {
		if err := d.DecidePurchase(ctx, d.order, d.decide(way)); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s beside a refund on its way: %v, want a conflict", way, err)
		}
	}
	d.wantPurchase("cs_1", models.PurchaseReview, 0)
	d.must(d.DB.Exec(`UPDATE refund_requests SET status = 'refused'`).Error)
	d.must(d.DecidePurchase(ctx, d.order, d.decide(models.WayBook)))
	d.wantBalance(1200)
}

// Two admins say different shares of one dispute, or one of them closes its event: the first of them counts.
func TestTwoWordsOnADispute(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	disputed := func(t *testing.T) (*desk, string) {
		d := newDesk(t)
		d.tell("checkout.session.completed", `{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid","payment_intent":"pi_1",
			"currency":"eur","amount_subtotal":3500,"amount_total":3500}`)
		return d, d.tell("charge.dispute.created", `{"id":"dp_1","object":"dispute","amount":1000,"currency":"usd","status":"needs_response","charge":"ch_1","payment_intent":"pi_1"}`)
	}
	share := func(d *desk, cents models.Cents) error {
		decision := d.decide(models.WayShare)
		decision.DisputeID, decision.Share = "dp_1", cents
		return d.DecidePurchase(ctx, d.order, decision)
	}
	t.Run("two shares", func(t *testing.T) {
		t.Parallel()
		d, _ := disputed(t)
		var done [2]atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			switch err := share(d, []models.Cents{875, 1750}[i%2]); {
			case err == nil:
				done[i%2].Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("share: %v, want it done or a conflict", err)
			}
		})
		switch {
		case done[0].Load() > 0 && done[1].Load() > 0, done[0].Load()+done[1].Load() != 10:
			t.Errorf("done: %d and %d, want one share ten times", done[0].Load(), done[1].Load())
		case done[0].Load() > 0:
			d.wantBalance(900)
		default:
			d.wantBalance(600)
		}
		if n := d.audited("purchase.share"); n != 1 {
			t.Errorf("the audit log has %d lines of it, want 1", n)
		}
	})
	t.Run("a share and a close", func(t *testing.T) {
		t.Parallel()
		d, event := disputed(t)
		var shared, closed atomic.Int64
		dbtest.Concurrently(20, func(i int) {
			n, err := &shared, error(nil)
			if i%2 == 0 {
				err = share(d, 875)
			} else {
				n, err = &closed, d.DecideEvent(ctx, event, d.decide(models.WayClose))
			}
			switch {
			case err == nil:
				n.Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("decide: %v, want it done or a conflict", err)
			}
		})
		d.must(d.Webhook.BookDecided(ctx))
		d.must(d.Webhook.BookDue(ctx)) // what was passed over because a decision held it
		switch {
		case shared.Load() > 0 && closed.Load() > 0, shared.Load()+closed.Load() == 0:
			t.Errorf("shared %d times and closed %d times, want one of them", shared.Load(), closed.Load())
		case shared.Load() > 0:
			d.wantBalance(900)
		default:
			d.wantBalance(0)
		}
		d.wantEvent(event, models.EventDone)
	})
}
