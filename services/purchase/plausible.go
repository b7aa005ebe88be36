package purchase

import (
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
)

// Stripe's reports are signed, and a fault at Stripe may still make them absurd. Figures that cannot be true are not
// recorded. A refund of more than was paid takes all the credits. Reports that come before their purchase are recorded,
// and settling counts those in the payment's currency. Each of these opens a review.

// maxCents exceeds every amount at Stripe, which has at most twelve digits, and sums of it fit an int64. Larger amounts
// are recorded as maxCents.
const maxCents = 1_000_000_000_000

var (
	errImpossible  = ReviewError(models.CauseImpossible)
	errContradicts = ReviewError(models.CauseContradicts)
	errCurrency    = ReviewError(models.CauseRefundCurrency)
	errOverpaid    = ReviewError(models.CauseOverpaid)
)

// checked returns a paid session without the figures that cannot be true, with Unclear set if there were any. A payment
// has an amount, an amount has a payment, and no payment pays two sessions.
//
// Locks: the payment. Errors: of the database.
func (c Checkout) checked(tx models.Tx) (Checkout, error) {
	if c = c.checkedFigures(); c.PaymentIntent == "" || !c.paid() {
		return c, nil
	}
	var used []bool // by another session
	err := postgres.Pipeline(tx.DB, lockPaymentStatement(c.PaymentIntent),
		postgres.Statement{SQL: `SELECT EXISTS (SELECT FROM purchases WHERE payment_intent_id = ? AND checkout_session_id <> ?)`,
			Args: []any{c.PaymentIntent, c.ID}, Read: postgres.Values(&used)})
	if err != nil {
		return c, fmt.Errorf("look for payment %s: %w", c.PaymentIntent, err)
	}
	if used[0] {
		c.PaymentIntent, c.Paid, c.PaidCurrency, c.Unclear = "", 0, "", true
	}
	return c, nil
}

// checkedFigures is checked, without the comparison with other sessions.
func (c Checkout) checkedFigures() Checkout {
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

// currencyCode reports whether text has the form of Stripe's currency codes.
func currencyCode(text string) bool {
	for _, r := range text {
		if r < 'a' || r > 'z' {
			return false
		}
	}
	return len(text) == 3
}

// differs returns why a paid session cannot be booked as the order, or "".
func (c Checkout) differs(p *models.Purchase) models.Cause {
	switch {
	case c.Unclear:
		return models.CauseSessionMoney
	case c.Currency != p.Currency || c.Subtotal != int64(p.AmountCents):
		return models.CauseAmount
	}
	return ""
}

// samePayment reports whether a paid session names the payment and the amount of its paid purchase.
func (c Checkout) samePayment(p *models.Purchase) bool {
	return c.PaymentIntent == p.PaymentIntentID && models.Cents(c.Paid) == p.PaidCents
}

// checkAmountBack compares money that went back with its payment, if the purchase is known.
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

// currenciesDiffer reports whether two reports of one fact name different currencies. One without a currency names
// none.
func currenciesDiffer(a, b string) bool { return a != b && a != "" && b != "" }

// replaceCurrency decides between a stored fact and a report of the same fact in another currency. The currency of the
// payment's purchase is right. checkAmountBack has compared the report with the purchase, so where there is one, the
// stored fact is wrong: it came before the purchase. Where there is none, the stored fact stays, and settlePayment
// returns ErrNotOurs, so that the report comes again.
func replaceCurrency(tx models.Tx, table, key, id, paymentRef string, record func() error) error {
	wrong := tx.Exec(`DELETE FROM `+table+` WHERE `+key+
		` = ? AND EXISTS (SELECT FROM purchases WHERE payment_intent_id = ?)`, id, paymentRef)
	if wrong.Error != nil {
		return fmt.Errorf("replace %s %s: %w", key, id, wrong.Error)
	}
	if wrong.RowsAffected == 0 {
		return nil
	}
	return record()
}
