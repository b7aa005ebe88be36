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

// adopt makes a purchase of a paid session that was not begun here and sold credits of ours, as a payment link does, and
// returns it locked, ready to be settled. Its user is the one with the Stripe customer, else with the e-mail address,
// else a new one: an address typed at Checkout may receive credits, but signs nobody in until a provider says that it
// is verified.
//
// Where a person must decide what was sold, the purchase is made all the same, in review: its payment, and what becomes
// of that, is known by it.
//
// Locks: the payment, the session, then the user.
// Errors: ErrStaleFacts without sold; ErrForeign when it sold none of ours; ReviewError.
func (s *Service) adopt(tx models.Tx, c Checkout, sold *Sold) (*models.Purchase, error) {
	if c.Tag != "" { // another installation's: ours has its purchase
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
		return p, err // adopted a moment ago, by the session's other event
	}
	user, err := c.owner(tx)
	if err != nil {
		return nil, err
	}
	if err := keepAlias(tx, c.Customer, user.ID, s.Livemode); err != nil {
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

// insertAdopted writes the purchase of a session that was not begun here; with a cause, it waits for a person.
func (s *Service) insertAdopted(tx models.Tx, c Checkout, userID int64, credits models.Credits, cause models.Cause) (*models.Purchase, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("purchase id: %w", err)
	}
	now := s.Now()
	p := models.Purchase{ID: id, UserID: userID, Quantity: 1, Credits: credits, AmountCents: models.Cents(c.Subtotal), Currency: c.Currency,
		Status: models.PurchasePaid, CheckoutSessionID: c.ID, PaymentIntentID: c.PaymentIntent, PaidCents: models.Cents(c.Paid),
		PaidCurrency: c.PaidCurrency, PaidAt: &now, Cause: cause}
	if cause != "" {
		p.Status = models.PurchaseReview
	}
	err = tx.Exec(`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, cause,
			checkout_session_id, payment_intent_id, paid_cents, paid_currency, paid_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?)`, p.ID, p.UserID, p.Quantity, p.Credits, p.AmountCents, p.Currency,
		models.Locales[0], "session:"+c.ID, p.Status, p.Cause, c.ID, c.PaymentIntent, p.PaidCents, p.PaidCurrency, now).Error
	if err != nil {
		return nil, fmt.Errorf("adopt session %s: %w", c.ID, err)
	}
	if c.PaymentIntent == "" {
		return &p, nil
	}
	// A refund that came first did not know whose it is, so it did not ask either.
	return &p, scheduleRefresh(tx, c.PaymentIntent, now.Add(refreshGrace))
}

// owner finds or makes the user whom a session's credits are for, locked. An account that was claimed while this waited
// for its lock has become the claimant's.
func (c Checkout) owner(tx models.Tx) (models.User, error) {
	var id int64
	if c.Customer != "" {
		err := tx.Raw(`SELECT user_id FROM stripe_customers WHERE customer_id = ?`, c.Customer).Scan(&id).Error
		if err != nil {
			return models.User{}, fmt.Errorf("user of customer %s: %w", c.Customer, err)
		}
	}
	email := address.Parse(c.Email)
	if id == 0 && email == "" {
		return models.User{}, ReviewError(models.CauseSessionNoBuyer)
	}
	if id == 0 {
		var err error
		if id, err = user.FindOrCreate(tx, email); err != nil {
			return models.User{}, fmt.Errorf("user of session %s: %w", c.ID, err)
		}
	}
	user, err := ledger.Lock(tx, id)
	for err == nil && user.MergedInto != nil {
		user, err = ledger.Lock(tx, *user.MergedInto)
	}
	return user, err
}

// keepAlias remembers that a Stripe customer which we did not make is this user: what it pays later is for the same one.
// It is never used for a Checkout of ours, and never deleted.
func keepAlias(tx models.Tx, customer string, userID int64, livemode bool) error {
	if customer == "" {
		return nil
	}
	err := tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode, created_by_us) VALUES (?, ?, ?, false)
		ON CONFLICT (customer_id) DO NOTHING`, customer, userID, livemode).Error
	if err != nil {
		return fmt.Errorf("keep customer %s: %w", customer, err)
	}
	return nil
}
