package purchase

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/user"
)

// adopt creates the purchase of a paid session that was not begun here and sold credits of ours, as a payment link
// does, and returns it locked, ready for Settle. The user is the owner of the Stripe customer, else of the e-mail
// address, else a new user: an address typed at Checkout receives credits, but opens no session until a provider has
// verified it.
//
// Where a person must decide what was sold, the purchase is created in review, so that refunds and disputes find its
// payment.
//
// Locks: the payment, the session, then the user.
// Errors: ErrStaleFacts without sold; ErrForeign when it sold none of ours; ReviewError.
func (s *Service) adopt(tx models.Tx, c Checkout, sold *Sold) (*models.Purchase, error) {
	if c.Tag != "" { // another installation's: a session of ours has its purchase
		return nil, ErrForeign
	}
	if c.PaymentStatus != "paid" && c.PaymentStatus != "no_payment_required" {
		return nil, ReviewError(models.CausePaymentStatus.Of(c.PaymentStatus))
	}
	if sold == nil {
		switch foreign, err := knownForeign(tx.DB, c.ID); {
		case err != nil:
			return nil, err
		case foreign:
			return nil, ErrForeign
		}
		return nil, ErrStaleFacts
	}
	credits, review := sold.worth(tx, c)
	if c.Unclear && (review == nil || errors.As(review, new(ReviewError))) {
		review = ReviewError(models.CauseSessionMoney)
	}
	if review != nil && (credits == 0 || !errors.As(review, new(ReviewError))) {
		return nil, review
	}
	if err := errors.Join(lockPayment(tx, c.PaymentIntent), lockPayment(tx, c.ID)); err != nil {
		return nil, err
	}
	if p, err := lockBySession(tx, c); !errors.Is(err, ErrNotOurs) {
		return p, err // another event of the session has just adopted it
	}
	user, known, err := c.owner(tx)
	if err == nil && !known && c.Customer != "" { // not created by us; the user receives what it buys later, too
		err = s.recordCustomer(tx.DB, c.Customer, user.ID, new(false))
	}
	if err != nil {
		return nil, err
	}
	var cause ReviewError
	errors.As(review, &cause)
	p, err := s.insertAdopted(tx, c, user.ID, credits, models.Cause(cause))
	if err != nil {
		return nil, err
	}
	return p, review
}

// insertAdopted inserts the purchase of a session that was not begun here: paid, or in review when there is a cause.
func (s *Service) insertAdopted(tx models.Tx, c Checkout, userID int64, credits models.Credits, cause models.Cause,
) (*models.Purchase, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("purchase id: %w", err)
	}
	now, status := s.Now(), models.PurchasePaid
	if cause != "" {
		status = models.PurchaseReview
	}
	var p models.Purchase
	err = tx.Raw(
		`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, cause,
			checkout_session_id, payment_intent_id, paid_cents, paid_currency, paid_at, holds_credits)
		VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?, ?) RETURNING *`, id, userID, credits, c.Subtotal,
		c.Currency, models.Locales[0], "session:"+c.ID, status, cause, c.ID, c.PaymentIntent, c.Paid, c.PaidCurrency, now,
		s.HoldWithoutConsent).Take(&p).Error
	if err != nil {
		return nil, fmt.Errorf("adopt session %s: %w", c.ID, err)
	}
	if c.PaymentIntent == "" {
		return &p, nil
	}
	// A refund that came first found no purchase, so it scheduled no refresh.
	return &p, scheduleRefresh(tx, c.PaymentIntent, now.Add(refreshGrace))
}

// owner finds or creates the user who receives a session's credits, and returns it locked. An account that was claimed
// while this waited for the lock leads to its claimant. known reports whether the session's customer led to the user.
func (c Checkout) owner(tx models.Tx) (owner models.User, known bool, err error) {
	id, err := customerOwner(tx, c.Customer)
	known = id != 0
	if email := address.Parse(c.Email); err == nil && !known {
		if email == "" {
			return owner, false, ReviewError(models.CauseSessionNoBuyer)
		}
		id, err = user.FindOrCreate(tx, email)
	}
	if err != nil {
		return owner, false, fmt.Errorf("user of session %s: %w", c.ID, err)
	}
	owner, err = ledger.Lock(tx, id)
	for err == nil && owner.MergedInto != nil {
		owner, err = ledger.Lock(tx, *owner.MergedInto)
	}
	return owner, known, err
}
