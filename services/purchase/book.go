package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/tracing"
)

// Book writes one report to the ledger. Events, refreshes, refunds and reconciliation all book here, so that each fact
// counts once, whichever of them brings it first.
//
// Locks: the payment, the purchase, then its user. Idempotent: by session, charge and sum, refund and status, or
// dispute and content.
// Errors: ErrNotOurs while no purchase is known; ErrForeign, which wraps it, for another product's; ReviewError;
// ErrStaleFacts.
func (s *Service) Book(tx models.Tx, r Report, facts StripeFacts, eventID string) ([]models.CreditTransaction, error) {
	return r.book(s, tx, facts, eventID)
}

// BookFetched books a report that Stripe's API answered, and logs each entry that this adds as one before its event,
// which is late or lost. record runs in the same transaction and may be nil.
//
// Errors: those of WithFacts.
func (s *Service) BookFetched(ctx context.Context, r Report,
	record func(tx models.Tx, rows []models.CreditTransaction) error,
) ([]models.CreditTransaction, error) {
	var rows []models.CreditTransaction
	err := s.WithFacts(ctx, r, false, func(tx models.Tx, facts StripeFacts) (_ []models.CreditTransaction, err error) {
		if rows, err = s.Book(tx, r, facts, ""); err == nil && record != nil {
			err = record(tx, rows)
		}
		return rows, err
	}, "before_event", true)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// book grants the credits of a paid session, less what known refunds and disputes take back. A paid session that was
// not begun here is adopted when it sold credits of ours. An expired session ends its purchase.
func (c Checkout) book(s *Service, tx models.Tx, facts StripeFacts, eventID string,
) ([]models.CreditTransaction, error) {
	if c.Expired {
		_, err := RecordExpiry(tx, c)
		return nil, err
	}
	c, err := c.checked(tx)
	if err != nil {
		return nil, err
	}
	p, err := recordCheckout(tx, c, s.Now())
	if errors.Is(err, ErrNotOurs) && c.PaymentStatus != "unpaid" {
		p, err = s.adopt(tx, c, facts.Sold)
	}
	if err == nil && p.Status == models.PurchaseReview { // another event of the session has just put it there
		err = ReviewError(p.Cause)
	}
	if contradiction := ReviewError(""); errors.As(err, &contradiction) && contradiction != errContradicts {
		return nil, s.openReview(tx, c, p, facts.Sold, contradiction)
	}
	if err != nil {
		return nil, err
	}
	tracing.Current(tx.Statement.Context).Link(tracing.Parse(p.Traceparent))
	var deleted []models.Credits
	rows, err := Settle(tx, p, eventID, deletedStatement(p.UserID, &deleted))
	if err != nil {
		return nil, err
	}
	return rows, afterDeletion(tx, p, deleted, len(rows) > 0)
}

// book records how much of a charge has been refunded in all.
func (c Charge) book(s *Service, tx models.Tx, _ StripeFacts, eventID string) ([]models.CreditTransaction, error) {
	ref, err := c.payment(tx.DB)
	if err != nil {
		return nil, err
	}
	c.PaymentRef = ref
	back := amountBack{ref, c.AmountRefunded, c.Currency}
	return s.bookAmountBack(tx, back, func() error { return recordCharge(tx, c) }, eventID, true)
}

// book records one refund in its current state.
func (r Refund) book(s *Service, tx models.Tx, _ StripeFacts, eventID string) ([]models.CreditTransaction, error) {
	ref, err := paymentOf(tx.DB, r.PaymentRef, r.ChargeID)
	if err != nil {
		return nil, err
	}
	r.PaymentRef = ref
	back := amountBack{ref, r.Amount, r.Currency}
	return s.bookAmountBack(tx, back, func() error { return recordRefund(tx, r) }, eventID, !r.Listed)
}

// amountBack is a part of a payment that went back, in cents of the currency.
type amountBack struct {
	paymentRef string
	cents      int64
	currency   string
}

// bookAmountBack records money that went back of a payment, and settles the payment. With refresh, it schedules a
// reading of the payment's refunds where the sums leave open which of them stand.
func (s *Service) bookAmountBack(tx models.Tx, back amountBack, record func() error, eventID string, refresh bool,
) ([]models.CreditTransaction, error) {
	if err := lockPayment(tx, back.paymentRef); err != nil {
		return nil, err
	}
	doubt := checkAmountBack(tx, back)
	if doubt != nil && !errors.Is(doubt, errOverpaid) {
		return nil, doubt
	}
	if err := record(); err != nil {
		return nil, err
	}
	var at time.Time
	if refresh {
		at = s.Now().Add(refreshGrace)
	}
	rows, err := settlePayment(tx, back.paymentRef, eventID, at)
	if err != nil {
		return nil, err
	}
	return rows, doubt
}

// book records one dispute in its current state. The newest event counts: the amount may change while the status stays,
// and a won dispute may be lost in arbitration. Where events of one second differ, Stripe's API decides. It returns a
// ReviewError where a person must say how much of the payment the dispute takes.
func (d Dispute) book(_ *Service, tx models.Tx, facts StripeFacts, eventID string) ([]models.CreditTransaction, error) {
	ref, err := paymentOf(tx.DB, d.PaymentRef, d.ChargeID)
	if err != nil {
		return nil, err
	}
	d.PaymentRef = ref
	if err := errors.Join(lockPayment(tx, ref), recordDispute(tx, d, facts.Dispute)); err != nil {
		return nil, err
	}
	rows, err := settlePayment(tx, ref, eventID, time.Time{})
	if err != nil {
		return nil, err
	}
	return rows, unclearDispute(tx, ref, d.ID)
}

// payment returns the payment of a charge, also where Stripe omits a payment intent that it named before.
func (c Charge) payment(db *gorm.DB) (string, error) {
	if c.PaymentRef != c.ID {
		return c.PaymentRef, nil
	}
	known, err := chargesPayment(db, c.ID)
	if err != nil || known == "" {
		return c.PaymentRef, err
	}
	return known, nil
}

// chargesPayment returns the payment that we have stored for a charge, or "".
func chargesPayment(db *gorm.DB, chargeID string) (ref string, err error) {
	if chargeID == "" {
		return "", nil
	}
	if err := db.Raw(`SELECT payment_ref FROM stripe_charges WHERE charge_id = ?`, chargeID).Scan(&ref).Error; err != nil {
		return "", fmt.Errorf("payment of charge %s: %w", chargeID, err)
	}
	return ref, nil
}

// paymentOf returns the payment of a refund or a dispute. Stripe may omit the payment intent of either, but always
// names the charge, which leads to it.
//
// Errors: ErrNotOurs when neither is known; ReviewError when the charge belongs to another payment.
func paymentOf(db *gorm.DB, paymentRef, chargeID string) (string, error) {
	ref, err := chargesPayment(db, chargeID)
	switch {
	case err != nil:
		return "", err
	case paymentRef != "" && ref != "" && ref != paymentRef:
		return "", errContradicts
	case paymentRef != "":
		return paymentRef, nil
	case ref == "":
		return "", ErrNotOurs
	}
	return ref, nil
}

// settlePayment settles the purchase that a payment paid. At refreshAt, unless zero, the payment's refunds are read
// from Stripe where the sums leave open which of them stand.
//
// Errors: ErrNotOurs, ErrForeign among it.
func settlePayment(tx models.Tx, paymentRef, eventID string, refreshAt time.Time) ([]models.CreditTransaction, error) {
	p, err := lockByPayment(tx, paymentRef)
	if errors.Is(err, ErrNotOurs) {
		switch foreign, e := knownForeign(tx.DB, paymentRef); {
		case e != nil:
			return nil, e
		case foreign:
			return nil, ErrForeign
		}
	}
	if !refreshAt.IsZero() {
		if err := scheduleRefresh(tx, paymentRef, refreshAt); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	rows, err := Settle(tx, p, eventID)
	if err != nil {
		return nil, err
	}
	return rows, eraseAgain(tx, p.UserID)
}
