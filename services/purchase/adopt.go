package purchase

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/ledger"
)

// adopt makes a purchase of a paid session that was not begun here, as from a payment link, and returns it locked,
// ready to be settled. Its credits are those in its metadata, else what its line items come to. Its user is the one
// with the Stripe customer, else with the e-mail address, else a new one: an address typed at Checkout may receive
// credits, but signs nobody in until a provider says that it is verified.
//
// Locks: the payment, the session, then the user.
// Errors: AskError; ErrNotOurs when it sold no credits; ReviewError when there is nobody to give the credits to.
func (s *Service) adopt(tx *gorm.DB, c Checkout, told Told) (*models.Purchase, error) {
	if c.PaymentStatus != "paid" && c.PaymentStatus != "no_payment_required" {
		return nil, ReviewError(models.CausePaymentStatus.Of(c.PaymentStatus))
	}
	credits, ok := parseCredits(c.Credits)
	switch {
	case ok:
	case told.Credits == nil:
		return nil, &AskError{SessionID: c.ID}
	case *told.Credits == 0:
		return nil, ErrNotOurs
	default:
		credits = *told.Credits
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
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("purchase id: %w", err)
	}
	now := s.Now()
	p := models.Purchase{ID: id, UserID: user.ID, Quantity: 1, Credits: credits, AmountCents: models.Cents(c.Subtotal), Currency: c.Currency,
		Status: models.PurchasePaid, CheckoutSessionID: c.ID, PaymentIntentID: c.PaymentIntent, PaidCents: models.Cents(c.Paid),
		PaidCurrency: c.PaidCurrency, PaidAt: &now}
	err = tx.Exec(`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status,
			checkout_session_id, payment_intent_id, paid_cents, paid_currency, paid_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?)`, p.ID, p.UserID, p.Quantity, p.Credits, p.AmountCents, p.Currency,
		models.Locales[0], "session:"+c.ID, p.Status, c.ID, c.PaymentIntent, p.PaidCents, p.PaidCurrency, now).Error
	if err != nil {
		return nil, fmt.Errorf("adopt session %s: %w", c.ID, err)
	}
	return &p, nil
}

// owner finds or makes the user whom a session's credits are for, locked.
func (c Checkout) owner(tx *gorm.DB) (models.User, error) {
	var id int64
	if c.Customer != "" {
		err := tx.Raw(`SELECT user_id FROM stripe_customers WHERE customer_id = ?`, c.Customer).Scan(&id).Error
		if err != nil {
			return models.User{}, fmt.Errorf("user of customer %s: %w", c.Customer, err)
		}
	}
	email := address.Parse(c.Email)
	if id == 0 && email == "" {
		return models.User{}, ReviewError(models.CauseSessionNobody)
	}
	if id == 0 {
		var err error
		if id, err = ledger.Account(tx, email); err != nil {
			return models.User{}, fmt.Errorf("user of session %s: %w", c.ID, err)
		}
	}
	return ledger.Lock(tx, id)
}

// keepAlias remembers that a Stripe customer is this user. One in use is never replaced.
func keepAlias(tx *gorm.DB, customer string, userID int64, livemode bool) error {
	if customer == "" {
		return nil
	}
	err := tx.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES (?, ?, ?) ON CONFLICT (customer_id) DO NOTHING`,
		customer, userID, livemode).Error
	if err == nil {
		err = tx.Exec(`UPDATE users SET stripe_customer_id = ?, updated_at = now() WHERE id = ? AND stripe_customer_id IS NULL AND deleted_at IS NULL
			AND NOT EXISTS (SELECT 1 FROM users WHERE stripe_customer_id = ?)`, customer, userID, customer).Error
	}
	if err != nil {
		return fmt.Errorf("keep customer %s: %w", customer, err)
	}
	return nil
}
