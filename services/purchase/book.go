package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// The functions of this file are the only ways from what Stripe says into the ledger. An event, a look back from the
// return page, a refund that an admin made and reconciling all go through them, so that each fact counts once whoever
// brings it first.

// Booking books one object of Stripe's.
type Booking = func(tx models.Tx, told Told) ([]models.CreditTransaction, error)

// AskError says that booking needs what only Stripe can tell. It must be asked where no lock is held: Book does.
type AskError struct {
	SessionID  string // for what it sold
	ChargeID   string // for the payment that it belongs to
	PaymentRef string // for whose it is
	DisputeID  string // for how it stands
	Revision   int    // of the dispute, as it is known
}

// Error says what is wanted.
func (e *AskError) Error() string {
	return "Stripe must be asked for more about " + e.SessionID + e.ChargeID + e.PaymentRef + e.DisputeID
}

// Told is what Stripe answered, once it was asked.
type Told struct {
	Sold    *Sold        // what the session sold
	Charge  bool         // the charge is recorded
	Payment bool         // a payment that is another product's is remembered as such
	Waited  bool         // no answer: the event has waited in vain for its purchase, so it is time to ask
	Dispute *ToldDispute // how the dispute stands
}

// Book runs fn in one transaction. When fn needs to be told something first, Stripe is asked and fn runs again.
//
// Errors: what fn returns; after a ReviewError what fn recorded stays; fault.Unavailable when Stripe does not answer.
func (s *Service) Book(ctx context.Context, fn func(tx models.Tx, told Told) error) error {
	var told Told
	for {
		var review error
		err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
			err := fn(tx, told)
			if review = nil; errors.As(err, new(ReviewError)) {
				review, err = err, nil
			}
			return err
		})
		var ask *AskError
		switch {
		case err == nil:
			return review
		case !errors.As(err, &ask):
			return err
		}
		if err := s.answer(ctx, *ask, &told); err != nil {
			return err
		}
	}
}

// answer asks Stripe. Each question has an answer that fn does not ask for again, unless what was asked about has changed
// meanwhile.
func (s *Service) answer(ctx context.Context, ask AskError, told *Told) error {
	switch {
	case ask.SessionID != "":
		sold, err := s.askSold(ctx, ask.SessionID)
		if err != nil {
			return err
		}
		told.Sold = &sold
	case ask.ChargeID != "":
		if err := s.fetchCharge(ctx, ask.ChargeID); err != nil {
			return err
		}
		told.Charge = true
	case ask.PaymentRef != "":
		if err := s.askPayment(ctx, ask.PaymentRef); err != nil {
			return err
		}
		told.Payment = true
	default:
		found, err := s.fetchDispute(ctx, ask.DisputeID)
		if err != nil {
			return err
		}
		told.Dispute = &ToldDispute{Revision: ask.Revision, Dispute: found}
	}
	return nil
}

// BookCheckout books what a completed session says: the grant once it is paid, with what refunds and disputes known
// already take back. A paid session that was not begun here is taken over when it sold credits of ours.
//
// Locks: the payment, the purchase, then its user. Idempotent: by session.
// Errors: ErrNotOurs, ErrForeign among it; ReviewError; AskError.
func (s *Service) BookCheckout(tx models.Tx, c Checkout, told Told, eventID string) ([]models.CreditTransaction, error) {
	c, err := c.checked(tx)
	if err != nil {
		return nil, err
	}
	p, err := recordCheckout(tx, c, s.Now())
	if errors.Is(err, ErrNotOurs) && c.PaymentStatus != "unpaid" {
		p, err = s.adopt(tx, c, told)
	}
	if err == nil && p.Status == models.PurchaseReview { // by another event of the session, a moment ago
		err = ReviewError(p.Cause)
	}
	if contradiction := ReviewError(""); errors.As(err, &contradiction) && contradiction != errContradicts {
		return nil, s.keepForReview(tx, c, p, told, contradiction)
	}
	if err != nil {
		return nil, err
	}
	rows, err := Settle(tx, p, eventID)
	if err != nil {
		return nil, err
	}
	return rows, afterDeletion(tx, p, len(rows) > 0)
}

// BookCharge books how much of a charge has been refunded in all.
//
// Locks: the payment, the purchase, then its user. Idempotent: by charge and sum.
// Errors: ErrNotOurs, ErrForeign among it; ReviewError; AskError.
func (s *Service) BookCharge(tx models.Tx, c Charge, told Told, eventID string) ([]models.CreditTransaction, error) {
	known, err := chargesPayment(tx, c.ID)
	if err != nil {
		return nil, err
	}
	if c.PaymentRef == c.ID && known != "" { // this time Stripe leaves its payment out
		c.PaymentRef = known
	}
	return bookBack(tx, c.PaymentRef, c.AmountRefunded, c.Currency, func() error { return recordCharge(tx, c) }, told, eventID, s.Now().Add(rereadGrace))
}

// bookBack records money that went back of a payment, and settles it. ask is as in bookRefund.
func bookBack(tx models.Tx, paymentRef string, cents int64, currency string, record func() error, told Told, eventID string, ask time.Time) ([]models.CreditTransaction, error) {
	if err := lockPayment(tx, paymentRef); err != nil {
		return nil, err
	}
	doubt := fits(tx, paymentRef, cents, currency)
	if doubt != nil && !errors.Is(doubt, errOverpaid) {
		return nil, doubt
	}
	if err := record(); err != nil {
		return nil, err
	}
	rows, err := settlePayment(tx, paymentRef, told, eventID, ask)
	if err != nil {
		return nil, err
	}
	return rows, doubt
}

// BookRefund books one refund as it stands.
//
// Locks: the payment, the purchase, then its user. Idempotent: by refund and status. Errors: ErrNotOurs; ReviewError;
// AskError.
func (s *Service) BookRefund(tx models.Tx, r Refund, told Told, eventID string) ([]models.CreditTransaction, error) {
	return s.bookRefund(tx, r, told, eventID, s.Now().Add(rereadGrace))
}

// bookRefund is BookRefund. ask is when Stripe is to be asked for the payment's refunds, should they not be clear; the
// zero time when they are being read already.
func (s *Service) bookRefund(tx models.Tx, r Refund, told Told, eventID string, ask time.Time) ([]models.CreditTransaction, error) {
	ref, err := paymentOf(tx, r.PaymentRef, r.ChargeID, told)
	if err != nil {
		return nil, err
	}
	r.PaymentRef = ref
	return bookBack(tx, ref, r.Amount, r.Currency, func() error { return recordRefund(tx, r) }, told, eventID, ask)
}

// chargesPayment is the payment that a charge is known to belong to, or "".
func chargesPayment(tx models.Tx, chargeID string) (ref string, err error) {
	if chargeID == "" {
		return "", nil
	}
	if err := tx.Raw(`SELECT payment_ref FROM stripe_charges WHERE charge_id = ?`, chargeID).Scan(&ref).Error; err != nil {
		return "", fmt.Errorf("payment of charge %s: %w", chargeID, err)
	}
	return ref, nil
}

// paymentOf is the payment that a refund or a dispute is about. Stripe may leave it out of either; the charge is always
// there, and leads to it.
// Errors: ErrNotOurs when there is neither; ReviewError when the charge is another payment's; AskError.
func paymentOf(tx models.Tx, paymentRef, chargeID string, told Told) (string, error) {
	ref, err := chargesPayment(tx, chargeID)
	switch {
	case err != nil:
		return "", err
	case paymentRef != "" && ref != "" && ref != paymentRef:
		return "", errContradicts
	case paymentRef != "":
		return paymentRef, nil
	case chargeID == "":
		return "", ErrNotOurs
	case ref != "":
		return ref, nil
	case told.Charge: // Stripe does not know it either
		return "", ErrNotOurs
	default:
		return "", &AskError{ChargeID: chargeID}
	}
}

// settlePayment books what is known of a payment. ask is as in bookRefund.
func settlePayment(tx models.Tx, paymentRef string, told Told, eventID string, ask time.Time) ([]models.CreditTransaction, error) {
	p, err := lockByPayment(tx, paymentRef)
	if errors.Is(err, ErrNotOurs) {
		if e := whose(tx, paymentRef, told); e != nil {
			return nil, e
		}
	}
	if !ask.IsZero() {
		if err := askForRefunds(tx, paymentRef, ask); err != nil {
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

// whose looks whether a payment without a purchase is another product's. Its purchase may be on its way, so Stripe is
// asked only once that was waited for, and only once.
//
// Errors: ErrForeign; AskError.
func whose(tx models.Tx, paymentRef string, told Told) error {
	foreign, err := knownForeign(tx, paymentRef)
	switch {
	case err != nil:
		return err
	case foreign:
		return ErrForeign
	case told.Waited && !told.Payment:
		return &AskError{PaymentRef: paymentRef}
	}
	return nil
}
