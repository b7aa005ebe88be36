package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

func TestBookAsOrdered(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t)
	event := f.deliver("checkout.session.completed", f.paidInDollars())
	f.wantEvent(event, models.EventReview)
	f.wantPurchase("cs_1", models.PurchaseReview, 0)
	if got := f.waiting(); len(got) != 1 || got[0] != "purchase: "+string(models.CauseAmount) {
		t.Errorf("open reviews = %q, want the purchase alone", got)
	}
	t.Run("refuses a decision without a reason or of an unknown kind", func(t *testing.T) {
		for kind, note := range map[models.DecisionKind]string{models.DecisionBook: " ", models.DecisionRefund: "x",
			models.DecisionClose: "x"} {
			decision := f.decision(kind)
			decision.Note = note
			if err := f.DecidePurchase(ctx, f.order, decision); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s with the reason %q: error = %v, want invalid", kind, note, err)
			}
		}
		if err := f.DecidePurchase(ctx, uuid.New(), f.decision(models.DecisionBook)); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown purchase: error = %v, want not found", err)
		}
		f.wantBalance(0)
	})
	t.Run("books once for concurrent decisions and deliveries", func(t *testing.T) {
		dbtest.Concurrently(20, func(i int) {
			switch i % 4 {
			case 3:
				if err := f.send(fmt.Sprintf("evt_again_%d", i), "checkout.session.completed", f.paidInDollars()); err != nil {
					t.Errorf("deliver: %v", err)
				}
			default:
				if err := f.DecidePurchase(ctx, f.order, f.decision(models.DecisionBook)); err != nil {
					t.Errorf("book: %v", err)
				}
			}
		})
		f.wantBalance(1200)
		if n := f.audited("purchase.book"); n != 1 {
			t.Errorf("%d audit entries of the decision, want 1", n)
		}
		f.must(f.Webhook.BookDecided(ctx))
		f.wantEvent(event, models.EventDone)
		if got := f.waiting(); len(got) != 0 {
			t.Errorf("open reviews = %q, want none", got)
		}
	})
	t.Run("refuses another decision afterwards", func(t *testing.T) {
		if err := f.DecidePurchase(ctx, f.order, f.decision(models.DecisionForeign)); !fault.Is(err, fault.Conflict) {
			t.Errorf("foreign after booking: error = %v, want a conflict", err)
		}
	})
	t.Run("takes credits in proportion to a later refund", func(t *testing.T) {
		f.deliver("charge.refunded", refundOf(1000))
		f.wantBalance(900)
		f.deliver("charge.refunded", refundOf(4000))
		f.wantBalance(0)
		f.wantPurchase("cs_1", models.PurchasePaid, 1200)
	})
}

func TestRefundOfAnUnbookedPurchase(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("by an admin, sent twenty times concurrently", func(t *testing.T) {
		f := newFixture(t)
		event := f.deliver("checkout.session.completed", f.paidInDollars())
		dbtest.Concurrently(20, func(int) {
			_, err := f.Refund(ctx, admin.Refund{
				ActorID: f.boss.ID, PurchaseID: f.order, Cents: 4000, Note: "wrong currency", Key: "form", RequestID: "req",
			})
			if err != nil {
				t.Errorf("refund: %v", err)
			}
		})
		f.must(f.Webhook.BookDecided(ctx))
		f.wantPurchase("cs_1", models.PurchaseReturned, 0)
		f.wantBalance(0)
		f.wantEvent(event, models.EventDone)
		if err := f.DecidePurchase(ctx, f.order, f.decision(models.DecisionBook)); !fault.Is(err, fault.Conflict) {
			t.Errorf("book after the refund: error = %v, want a conflict", err)
		}
		if got := f.waiting(); len(got) != 0 {
			t.Errorf("open reviews = %q, want none", got)
		}
	})
	t.Run("at Stripe, reported before the session's own event", func(t *testing.T) {
		f := newFixture(t)
		f.deliver("charge.refunded", refundOf(4000))
		f.deliver("checkout.session.completed", f.paidInDollars())
		f.wantPurchase("cs_1", models.PurchaseReturned, 0)
		f.wantBalance(0)
	})
	t.Run("returns to review when the refund fails", func(t *testing.T) {
		f := newFixture(t)
		f.deliver("checkout.session.completed", f.paidInDollars())
		const refund = `{"id":"re_9","object":"refund","amount":4000,"currency":"usd","status":%q,"charge":"ch_1",
			"payment_intent":"pi_1"}`
		f.deliver("refund.created", fmt.Sprintf(refund, "pending"))
		f.wantPurchase("cs_1", models.PurchaseReturned, 0)
		f.deliver("refund.failed", fmt.Sprintf(refund, "failed"))
		f.wantPurchase("cs_1", models.PurchaseReview, 0)
		f.must(f.DecidePurchase(ctx, f.order, f.decision(models.DecisionBook)))
		f.wantBalance(1200)
	})
	t.Run("in part, and the rest is booked as ordered", func(t *testing.T) {
		f := newFixture(t)
		f.deliver("checkout.session.completed", f.paidInDollars())
		f.deliver("charge.refunded", refundOf(1000))
		f.wantPurchase("cs_1", models.PurchaseReview, 0)
		f.must(f.DecidePurchase(ctx, f.order, f.decision(models.DecisionBook)))
		f.wantBalance(900)
	})
}

func TestDecideForeign(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	t.Run("closes a purchase, which can still be booked", func(t *testing.T) {
		f := newFixture(t)
		event := f.deliver("checkout.session.completed", f.paidInDollars())
		dbtest.Concurrently(20, func(int) {
			if err := f.DecidePurchase(ctx, f.order, f.decision(models.DecisionForeign)); err != nil {
				t.Errorf("foreign: %v", err)
			}
		})
		if n := f.audited("purchase.foreign"); n != 1 {
			t.Errorf("%d audit entries of the decision, want 1", n)
		}
		f.must(f.Webhook.BookDecided(ctx))
		f.wantEvent(event, models.EventDone)
		f.wantEvent(f.deliver("checkout.session.completed", f.paidInDollars()), models.EventDone)
		f.wantEvent(f.deliver("charge.refunded", refundOf(1000)), models.EventDone)
		f.wantPurchase("cs_1", models.PurchaseForeign, 0)
		f.must(f.DecidePurchase(ctx, f.order, f.decision(models.DecisionBook)))
		f.wantBalance(900)
	})
	t.Run("ignores an event without purchase, and later events of its payment", func(t *testing.T) {
		f := newFixture(t)
		const charge = `{"id":"ch_9","object":"charge","amount":500,"amount_refunded":%d,"currency":"eur",
			"payment_intent":"pi_9"}`
		first := f.deliver("charge.refunded", fmt.Sprintf(charge, 100))
		second := f.deliver("charge.refunded", fmt.Sprintf(charge, 200))
		f.must(f.DB.Exec(`UPDATE stripe_events SET status = 'review' WHERE event_id = ?`, first).Error)
		if err := f.DecideEvent(ctx, first, f.decision(models.DecisionBook)); !fault.Is(err, fault.Invalid) {
			t.Errorf("book an event as ordered: error = %v, want invalid", err)
		}
		dbtest.Concurrently(20, func(int) {
			if err := f.DecideEvent(ctx, first, f.decision(models.DecisionForeign)); err != nil {
				t.Errorf("foreign: %v", err)
			}
		})
		if n := f.audited("event.foreign"); n != 1 {
			t.Errorf("%d audit entries of the decision, want 1", n)
		}
		f.wantEvent(first, models.EventIgnored)
		f.wantEvent(second, models.EventIgnored)
		f.wantEvent(f.deliver("charge.refunded", fmt.Sprintf(charge, 500)), models.EventIgnored)
		if err := f.DecideEvent(ctx, first, f.decision(models.DecisionClose)); !fault.Is(err, fault.Conflict) {
			t.Errorf("close after foreign: error = %v, want a conflict", err)
		}
	})
}

func TestDecideDisputeShare(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t)
	f.deliver("checkout.session.completed", paidInEuros)
	const dispute = `{"id":"dp_1","object":"dispute","amount":%d,"currency":"usd","status":%q,"charge":"ch_1",
		"payment_intent":"pi_1"}`
	event := f.deliver("charge.dispute.created", fmt.Sprintf(dispute, 1000, "needs_response"))
	f.wantEvent(event, models.EventReview)
	f.wantBalance(0) // in another currency, the dispute counts as the whole payment
	share := f.decision(models.DecisionShare)
	share.DisputeID, share.Share = "dp_1", 3501
	if err := f.DecidePurchase(ctx, f.order, share); !fault.Is(err, fault.Invalid) {
		t.Errorf("share above the payment: error = %v, want invalid", err)
	}
	if _, err := f.PreviewShare(ctx, f.order, share); !fault.Is(err, fault.Invalid) {
		t.Errorf("preview of a share above the payment: error = %v, want invalid", err)
	}
	share.Share = 875
	preview, err := f.PreviewShare(ctx, f.order, share)
	if err != nil || preview.Buyer.CreditsBalance != 0 || preview.After != 900 {
		t.Errorf("preview = %d credits, then %d, %v; want 0, then 900", preview.Buyer.CreditsBalance, preview.After, err)
	}
	f.wantBalance(0) // a preview changes nothing
	dbtest.Concurrently(20, func(int) {
		if err := f.DecidePurchase(ctx, f.order, share); err != nil {
			t.Errorf("share: %v", err)
		}
	})
	f.wantBalance(900)
	if n := f.audited("purchase.share"); n != 1 {
		t.Errorf("%d audit entries of the decision, want 1", n)
	}
	f.must(f.Webhook.BookDecided(ctx))
	f.wantEvent(event, models.EventDone)
	f.deliver("charge.dispute.updated", fmt.Sprintf(dispute, 1000, "under_review"))
	f.wantBalance(900) // the share stays while the disputed amount does
	f.deliver("charge.dispute.updated", fmt.Sprintf(dispute, 2000, "under_review"))
	f.wantBalance(0)
	share.DisputeID = "dp_other"
	if err := f.DecidePurchase(ctx, f.order, share); !fault.Is(err, fault.NotFound) {
		t.Errorf("dispute of another payment: error = %v, want not found", err)
	}
}

// A preview that cannot read the balance says so: it never shows a balance of 0.
func TestPreviewOfAShareIsNotGuessed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.deliver("checkout.session.completed", paidInEuros)
	f.deliver("charge.dispute.created", `{"id":"dp_1","object":"dispute","amount":1000,"currency":"usd",
		"status":"needs_response","charge":"ch_1","payment_intent":"pi_1"}`)
	share := f.decision(models.DecisionShare)
	share.DisputeID, share.Share = "dp_1", 875
	lost := errors.New("connection lost")
	reads, failing := 0, 0
	f.must(f.DB.Callback().Query().Before("gorm:query").Register("test:lose", func(db *gorm.DB) {
		if !strings.HasPrefix(db.Statement.SQL.String(), "SELECT * FROM users WHERE id = ") {
			return
		}
		if reads++; reads == failing {
			_ = db.AddError(lost)
		}
	}))
	_, err := f.PreviewShare(t.Context(), f.order, share)
	f.must(err)
	reads, failing = 0, reads // the last one
	if failing == 0 {
		t.Fatal("the preview locks no user as this test expects")
	}
	if preview, err := f.PreviewShare(t.Context(), f.order, share); !errors.Is(err, lost) {
		t.Errorf("preview = %+v, %v; want the error", preview, err)
	}
}

func TestCloseFinding(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t)
	f.must(f.DB.Transaction(func(tx *gorm.DB) error {
		return tx.Exec(`WITH run AS (INSERT INTO reconciliations (since, finished_at) VALUES (now(), now()) RETURNING id)
			INSERT INTO reconciliation_findings (reconciliation_id, kind, object_id, note) SELECT id, 'review', 'user:7', ? FROM run`, models.CauseLedger).Error
	}))
	if got := f.waiting(); len(got) != 1 || got[0] != "finding: "+string(models.CauseLedger) {
		t.Errorf("open reviews = %q, want the finding", got)
	}
	dbtest.Concurrently(20, func(int) {
		if err := f.CloseFinding(ctx, 1, f.decision(models.DecisionClose)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if n := f.audited("finding.close"); n != 1 || len(f.waiting()) != 0 {
		t.Errorf("%d audit entries and open reviews %q, want 1 and none", n, f.waiting())
	}
	if err := f.CloseFinding(ctx, 2, f.decision(models.DecisionClose)); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown finding: error = %v, want not found", err)
	}
}
