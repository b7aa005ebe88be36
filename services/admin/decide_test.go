package admin_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/webhook"
)

const whsec = "whsec_0123456789"

// desk is an admin, a buyer with an order of 1200 credits for €35.00, and Stripe's events about it.
type desk struct {
	*admin.Service
	t          *testing.T
	boss, user models.User
	order      uuid.UUID
	clock      time.Time
	told       int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := dbtest.New(t)
	address, _ := stripeRefunds(t, "usd")
	d := &desk{t: t, boss: dbtest.User(t, db, "admin@example.com"), user: dbtest.User(t, db, "ada@example.com"), order: uuid.Must(uuid.NewV7()), clock: models.Now()}
	now, quiet := func() time.Time { return d.clock }, slog.New(slog.DiscardHandler)
	buy := &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789", address), Now: now, Log: quiet}
	events := &webhook.Service{DB: db, Purchase: buy, Secrets: []string{whsec}, Now: now, Log: quiet, InlineTimeout: dbtest.HangTimeout}
	d.Service = &admin.Service{DB: db, Purchase: buy, Webhook: events, Log: quiet}
	d.must(db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES ('price_1200', 1200, 3500)`).Error)
	d.must(db.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		VALUES (?, ?, 'price_1200', 1, 1200, 3500, 'eur', 'de', 'k', 'cs_1')`, d.order, d.user.ID).Error)
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// tell delivers an event of Stripe's and returns its id.
func (d *desk) tell(kind, object string) string {
	d.t.Helper()
	d.told++
	id := fmt.Sprintf("evt_%d", d.told)
	d.must(d.send(id, kind, object))
	return id
}

func (d *desk) send(id, kind, object string) error {
	payload := fmt.Sprintf(`{"id":%q,"object":"event","api_version":"2024-06-20","created":%d,"livemode":false,"type":%q,"data":{"object":%s}}`,
		id, 1800000000+d.told, kind, object)
	mac := hmac.New(sha256.New, []byte(whsec))
	fmt.Fprintf(mac, "%d.%s", d.clock.Unix(), payload)
	return d.Webhook.Receive(context.Background(), []byte(payload), fmt.Sprintf("t=%d,v1=%s", d.clock.Unix(), hex.EncodeToString(mac.Sum(nil))))
}

// paidInDollars is the order's session, paid in another currency than ordered.
func (d *desk) paidInDollars() string {
	return fmt.Sprintf(`{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid","payment_intent":"pi_1","client_reference_id":%q,
		"currency":"usd","amount_subtotal":4000,"amount_total":4000,"metadata":{"credits":"1200","purchase_id":%q}}`, d.order, d.order)
}

func refundOf(cents int64) string {
	return fmt.Sprintf(`{"id":"ch_1","object":"charge","amount":4000,"amount_refunded":%d,"currency":"usd","payment_intent":"pi_1"}`, cents)
}

func (d *desk) purchase(session string) models.Purchase {
	d.t.Helper()
	var p models.Purchase
	d.must(d.DB.Take(&p, "checkout_session_id = ?", session).Error)
	return p
}

func (d *desk) wantPurchase(session string, status models.PurchaseStatus, granted models.Credits) {
	d.t.Helper()
	if p := d.purchase(session); p.Status != status || p.CreditsGranted != granted {
		d.t.Errorf("purchase of %s is %s with %d credits granted, want %s with %d", session, p.Status, p.CreditsGranted, status, granted)
	}
	dbtest.CheckLedger(d.t, d.DB)
}

func (d *desk) wantBalance(want models.Credits) {
	d.t.Helper()
	user, err := d.User(context.Background(), d.user.ID)
	if err != nil || user.CreditsBalance != want {
		d.t.Errorf("balance = %d credits (%v), want %d", user.CreditsBalance, err, want)
	}
	dbtest.CheckLedger(d.t, d.DB)
}

func (d *desk) wantEvent(id string, status models.StripeEventStatus) {
	d.t.Helper()
	var e models.StripeEvent
	d.must(d.DB.Omit("payload").Take(&e, "event_id = ?", id).Error)
	if e.Status != status {
		d.t.Errorf("event %s is %s (%s), want %s", id, e.Status, e.LastError, status)
	}
}

// audited is how many lines of the audit log tell of an action.
func (d *desk) audited(action string) (n int64) {
	d.t.Helper()
	d.must(d.DB.Raw(`SELECT count(*) FROM audit_log WHERE action = ?`, action).Scan(&n).Error)
	return n
}

// waiting are the kinds and causes of all that waits for a person.
func (d *desk) waiting() []string {
	d.t.Helper()
	rows, total, err := d.Waiting(context.Background(), 50)
	d.must(err)
	all := []string{}
	for _, w := range rows {
		all = append(all, string(w.Kind)+": "+string(w.Cause))
	}
	if int64(len(all)) != total {
		d.t.Errorf("%d things wait, %d are listed", total, len(all))
	}
	return all
}

func (d *desk) decide(way models.WayOut) admin.Decision {
	return admin.Decision{ActorID: d.boss.ID, Way: way, Note: "compared with Stripe", RequestID: "req_1"}
}

func TestBookAsOrdered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t)
	event := d.tell("checkout.session.completed", d.paidInDollars())
	d.wantEvent(event, models.EventReview)
	d.wantPurchase("cs_1", models.PurchaseReview, 0)
	if got := d.waiting(); len(got) != 1 || got[0] != "purchase: "+string(models.CauseAmount) {
		t.Errorf("%q wait, want the purchase alone", got)
	}
	t.Run("refuses a decision without a reason, and another way", func(t *testing.T) {
		for way, note := range map[models.WayOut]string{models.WayBook: " ", models.WayRefund: "x", models.WayClose: "x"} {
			decision := d.decide(way)
			decision.Note = note
			if err := d.DecidePurchase(ctx, d.order, decision); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s with the reason %q: %v, want invalid", way, note, err)
			}
		}
		if err := d.DecidePurchase(ctx, uuid.New(), d.decide(models.WayBook)); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown purchase: %v, want not found", err)
		}
		d.wantBalance(0)
	})
	t.Run("twenty times at once, beside the event and Stripe's answer, once", func(t *testing.T) {
		dbtest.Concurrently(20, func(i int) {
			switch i % 4 {
			case 3:
				if err := d.send(fmt.Sprintf("evt_again_%d", i), "checkout.session.completed", d.paidInDollars()); err != nil {
					t.Errorf("deliver: %v", err)
				}
			default:
				if err := d.DecidePurchase(ctx, d.order, d.decide(models.WayBook)); err != nil {
					t.Errorf("book: %v", err)
				}
			}
		})
		d.wantBalance(1200)
		if n := d.audited("purchase.book"); n != 1 {
			t.Errorf("the audit log has %d lines of it, want 1", n)
		}
		d.must(d.Webhook.BookDecided(ctx))
		d.wantEvent(event, models.EventDone)
		if got := d.waiting(); len(got) != 0 {
			t.Errorf("%q still wait", got)
		}
	})
	t.Run("nobody can decide otherwise any more", func(t *testing.T) {
		if err := d.DecidePurchase(ctx, d.order, d.decide(models.WayForeign)); !fault.Is(err, fault.Conflict) {
			t.Errorf("foreign after booking: %v, want a conflict", err)
		}
	})
	t.Run("a later refund takes the share of what was paid", func(t *testing.T) {
		d.tell("charge.refunded", refundOf(1000))
		d.wantBalance(900)
		d.tell("charge.refunded", refundOf(4000))
		d.wantBalance(0)
		d.wantPurchase("cs_1", models.PurchasePaid, 1200)
	})
}

func TestGiveBackWhatWasNotBooked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("by an admin, twenty times at once", func(t *testing.T) {
		d := newDesk(t)
		event := d.tell("checkout.session.completed", d.paidInDollars())
		dbtest.Concurrently(20, func(int) {
			_, err := d.Refund(ctx, admin.Refund{ActorID: d.boss.ID, PurchaseID: d.order, Cents: 4000, Note: "wrong currency", Key: "form", RequestID: "req"})
			if err != nil {
				t.Errorf("refund: %v", err)
			}
		})
		d.must(d.Webhook.BookDecided(ctx))
		d.wantPurchase("cs_1", models.PurchaseReturned, 0)
		d.wantBalance(0)
		d.wantEvent(event, models.EventDone)
		if err := d.DecidePurchase(ctx, d.order, d.decide(models.WayBook)); !fault.Is(err, fault.Conflict) {
			t.Errorf("book after the refund: %v, want a conflict", err)
		}
		if got := d.waiting(); len(got) != 0 {
			t.Errorf("%q still wait", got)
		}
	})
	t.Run("at Stripe, in two parts and before the session's own event", func(t *testing.T) {
		d := newDesk(t)
		d.tell("charge.refunded", refundOf(4000))
		d.tell("checkout.session.completed", d.paidInDollars())
		d.wantPurchase("cs_1", models.PurchaseReturned, 0)
		d.wantBalance(0)
	})
	t.Run("and the refund fails", func(t *testing.T) {
		d := newDesk(t)
		d.tell("checkout.session.completed", d.paidInDollars())
		refund := `{"id":"re_9","object":"refund","amount":4000,"currency":"usd","status":%q,"charge":"ch_1","payment_intent":"pi_1"}`
		d.tell("refund.created", fmt.Sprintf(refund, "pending"))
		d.wantPurchase("cs_1", models.PurchaseReturned, 0)
		d.tell("refund.failed", fmt.Sprintf(refund, "failed"))
		d.wantPurchase("cs_1", models.PurchaseReview, 0)
		d.must(d.DecidePurchase(ctx, d.order, d.decide(models.WayBook)))
		d.wantBalance(1200)
	})
	t.Run("by the bank, a part of it, and the rest is booked", func(t *testing.T) {
		d := newDesk(t)
		d.tell("checkout.session.completed", d.paidInDollars())
		d.tell("charge.refunded", refundOf(1000))
		d.wantPurchase("cs_1", models.PurchaseReview, 0)
		d.must(d.DecidePurchase(ctx, d.order, d.decide(models.WayBook)))
		d.wantBalance(900)
	})
}

func TestNotOurs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("a purchase is closed, and can still be booked when that was wrong", func(t *testing.T) {
		d := newDesk(t)
		event := d.tell("checkout.session.completed", d.paidInDollars())
		dbtest.Concurrently(20, func(int) {
			if err := d.DecidePurchase(ctx, d.order, d.decide(models.WayForeign)); err != nil {
				t.Errorf("foreign: %v", err)
			}
		})
		if n := d.audited("purchase.foreign"); n != 1 {
			t.Errorf("the audit log has %d lines of it, want 1", n)
		}
		d.must(d.Webhook.BookDecided(ctx))
		d.wantEvent(event, models.EventDone)
		d.wantEvent(d.tell("checkout.session.completed", d.paidInDollars()), models.EventDone)
		d.wantEvent(d.tell("charge.refunded", refundOf(1000)), models.EventDone)
		d.wantPurchase("cs_1", models.PurchaseForeign, 0)
		d.must(d.DecidePurchase(ctx, d.order, d.decide(models.WayBook)))
		d.wantBalance(900)
	})
	t.Run("an event of no purchase, and whatever comes of its payment later", func(t *testing.T) {
		d := newDesk(t)
		const charge = `{"id":"ch_9","object":"charge","amount":500,"amount_refunded":%d,"currency":"eur","payment_intent":"pi_9"}`
		first := d.tell("charge.refunded", fmt.Sprintf(charge, 100))
		second := d.tell("charge.refunded", fmt.Sprintf(charge, 200))
		d.must(d.DB.Exec(`UPDATE stripe_events SET status = 'review' WHERE event_id = ?`, first).Error)
		if err := d.DecideEvent(ctx, first, d.decide(models.WayBook)); !fault.Is(err, fault.Invalid) {
			t.Errorf("an event cannot be booked as ordered: %v, want invalid", err)
		}
		dbtest.Concurrently(20, func(int) {
			if err := d.DecideEvent(ctx, first, d.decide(models.WayForeign)); err != nil {
				t.Errorf("foreign: %v", err)
			}
		})
		if n := d.audited("event.foreign"); n != 1 {
			t.Errorf("the audit log has %d lines of it, want 1", n)
		}
		d.wantEvent(first, models.EventIgnored)
		d.wantEvent(second, models.EventIgnored)
		d.wantEvent(d.tell("charge.refunded", fmt.Sprintf(charge, 500)), models.EventIgnored)
		if err := d.DecideEvent(ctx, first, d.decide(models.WayClose)); !fault.Is(err, fault.Conflict) {
			t.Errorf("closed after it was foreign: %v, want a conflict", err)
		}
	})
}

func TestADisputeThatNobodyCanCount(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t)
	d.tell("checkout.session.completed", `{"id":"cs_1","object":"checkout.session","mode":"payment","payment_status":"paid","payment_intent":"pi_1",
		"currency":"eur","amount_subtotal":3500,"amount_total":3500}`)
	const dispute = `{"id":"dp_1","object":"dispute","amount":%d,"currency":"usd","status":%q,"charge":"ch_1","payment_intent":"pi_1"}`
	event := d.tell("charge.dispute.created", fmt.Sprintf(dispute, 1000, "needs_response"))
	d.wantEvent(event, models.EventReview)
	d.wantBalance(0) // the bank has the money; how much of it is for a person to say
	share := d.decide(models.WayShare)
	share.DisputeID, share.Share = "dp_1", 3501
	if err := d.DecidePurchase(ctx, d.order, share); !fault.Is(err, fault.Invalid) {
		t.Errorf("more than was paid: %v, want invalid", err)
	}
	share.Share = 875
	dbtest.Concurrently(20, func(int) {
		if err := d.DecidePurchase(ctx, d.order, share); err != nil {
			t.Errorf("share: %v", err)
		}
	})
	d.wantBalance(900)
	if n := d.audited("purchase.share"); n != 1 {
		t.Errorf("the audit log has %d lines of it, want 1", n)
	}
	d.must(d.Webhook.BookDecided(ctx))
	d.wantEvent(event, models.EventDone)
	d.tell("charge.dispute.updated", fmt.Sprintf(dispute, 1000, "under_review"))
	d.wantBalance(900) // what was said holds as long as the amount does
	d.tell("charge.dispute.updated", fmt.Sprintf(dispute, 2000, "under_review"))
	d.wantBalance(0)
	share.DisputeID = "dp_other"
	if err := d.DecidePurchase(ctx, d.order, share); !fault.Is(err, fault.NotFound) {
		t.Errorf("a dispute of another payment: %v, want not found", err)
	}
}

func TestAFindingIsClosedOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := newDesk(t)
	d.must(d.DB.Transaction(func(tx *gorm.DB) error {
		return tx.Exec(`WITH run AS (INSERT INTO reconciliations (since, finished_at) VALUES (now(), now()) RETURNING id)
			INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, note) SELECT id, 'review', 'user:7', ? FROM run`, models.CauseLedger).Error
	}))
	if got := d.waiting(); len(got) != 1 || got[0] != "finding: "+string(models.CauseLedger) {
		t.Errorf("%q wait, want the finding", got)
	}
	dbtest.Concurrently(20, func(int) {
		if err := d.CloseFinding(ctx, 1, d.decide(models.WayClose)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if n := d.audited("finding.close"); n != 1 || len(d.waiting()) != 0 {
		t.Errorf("the audit log has %d lines of it, and %q wait, want 1 and nothing", n, d.waiting())
	}
	if err := d.CloseFinding(ctx, 2, d.decide(models.WayClose)); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown finding: %v, want not found", err)
	}
}
