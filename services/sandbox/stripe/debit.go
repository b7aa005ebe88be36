package stripe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// The payment methods, and the states of a payment and its charge.
const (
	methodCard  = "card"
	methodDebit = "sepa_debit"

	intentSucceeded  = "succeeded"
	intentProcessing = "processing"
	intentFailed     = "requires_payment_method"

	chargeSucceeded = "succeeded"
	chargePending   = "pending"
	chargeFailed    = "failed"
)

// methodsFor returns the default payment methods of a session. SEPA debit is for euros only.
func methodsFor(currency string) []string {
	if currency == "eur" {
		return []string{methodCard, methodDebit}
	}
	return []string{methodCard}
}

// listMethods lists the account's only configuration: it offers what methodsFor returns.
// Source: https://docs.stripe.com/api/payment_method_configurations/object
func listMethods(context.Context, *txn, *call) (any, error) {
	configuration := map[string]any{"id": "pmc_sandbox", "object": "payment_method_configuration", "active": true,
		"application": nil, "is_default": true, "livemode": false, "name": "Default", "parent": nil}
	for _, name := range []string{methodCard, methodDebit, "paypal"} {
		value := "off"
		if slices.Contains(methodsFor(homeCurrency), name) {
			value = "on"
		}
		configuration[name] = map[string]any{"available": value == "on",
			"display_preference": map[string]any{"overridable": nil, "preference": value, "value": value}}
	}
	return envelope("/v1/payment_method_configurations", []any{configuration}, false), nil
}

// takesDebit reports whether the session can be paid by SEPA debit.
func (cs *session) takesDebit() bool {
	return slices.Contains(cs.PaymentMethodTypes, methodDebit)
}

// asDebit turns the new charge into a pending SEPA debit, whose identifiers start with py_.
func (ch *charge) asDebit() {
	ch.ID, ch.Paid, ch.Status = newID("py_"), false, chargePending
	ch.Outcome = map[string]any{
		"network_status": "approved_by_network", "reason": nil, "risk_level": "not_assessed",
		"seller_message": "Payment complete.", "type": "authorized",
	}
	ch.PaymentMethodDetails = map[string]any{"type": methodDebit, methodDebit: map[string]any{
		"bank_code": "37040044", "branch_code": nil, "country": "DE", "fingerprint": "SandboxDebit3000", "last4": "3000",
		"mandate": newID("mandate_"),
	}}
}

func (ch *charge) debit() bool { return ch.PaymentMethodDetails["type"] == methodDebit }

// bankDebit reads a pending debit: payment, charge and session.
func (t *txn) bankDebit(ctx context.Context, id string) (*intent, *charge, *session, error) {
	var pi intent
	var ch charge
	if err := t.get(ctx, id, pathParam[kindIntent], &pi); err != nil {
		return nil, nil, nil, err
	}
	if pi.Status != intentProcessing {
		return nil, nil, nil, conflict("payment_not_processing", "Payment %s is %s: it does not wait for its bank.", pi.ID,
			pi.Status)
	}
	if err := t.get(ctx, pi.LatestCharge, pathParam[kindCharge], &ch); err != nil {
		return nil, nil, nil, err
	}
	cs, err := t.sessionOf(ctx, pi.ID)
	return &pi, &ch, cs, err
}

// sessionOf returns the session of a payment, or nil if it has none.
func (t *txn) sessionOf(ctx context.Context, payment string) (*session, error) {
	var id string
	err := t.QueryRowContext(ctx,
		`SELECT id FROM stripe_sandbox.objects WHERE kind = $1 AND data ->> 'payment_intent' = $2`, kindSession,
		payment).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find session of payment: %w", err)
	}
	var cs session
	return &cs, t.get(ctx, id, pathParam[kindSession], &cs)
}

// settleDebit makes a pending debit succeed.
func (s *Server) settleDebit(ctx context.Context, t *txn, c *call) (any, error) {
	pi, ch, cs, err := t.bankDebit(ctx, c.id)
	if err != nil {
		return nil, err
	}
	pi.Status, pi.AmountReceived = intentSucceeded, pi.Amount
	ch.Status, ch.Paid = chargeSucceeded, true
	cs.PaymentStatus = paymentPaid
	var back backstage
	if err := t.get(ctx, backstageID(cs.ID), pathParam[kindSession], &back); err != nil {
		return nil, err
	}
	if err := s.invoice(ctx, t, cs, &back); err != nil {
		return nil, err
	}
	if err := errors.Join(t.put(ctx, pi), t.put(ctx, ch), t.put(ctx, cs)); err != nil {
		return nil, err
	}
	return pi, errors.Join(
		t.emit(ctx, "charge.succeeded", ch, nil),
		t.emit(ctx, "payment_intent.succeeded", pi, nil),
		t.emit(ctx, "checkout.session.async_payment_succeeded", cs, nil))
}

// failDebit makes a pending debit fail. The session stays unpaid and the debit's refunds fail with it.
func (s *Server) failDebit(ctx context.Context, t *txn, c *call) (any, error) {
	pi, ch, cs, err := t.bankDebit(ctx, c.id)
	if err != nil {
		return nil, err
	}
	const code, text = "insufficient_funds", "The bank did not carry out the debit."
	if err := t.failRefunds(ctx, ch); err != nil {
		return nil, err
	}
	if err := t.get(ctx, ch.ID, pathParam[kindCharge], ch); err != nil { // with the sum as it is now
		return nil, err
	}
	ch.Status, ch.FailureCode, ch.FailureMessage = chargeFailed, new(code), new(text)
	pi.Status, pi.PaymentMethod = intentFailed, nil
	pi.LastPaymentError = map[string]any{
		"charge": ch.ID, "code": "payment_intent_payment_attempt_failed", "decline_code": code, "message": text,
		"doc_url": "https://stripe.com/docs/error-codes/payment-intent-payment-attempt-failed", "type": "card_error",
	}
	if err := errors.Join(t.put(ctx, pi), t.put(ctx, ch)); err != nil {
		return nil, err
	}
	return pi, errors.Join(
		t.emit(ctx, "charge.failed", ch, nil),
		t.emit(ctx, "payment_intent.payment_failed", pi, nil),
		t.emit(ctx, "checkout.session.async_payment_failed", cs, nil))
}

// failRefunds fails the refunds of a charge that was never paid.
func (t *txn) failRefunds(ctx context.Context, ch *charge) error {
	waiting, err := t.idsOfPayment(ctx, kindRefund, ch.PaymentIntent)
	if err != nil {
		return err
	}
	for _, id := range waiting {
		var re refund
		if err := t.get(ctx, id, pathParam[kindRefund], &re); err != nil {
			return err
		}
		if slices.Contains(refundSteps[refundFailed], re.Status) {
			if err := t.settleRefund(ctx, &re, refundFailed); err != nil {
				return err
			}
		}
	}
	return nil
}
