package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// applyPromotion sets the discount of an open session in per cent; 0 removes it. Stripe asks for a code, and only in
// sessions with allow_promotion_codes. Here every session accepts one, so that the product meets discounts too.
func (s *Server) applyPromotion(ctx context.Context, t *txn, c *call) (any, error) {
	if err := c.form.require("percent"); err != nil {
		return nil, err
	}
	var cs session
	var back backstage
	if err := t.get(ctx, c.id, pathParam[kindSession], &cs); err != nil {
		return nil, err
	}
	if err := t.get(ctx, backstageID(c.id), pathParam[kindSession], &back); err != nil {
		return nil, err
	}
	if cs.Status != statusOpen {
		return nil, conflict("session_not_open", "Session %s is %s: only an open one takes a promotion.", cs.ID, cs.Status)
	}
	if err := cs.discount(&back, c.form.integer("percent")); err != nil {
		return nil, err
	}
	if rest := cs.AmountTotal; rest > 0 && rest < minTotal && digits(cs.Currency) > 0 {
		return nil, conflict("amount_too_small", "The promotion would leave less than Stripe collects.")
	}
	cs.PaymentStatus = paymentUnpaid
	if cs.AmountTotal == 0 {
		cs.PaymentStatus = paymentNotDue
	}
	return &cs, errors.Join(t.put(ctx, &cs), t.put(ctx, &back))
}

// discount reduces each line by a percentage and leaves the subtotals unchanged.
func (cs *session) discount(back *backstage, percent int64) error {
	cs.TotalDetails.AmountDiscount = 0
	for i, raw := range back.Items {
		line, err := decodeMap(raw)
		if err != nil {
			return err
		}
		var one item
		if err := json.Unmarshal(raw, &one); err != nil {
			return fmt.Errorf("decode line item: %w", err)
		}
		off := share(one.AmountSubtotal, percent)
		cs.TotalDetails.AmountDiscount += off
		line["amount_discount"], line["amount_total"] = off, one.AmountSubtotal-off
		if back.Items[i], err = json.Marshal(line); err != nil {
			return fmt.Errorf("encode line item: %w", err)
		}
	}
	cs.AmountTotal = cs.AmountSubtotal - cs.TotalDetails.AmountDiscount
	return nil
}

// promotions returns the discounts that the hosted page offers: all but the current one.
func (cs *session) promotions(items []item) []int64 {
	var others []int64
	for _, percent := range []int64{50, 100, 0} {
		var off int64
		for _, one := range items {
			off += share(one.AmountSubtotal, percent)
		}
		if off != cs.TotalDetails.AmountDiscount {
			others = append(others, percent)
		}
	}
	return others
}

// share returns a percentage of an amount, rounded half up.
func share(amount, percent int64) int64 { return (amount*percent + 50) / 100 }

var payParams = schema{"method": oneOf(methodCard, methodDebit), "email": emailAddress}

// payByControl pays a session as a buyer does on the hosted page.
func (s *Server) payByControl(ctx context.Context, t *txn, c *call) (any, error) {
	var cs session
	if err := t.get(ctx, c.id, pathParam[kindSession], &cs); err != nil {
		return nil, err
	}
	b := buyer{email: c.form["email"], method: c.form["method"]}
	switch {
	case b.method == methodDebit && !cs.takesDebit():
		return nil, conflict("no_debit", "Session %s cannot be paid by SEPA debit.", cs.ID)
	case b.email == "" && cs.asksEmail():
		return nil, invalid("parameter_missing", "email", "Missing required param: email.")
	}
	done, err := s.payIn(ctx, t, c.id, b)
	if errors.Is(err, errClosed) {
		return nil, conflict("session_not_open", "Session %s is not open.", cs.ID)
	}
	if err != nil {
		return nil, err
	}
	return &done.session, nil
}
