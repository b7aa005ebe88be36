package purchase

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Wait is something that a purchase waits for. It is also a locale key: purchase_wait.<wait>.
type Wait string

// What is waited for.
const (
	WaitCheckout   Wait = "checkout"    // Stripe has not opened a Checkout Session yet
	WaitPayment    Wait = "payment"     // the buyer has not paid
	WaitBank       Wait = "bank"        // Checkout is done, the bank has not said yes or no
	WaitReview     Wait = "review"      // a person must decide
	WaitRefundSend Wait = "refund_send" // Stripe has not answered a refund that an admin asked for
	WaitRefund     Wait = "refund"      // a refund is on its way to the buyer
	WaitRefundList Wait = "refund_list" // Stripe must be asked which refunds stand
	WaitDispute    Wait = "dispute"     // the bank has not decided a dispute
)

// AllWaits lists everything, for the test that wants a text for each.
func AllWaits() []Wait {
	return []Wait{WaitCheckout, WaitPayment, WaitBank, WaitReview, WaitRefundSend, WaitRefund, WaitRefundList, WaitDispute}
}

// Detail is one purchase with all that Stripe has said of its payment, for whoever helps its buyer.
type Detail struct {
	models.Purchase
	Refunds    []models.StripeRefund  // oldest first
	Disputes   []models.StripeDispute // oldest first
	Requests   []models.RefundRequest // oldest first
	Refunded   models.Cents           // of the payment: gone back, or on its way
	WaitingFor []Wait

	back money // the same with disputes, as the ledger counts it
}

// Left is how much of the payment can still be given back, in its cents.
func (d Detail) Left() models.Cents {
	if d.PaidAt == nil || d.PaymentIntentID == "" {
		return 0
	}
	return max(d.PaidCents-d.Refunded, 0)
}

// Detail reads it.
// Errors: fault.NotFound.
func (s *Service) Detail(ctx context.Context, id string) (Detail, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id { // one spelling only
		return Detail{}, fault.New(fault.NotFound, nil)
	}
	var d Detail
	if d.Purchase, err = s.take(ctx, "id = ?", parsed); err != nil {
		return d, err
	}
	db := s.DB.WithContext(ctx)
	if err := db.Where("purchase_id = ?", parsed).Order("created_at, id").Find(&d.Requests).Error; err != nil {
		return d, fmt.Errorf("refund requests of purchase %s: %w", id, err)
	}
	if d.back, err = goneBack(db, d.Purchase); err != nil {
		return d, err
	}
	d.Refunded = models.Cents(d.back.RefundsGood)
	if d.PaymentIntentID != "" {
		for _, rows := range []any{&d.Refunds, &d.Disputes} {
			if err := db.Where("payment_ref = ?", d.PaymentIntentID).Order("updated_at").Find(rows).Error; err != nil {
				return d, fmt.Errorf("refunds and disputes of purchase %s: %w", id, err)
			}
		}
	}
	d.WaitingFor, err = d.waits(db)
	return d, err
}

func (d Detail) waits(db *gorm.DB) ([]Wait, error) {
	var all []Wait
	add := func(when bool, w Wait) {
		if when {
			all = append(all, w)
		}
	}
	add(d.Status == models.PurchasePending && d.CheckoutSessionID == "", WaitCheckout)
	add(d.Status == models.PurchasePending && d.CheckoutSessionID != "", WaitPayment)
	add(d.Status == models.PurchaseAwaitingPayment, WaitBank)
	add(d.Status == models.PurchaseReview, WaitReview)
	var unsent, moving, open bool
	for _, r := range d.Requests {
		unsent = unsent || r.Status == models.RefundPending
	}
	for _, r := range d.Refunds {
		moving = moving || r.Status == "pending" || r.Status == "requires_action"
	}
	for _, dispute := range d.Disputes {
		open = open || dispute.Status == "needs_response" || dispute.Status == "under_review" ||
			dispute.Status == "warning_needs_response" || dispute.Status == "warning_under_review"
	}
	add(unsent, WaitRefundSend)
	add(moving, WaitRefund)
	add(open, WaitDispute)
	if d.PaymentIntentID == "" {
		return all, nil
	}
	var reread *time.Time
	err := db.Raw(`SELECT min(reread_at) FROM stripe_charges WHERE payment_ref = ?`, d.PaymentIntentID).Row().Scan(&reread)
	if err != nil {
		return nil, fmt.Errorf("charges of purchase %s: %w", d.ID, err)
	}
	add(reread != nil, WaitRefundList)
	return all, nil
}

// PendingCredits is how many credits the refunds on their way will take yet.
// Units: credits.
func (d Detail) PendingCredits() models.Credits {
	return max(taken(d.Purchase, d.back)-d.CreditsRefunded-d.CreditsDisputed, 0)
}

// Unused is how many credits of this purchase its buyer still has, once the refunds on their way are through.
// Units: credits; available is what the buyer can spend now.
func (d Detail) Unused(available models.Credits) models.Credits {
	return max(min(available-d.PendingCredits(), d.CreditsGranted-taken(d.Purchase, d.back)), 0)
}

// Proposal is how much to give back for the unused credits. Units: cents of the payment's currency.
func (d Detail) Proposal(available models.Credits) models.Cents {
	return propose(d.Purchase, d.back, d.Unused(available), d.Left())
}

// CreditsForRefund is how many credits a refund of this much takes, beside those that are on their way. Units: cents, credits.
func (d Detail) CreditsForRefund(cents models.Cents) models.Credits {
	return taken(d.Purchase, d.back.and(cents)) - taken(d.Purchase, d.back)
}

// Refresh asks Stripe how a purchase stands, its session and its refunds, and books what is missing. It tells how many
// lines that added to the ledger.
//
// Locks: none across the network. Idempotent. Errors: ErrNotOurs while nothing has been paid; ReviewError;
// fault.NotFound; fault.Unavailable when Stripe does not answer.
func (s *Service) Refresh(ctx context.Context, id string) (int, error) {
	d, err := s.Detail(ctx, id)
	if err != nil {
		return 0, err
	}
	// First, so that it is known who asked whatever comes of it.
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		return models.AppendAudit(tx, models.AuditEvent{
			Action: models.ActionPurchaseCheck, UserID: d.UserID, Detail: map[string]any{"purchase_id": d.ID},
		})
	})
	if err != nil {
		return 0, err
	}
	if d.CheckoutSessionID == "" {
		return 0, ErrNotOurs
	}
	session, err := s.fetchCheckout(ctx, d.CheckoutSessionID)
	if err != nil {
		return 0, err
	}
	rows, err := s.BookFetched(ctx, session, nil)
	switch {
	case err != nil:
		return 0, err
	case session.Expired || session.Failed: // which is written down now
		return 0, ErrNotOurs
	case session.PaymentIntent == "":
		return len(rows), nil
	}
	n, err := s.readRefunds(ctx, session.PaymentIntent)
	return len(rows) + n, err
}
