package stripe

import (
	"context"
	"errors"
)

var (
	intents    = list{kind: kindIntent, url: "/v1/payment_intents", filters: []string{"customer"}}
	refundList = list{kind: kindRefund, url: "/v1/refunds", filters: []string{"charge", "payment_intent"}}
)

var refundParams = metadataParams("metadata").with(schema{
	"amount": integer(1, maxUnitAmount), "charge": identifier, "payment_intent": identifier,
	"reason": oneOf("duplicate", "fraudulent", "requested_by_customer"),
})

var refundUpdateParams = metadataParams("metadata")

// updateRefund changes the metadata of a refund.
func updateRefund(ctx context.Context, t *txn, re *refund, f form) (_ any, err error) {
	before := map[string]any{"metadata": re.Metadata}
	if re.Metadata, err = f.metadata("metadata", re.Metadata); err != nil {
		return nil, err
	}
	return re, errors.Join(t.put(ctx, re), t.emitRefundUpdate(ctx, re, before))
}

func (s *Server) createRefund(ctx context.Context, t *txn, c *call) (any, error) {
	ch, err := t.chargeOf(ctx, c.form)
	if err != nil {
		return nil, err
	}
	return s.refund(ctx, t, ch, c.form)
}

// refund refunds a charge. Its first status is the form's, which only the control API sets, or else pending for a debit
// and succeeded for a card.
func (s *Server) refund(ctx context.Context, t *txn, ch *charge, f form) (*refund, error) {
	amount, err := t.refundAmount(ctx, ch, f)
	if err != nil {
		return nil, err
	}
	re := &refund{
		ID: newID("re_"), Amount: amount, BalanceTransaction: newID("txn_"), Charge: ch.ID, Created: t.Now.Unix(),
		Currency: ch.Currency, PaymentIntent: ch.PaymentIntent, Reason: f.optional("reason"), Status: f["status"],
	}
	if ch.debit() {
		re.ID = newID("pyr_")
	} else {
		re.DestinationDetails = map[string]any{"type": "card", "card": map[string]any{
			"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund",
		}}
	}
	switch {
	case re.Status == "" && ch.debit():
		re.Status = refundPending
	case re.Status == "":
		re.Status = refundSucceeded
	}
	if re.Metadata, err = f.metadata("metadata", nil); err != nil {
		return nil, err
	}
	return re, t.saveRefund(ctx, ch, re)
}

// refundAmount returns the amount in the form, or else the whole remainder.
func (t *txn) refundAmount(ctx context.Context, ch *charge, f form) (int64, error) {
	rest, err := t.refundable(ctx, ch)
	if err != nil {
		return 0, err
	}
	disputed, err := t.chargedBack(ctx, ch)
	if err != nil {
		return 0, err
	}
	amount := rest
	if f.has("amount") {
		amount = f.integer("amount")
	}
	switch {
	case ch.Status == chargeFailed:
		return 0, refused("", "charge", "Charge %s has failed and cannot be refunded.", ch.ID)
	case disputed:
		return 0, refused("charge_disputed", "", "Charge %s has been charged back; cannot issue a refund.", ch.ID)
	case rest == 0:
		return 0, refused("charge_already_refunded", "", "Charge %s has already been refunded.", ch.ID)
	case amount > rest:
		return 0, refused("", "amount", "Refund amount (%s) is greater than unrefunded amount on charge (%s)",
			money(amount, ch.Currency, "en"), money(rest, ch.Currency, "en"))
	}
	return amount, nil
}

// chargeOf returns the charge in the form, named directly or by its payment.
func (t *txn) chargeOf(ctx context.Context, f form) (*charge, error) {
	switch {
	case f.has("charge") && f.has("payment_intent"):
		return nil, invalid("", "payment_intent", "You may only specify one of these parameters: charge, payment_intent.")
	case f.has("charge"):
		var ch charge
		return &ch, t.get(ctx, f["charge"], "charge", &ch)
	case f.has("payment_intent"):
		return t.chargeOfPayment(ctx, f["payment_intent"], "payment_intent")
	default:
		return nil, invalid("parameter_missing", "payment_intent",
			"One of the following params should be provided for this request: payment_intent or charge.")
	}
}

// chargeOfPayment returns the charge of a payment. param is the parameter that named the payment, for the error.
func (t *txn) chargeOfPayment(ctx context.Context, id, param string) (*charge, error) {
	var pi intent
	if err := t.get(ctx, id, param, &pi); err != nil {
		return nil, err
	}
	var ch charge
	return &ch, t.get(ctx, pi.LatestCharge, param, &ch)
}

// saveRefund stores the refund, adds it to the charge's cumulative sum, which includes pending refunds, and emits the
// events.
func (t *txn) saveRefund(ctx context.Context, ch *charge, re *refund) error {
	before := map[string]any{"amount_refunded": ch.AmountRefunded}
	ch.AmountRefunded += re.Amount
	if ch.AmountRefunded >= ch.Amount && !ch.Refunded {
		ch.Refunded = true
		before["refunded"] = false
	}
	return errors.Join(t.put(ctx, ch), t.put(ctx, re),
		t.emit(ctx, "charge.refunded", ch, before), t.emit(ctx, "refund.created", re, nil))
}
