package purchase

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
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

// Detail is one purchase with everything that Stripe has reported of its payment, as an admin sees it.
type Detail struct {
	models.Purchase
	Refunds    []models.StripeRefund  // oldest first
	Disputes   []models.StripeDispute // oldest first
	Requests   []models.RefundRequest // oldest first
	Refunded   models.Cents           // of the payment, pending refunds included
	WaitingFor []Wait
	Held       models.PeriodHold // credits that cannot be used before the withdrawal period ends; the zero value for none

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
	refunded, disputed := d.back.split(d.PaidCents)
	return min(d.Left(), d.PaidCents-refunded-disputed)
}

// Detail reads one purchase with its refunds, disputes and refund requests.
//
// Errors: fault.NotFound.
func (s *Service) Detail(ctx context.Context, id string) (Detail, error) {
	p, err := s.ByID(ctx, id)
	if err != nil {
		return Detail{}, err
	}
	all, err := s.detailsOf(ctx, []models.Purchase{p})
	if err != nil {
		return Detail{}, err
	}
	return all[0], nil
}

// Details reads purchases with their refunds, disputes and refund requests, by id. The number of statements does not
// depend on that of the purchases.
func (s *Service) Details(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Detail, error) {
	byID := map[uuid.UUID]Detail{}
	if len(ids) == 0 {
		return byID, nil
	}
	var purchases []models.Purchase
	if err := s.DB.WithContext(ctx).Where("id IN ?", ids).Find(&purchases).Error; err != nil {
		return nil, fmt.Errorf("read %d purchases: %w", len(ids), err)
	}
	all, err := s.detailsOf(ctx, purchases)
	for _, d := range all {
		byID[d.ID] = d
	}
	return byID, err
}

// detailsOf adds to purchases what Stripe has reported of their payments.
func (s *Service) detailsOf(ctx context.Context, purchases []models.Purchase) ([]Detail, error) {
	all := make([]Detail, len(purchases))
	index, byPayment := map[uuid.UUID]*Detail{}, map[string]*Detail{}
	ids, payments := make([]uuid.UUID, len(purchases)), []string{}
	for i, p := range purchases {
		all[i].Purchase, ids[i], index[p.ID] = p, p.ID, &all[i]
		if p.PaymentIntentID != "" {
			payments, byPayment[p.PaymentIntentID] = append(payments, p.PaymentIntentID), &all[i]
		}
	}
	db := s.DB.WithContext(ctx)
	var requests []models.RefundRequest
	if err := db.Where("purchase_id IN ?", ids).Order("created_at, id").Find(&requests).Error; err != nil {
		return nil, fmt.Errorf("refund requests of %d purchases: %w", len(ids), err)
	}
	pending := map[uuid.UUID]models.Cents{}
	for _, r := range requests {
		index[r.PurchaseID].Requests = append(index[r.PurchaseID].Requests, r)
		if r.Status == models.RefundPending {
			pending[r.PurchaseID] += r.AmountCents
		}
	}
	if slices.ContainsFunc(purchases, func(p models.Purchase) bool { return p.HoldsCredits }) {
		held, err := periodHolds(db, "p.id IN ?", ids)
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			index[h.PurchaseID].Held = h
		}
	}
	back, err := moneyBackOf(db, purchases)
	if err != nil {
		return nil, err
	}
	refreshed, err := readMoneyBack(db, payments, byPayment)
	if err != nil {
		return nil, err
	}
	for i := range all {
		d := &all[i]
		d.back = back[i].withPending(pending[d.ID])
		d.Refunded = models.Cents(d.back.RefundsGood)
		d.WaitingFor = d.waitingFor(refreshed[d.PaymentIntentID])
	}
	return all, nil
}

// readMoneyBack adds the refunds and disputes of payments to their purchases, and returns the payments whose refunds
// are to be read again.
func readMoneyBack(db *gorm.DB, payments []string, byPayment map[string]*Detail) (map[string]bool, error) {
	refreshed := map[string]bool{}
	if len(payments) == 0 {
		return refreshed, nil
	}
	var refunds []models.StripeRefund
	var disputes []models.StripeDispute
	for _, rows := range []any{&refunds, &disputes} {
		if err := db.Where("payment_ref IN ?", payments).Order("updated_at").Find(rows).Error; err != nil {
			return nil, fmt.Errorf("refunds and disputes of %d payments: %w", len(payments), err)
		}
	}
	for _, r := range refunds {
		byPayment[r.PaymentRef].Refunds = append(byPayment[r.PaymentRef].Refunds, r)
	}
	for _, d := range disputes {
		byPayment[d.PaymentRef].Disputes = append(byPayment[d.PaymentRef].Disputes, d)
	}
	var due []string
	err := db.Raw(`SELECT DISTINCT payment_ref FROM stripe_charges WHERE payment_ref IN ? AND reread_at IS NOT NULL`,
		payments).Scan(&due).Error
	if err != nil {
		return nil, fmt.Errorf("charges of %d payments: %w", len(payments), err)
	}
	for _, payment := range due {
		refreshed[payment] = true
	}
	return refreshed, nil
}

// waitingFor lists the steps that a purchase waits for. refresh: the refunds of its payment are to be read again.
func (d Detail) waitingFor(refresh bool) []Wait {
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
	unsent := slices.ContainsFunc(d.Requests, func(r models.RefundRequest) bool {
		return r.Status == models.RefundPending
	})
	pending := slices.ContainsFunc(d.Refunds, func(r models.StripeRefund) bool {
		return r.Status == "pending" || r.Status == "requires_action"
	})
	add(unsent, WaitRefundSend)
	add(pending, WaitRefund)
	add(slices.ContainsFunc(d.Disputes, models.StripeDispute.Open), WaitDispute)
	add(refresh, WaitRefundList)
	return all
}

// PendingCredits returns how many credits the pending refunds will still take.
func (d Detail) PendingCredits() models.Credits {
	return max(returnedCredits(d.Purchase, d.back)-d.CreditsReturned(), 0)
}

// Unused returns how many credits of this purchase the buyer still has once the pending refunds are through, given the
// credits that the buyer can spend now.
func (d Detail) Unused(available models.Credits) models.Credits {
	return max(min(available+d.Held.Credits-d.PendingCredits(), d.CreditsGranted-returnedCredits(d.Purchase, d.back)), 0)
}

// UnusedWithdrawn returns how many credits of this purchase were unused when its withdrawal was declared and are left
// once the pending refunds are through.
func (d Detail) UnusedWithdrawn(w models.Withdrawal) models.Credits {
	return max(w.Unused(d.Purchase)-d.PendingCredits(), 0)
}

// Used returns how many credits of this purchase the buyer has used, given the credits that the buyer can spend now.
func (d Detail) Used(available models.Credits) models.Credits {
	left := d.CreditsGranted - returnedCredits(d.Purchase, d.back)
	return left - min(max(available+d.Held.Credits, 0), left)
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
