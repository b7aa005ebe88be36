package purchase

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// Wait is a step that a purchase waits for. Its locale key is purchase_wait.<wait>.
type Wait string

// The steps that a purchase may wait for.
const (
	WaitCheckout   Wait = "checkout"    // Stripe opens the Checkout Session
	WaitPayment    Wait = "payment"     // the buyer pays
	WaitBank       Wait = "bank"        // the bank accepts or refuses a delayed payment
	WaitReview     Wait = "review"      // a person decides
	WaitRefundSend Wait = "refund_send" // Stripe answers a refund request of an admin
	WaitRefund     Wait = "refund"      // a refund reaches the buyer
	WaitRefundList Wait = "refund_list" // Stripe lists which refunds stand
	WaitDispute    Wait = "dispute"     // the bank decides a dispute
)

// AllWaits lists the steps, so that a test can demand a text for each.
func AllWaits() []Wait {
	return []Wait{WaitCheckout, WaitPayment, WaitBank, WaitReview, WaitRefundSend, WaitRefund, WaitRefundList, WaitDispute}
}

// Detail is one purchase with everything that Stripe has reported of its payment, as an admin sees it.
type Detail struct {
	models.Purchase
	Refunds    []models.StripeRefund  // oldest first
	Disputes   []models.StripeDispute // oldest first
	Requests   []models.RefundRequest // oldest first
	Refunded   models.Cents           // of the payment, pending refunds included
	WaitingFor []Wait

	back money // Refunded and the disputes, as the ledger counts them
}

// Left returns how much of the payment can still be refunded. Units: cents of the payment's currency.
func (d Detail) Left() models.Cents {
	if d.PaidAt == nil || d.PaymentIntentID == "" {
		return 0
	}
	return max(d.PaidCents-d.Refunded, 0)
}

// Kept returns how much of the payment neither refunds nor disputes took. Units: cents of the payment's currency.
func (d Detail) Kept() models.Cents {
	return min(d.Left(), d.PaidCents-models.Cents(min(d.back.back(d.PaidCents), int64(d.PaidCents))))
}

// Detail reads one purchase with its refunds, disputes and refund requests.
//
// Errors: fault.NotFound.
func (s *Service) Detail(ctx context.Context, id string) (Detail, error) {
	var d Detail
	var err error
	if d.Purchase, err = s.ByID(ctx, id); err != nil {
		return d, err
	}
	db := s.DB.WithContext(ctx)
	if err := db.Where("purchase_id = ?", d.ID).Order("created_at, id").Find(&d.Requests).Error; err != nil {
		return d, fmt.Errorf("refund requests of purchase %s: %w", id, err)
	}
	if d.back, err = returnedWithPending(db, d.Purchase); err != nil {
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
	d.WaitingFor, err = d.waitingFor(db)
	return d, err
}

func (d Detail) waitingFor(db *gorm.DB) ([]Wait, error) {
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
	var unsent, pending, open bool
	for _, r := range d.Requests {
		unsent = unsent || r.Status == models.RefundPending
	}
	for _, r := range d.Refunds {
		pending = pending || r.Status == "pending" || r.Status == "requires_action"
	}
	for _, dispute := range d.Disputes {
		open = open || dispute.Status == "needs_response" || dispute.Status == "under_review" ||
			dispute.Status == "warning_needs_response" || dispute.Status == "warning_under_review"
	}
	add(unsent, WaitRefundSend)
	add(pending, WaitRefund)
	add(open, WaitDispute)
	if d.PaymentIntentID == "" {
		return all, nil
	}
	var refresh *time.Time
	err := db.Raw(`SELECT min(reread_at) FROM stripe_charges WHERE payment_ref = ?`, d.PaymentIntentID).Row().
		Scan(&refresh)
	if err != nil {
		return nil, fmt.Errorf("charges of purchase %s: %w", d.ID, err)
	}
	add(refresh != nil, WaitRefundList)
	return all, nil
}

// PendingCredits returns how many credits the pending refunds will still take.
func (d Detail) PendingCredits() models.Credits {
	return max(returnedCredits(d.Purchase, d.back)-d.CreditsRefunded-d.CreditsDisputed, 0)
}

// Unused returns how many credits of this purchase the buyer still has once the pending refunds are through, given the
// credits that the buyer can spend now.
func (d Detail) Unused(available models.Credits) models.Credits {
	return max(min(available-d.PendingCredits(), d.CreditsGranted-returnedCredits(d.Purchase, d.back)), 0)
}

// Used returns how many credits of this purchase the buyer has used, given the credits that the buyer can spend now.
func (d Detail) Used(available models.Credits) models.Credits {
	left := d.CreditsGranted - returnedCredits(d.Purchase, d.back)
	return left - min(max(available, 0), left)
}

// Proposal returns how much to refund for the unused credits. Units: cents of the payment's currency.
func (d Detail) Proposal(available models.Credits) models.Cents {
	return propose(d.Purchase, d.back, d.Unused(available), d.Left())
}

// CreditsForRefund returns how many credits a refund takes, in addition to those of the pending refunds.
// Units: cents of the payment's currency.
func (d Detail) CreditsForRefund(cents models.Cents) models.Credits {
	return returnedCredits(d.Purchase, d.back.plus(cents)) - returnedCredits(d.Purchase, d.back)
}
