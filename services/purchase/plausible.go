package purchase

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

// What Stripe says is signed, and a fault at Stripe may still make nonsense of it. What cannot be true is not recorded; of
// more than was paid, all that was paid is taken. Facts that came before their purchase are recorded, and settling counts
// those in the payment's currency. A person sees each.

// maxCents is beyond any amount of Stripe's, which has at most twelve digits, and sums of it stay within an int64. It is
// recorded in place of what is larger.
const maxCents = 1_000_000_000_000

var (
	errImpossible  = ReviewError(models.CauseImpossible)
	errContradicts = ReviewError(models.CauseContradicts)
	errCurrency    = ReviewError(models.CauseRefundCurrency)
	errOverpaid    = ReviewError(models.CauseOverpaid)
)

// checked is a paid session without what cannot be true of its payment; Unclear says that there was something. A payment
// has an amount and an amount has a payment, and no payment pays two sessions.
//
// Locks: the payment. Errors: of the database.
func (c Checkout) checked(tx models.Tx) (Checkout, error) {
	if c = c.checkedAlone(); c.PaymentIntent == "" || !c.paid() {
		return c, nil
	}
	if err := lockPayment(tx, c.PaymentIntent); err != nil {
		return c, err
	}
	var taken bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM purchases WHERE payment_intent_id = ? AND checkout_session_id <> ?)`, c.PaymentIntent, c.ID).Scan(&taken).Error
	if err != nil {
		return c, fmt.Errorf("look for payment %s: %w", c.PaymentIntent, err)
	}
	if taken {
		c.PaymentIntent, c.Paid, c.PaidCurrency, c.Unclear = "", 0, "", true
	}
	return c, nil
}

// checkedAlone is checked without a look at other sessions.
func (c Checkout) checkedAlone() Checkout {
	if !c.paid() {
		return c
	}
	if c.Paid < 0 || c.Paid >= maxCents || c.PaidCurrency != "" && !currencyCode(c.PaidCurrency) {
		c.Paid, c.PaidCurrency, c.Unclear = 0, "", true
	}
	if c.Subtotal < 0 || c.Subtotal >= maxCents {
		c.Subtotal, c.Unclear = 0, true
	}
	c.Unclear = c.Unclear || (c.Paid > 0) != (c.PaymentIntent != "")
	return c
}

// currencyCode reports whether text is a currency as Stripe writes it.
func currencyCode(text string) bool {
	for _, r := range text {
		if r < 'a' || r > 'z' {
			return false
		}
	}
	return len(text) == 3
}

// differs is why a paid session cannot be booked as what was ordered, or "".
func (c Checkout) differs(p *models.Purchase) models.Cause {
	switch {
	case c.Unclear:
		return models.CauseSessionMoney
	case c.Currency != p.Currency || c.Subtotal != int64(p.AmountCents):
		return models.CauseAmount
	}
	return ""
}

// samePayment reports whether a paid session says of its payment what its paid purchase has.
func (c Checkout) samePayment(p *models.Purchase) bool {
	return c.PaymentIntent == p.PaymentIntentID && models.Cents(c.Paid) == p.PaidCents
}

// checkAmountBack compares money that went back with its payment, as far as the payment is known.
//
// Errors: errCurrency; errOverpaid.
func checkAmountBack(tx models.Tx, back amountBack) error {
	var p models.Purchase
	err := tx.Raw(`SELECT * FROM purchases WHERE payment_intent_id = ?`, back.paymentRef).Take(&p).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("purchase of payment %s: %w", back.paymentRef, err)
	case back.currency != "" && back.currency != p.PaymentCurrency():
		return errCurrency
	case back.cents > int64(p.PaidCents):
		return errOverpaid
	}
	return nil
}
