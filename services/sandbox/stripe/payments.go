package stripe

import (
	"context"
)

var (
	intents    = list{kind: kindIntent, url: "/v1/payment_intents", filters: []string{"customer"}}
	charges    = list{kind: kindCharge, url: "/v1/charges", filters: []string{"customer", "payment_intent"}}
	refundList = list{kind: kindRefund, url: "/v1/refunds", filters: []string{"charge", "payment_intent"}}
)

var refundParams = metadataParams("metadata")

var newRefundParams = schema{
	"amount": integer(1, maxUnitAmount), "charge": identifier, "payment_intent": identifier,
	"reason": oneOf("duplicate", "fraudulent", "requested_by_customer"),
}

func (s *Server) createRefund(ctx context.Context, t *txn, c *call) (any, error) {
	f := c.form
	ch, err := t.chargeOf(ctx, f)
	if err != nil {
		return nil, err
	}
	rest := ch.Amount - ch.AmountRefunded
	amount := rest
	if f.has("amount") {
		amount = f.integer("amount")
	}
	switch {
	case rest == 0:
		return nil, refused("charge_already_refunded", "", "Charge %s has already been refunded.", ch.ID)
	case amount > rest:
		return nil, refused("", "amount", "Refund amount (%s) is greater than unrefunded amount on charge (%s)",
			money(amount, ch.Currency, "en"), money(rest, ch.Currency, "en"))
	}
	re := &refund{
		ID: newID("re_"), Amount: amount, BalanceTransaction: newID("txn_"), Charge: ch.ID, Created: t.now.Unix(),
		Currency: ch.Currency, PaymentIntent: ch.PaymentIntent, Reason: f.optional("reason"),
	}
	if re.Metadata, err = f.metadata("metadata", nil); err != nil {
		return nil, err
	}
	return re, s.book(ctx, t, ch, re)
}

// chargeOf is the charge that a refund names, itself or by its payment.
func (t *txn) chargeOf(ctx context.Context, f form) (*charge, error) {
	var ch charge
	switch {
	case f.has("charge") && f.has("payment_intent"):
		return nil, invalid("", "payment_intent", "You may only specify one of these parameters: charge, payment_intent.")
	case f.has("charge"):
		return &ch, t.get(ctx, f["charge"], "charge", &ch)
	case f.has("payment_intent"):
		var pi intent
		if err := t.get(ctx, f["payment_intent"], "payment_intent", &pi); err != nil {
			return nil, err
		}
		return &ch, t.get(ctx, pi.LatestCharge, "payment_intent", &ch)
	default:
		return nil, invalid("parameter_missing", "payment_intent", "One of the following params should be provided for this request: payment_intent or charge.")
	}
}

// book stores the refund and what it does to its charge, whose sum is cumulative.
func (s *Server) book(ctx context.Context, t *txn, ch *charge, re *refund) error {
	before := map[string]any{"amount_refunded": ch.AmountRefunded}
	ch.AmountRefunded += re.Amount
	if ch.AmountRefunded == ch.Amount {
		ch.Refunded = true
		before["refunded"] = false
	}
	if err := t.put(ctx, ch); err != nil {
		return err
	}
	if err := t.put(ctx, re); err != nil {
		return err
	}
	if err := t.emit(ctx, "charge.refunded", ch, before); err != nil {
		return err
	}
	if s.refunds == RefundEventsLegacy {
		return nil
	}
	return t.emit(ctx, "refund.created", re, nil)
}

// updateRefund changes the metadata, and tells of it in the same words in which a
// refund that failed is told of.
func (s *Server) updateRefund(ctx context.Context, t *txn, c *call) (any, error) {
	var re refund
	if err := t.get(ctx, c.id, pathParam[kindRefund], &re); err != nil {
		return nil, err
	}
	before := map[string]any{"metadata": re.Metadata}
	var err error
	if re.Metadata, err = c.form.metadata("metadata", re.Metadata); err != nil {
		return nil, err
	}
	if err := t.put(ctx, &re); err != nil {
		return nil, err
	}
	if err := t.emit(ctx, "charge.refund.updated", &re, before); err != nil {
		return nil, err
	}
	if s.refunds == RefundEventsLegacy {
		return &re, nil
	}
	return &re, t.emit(ctx, "refund.updated", &re, before)
}
