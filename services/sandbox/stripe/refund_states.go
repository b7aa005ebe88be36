package stripe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// The states of a refund.
const (
	refundPending   = "pending"
	refundSucceeded = "succeeded"
	refundFailed    = "failed"
	refundCanceled  = "canceled"
)

// refundSteps lists, for each state, the states that may change to it.
var refundSteps = map[string][]string{
	refundSucceeded: {refundPending},
	refundFailed:    {refundPending, refundSucceeded},
	refundCanceled:  {refundPending},
}

// moveRefund changes the state of a refund, as Stripe does days later.
func moveRefund(to string) func(context.Context, *txn, *refund, form) (any, error) {
	return func(ctx context.Context, t *txn, re *refund, _ form) (any, error) {
		if !slices.Contains(refundSteps[to], re.Status) {
			return nil, conflict("refund_state", "Refund %s is %s and cannot become %s.", re.ID, re.Status, to)
		}
		if err := t.requirePaid(ctx, re, to); err != nil {
			return nil, err
		}
		return re, t.settleRefund(ctx, re, to)
	}
}

// requirePaid refuses to let a refund succeed before its payment has.
func (t *txn) requirePaid(ctx context.Context, re *refund, to string) error {
	if to != refundSucceeded {
		return nil
	}
	var ch charge
	if err := t.get(ctx, re.Charge, pathParam[kindCharge], &ch); err != nil {
		return err
	}
	if ch.Status != chargeSucceeded {
		return conflict("refund_state", "Charge %s is %s: its refund waits for it.", ch.ID, ch.Status)
	}
	return nil
}

// settleRefund changes the state of a refund. A failed or canceled one leaves the charge's cumulative sum.
func (t *txn) settleRefund(ctx context.Context, re *refund, to string) error {
	before := map[string]any{"status": re.Status}
	re.Status = to
	if to != refundSucceeded {
		re.FailureBalanceTransaction = newID("txn_")
		if to == refundFailed {
			re.FailureReason = "unknown"
		}
		if err := t.subtractRefund(ctx, re); err != nil {
			return err
		}
	}
	return errors.Join(t.put(ctx, re), t.emitRefundUpdate(ctx, re, before))
}

// subtractRefund subtracts a refund from the cumulative sum of its charge.
func (t *txn) subtractRefund(ctx context.Context, re *refund) error {
	var ch charge
	if err := t.get(ctx, re.Charge, pathParam[kindCharge], &ch); err != nil {
		return err
	}
	ch.AmountRefunded -= re.Amount
	ch.Refunded = ch.AmountRefunded >= ch.Amount
	return t.put(ctx, &ch)
}

// emitRefundUpdate emits the events of a changed refund, as accounts on newer versions do.
func (t *txn) emitRefundUpdate(ctx context.Context, re *refund, before map[string]any) error {
	err := errors.Join(t.emit(ctx, "charge.refund.updated", re, before), t.emit(ctx, "refund.updated", re, before))
	if err != nil || re.Status != refundFailed {
		return err
	}
	return t.emit(ctx, "refund.failed", re, nil)
}

var controlRefundParams = schema{
	"amount": integer(1, maxUnitAmount), "typed": text(20), "seen": integer(0, 1<<40),
	"status": oneOf(refundSucceeded, refundPending),
}

// refundByControl refunds a payment as the merchant does in Stripe's dashboard.
func (s *Server) refundByControl(ctx context.Context, t *txn, c *call) (any, error) {
	ch, err := t.chargeOfPayment(ctx, c.id, pathParam[kindIntent])
	if err != nil {
		return nil, err
	}
	amount, err := t.requestedAmount(ctx, c.form, ch)
	if err != nil {
		return nil, err
	}
	order := maps.Clone(c.form)
	order["reason"] = "requested_by_customer"
	delete(order, "amount")
	if amount > 0 {
		order["amount"] = strconv.FormatInt(amount, 10)
	}
	re, err := s.refund(ctx, t, ch, order)
	var refusal *apiError
	if errors.As(err, &refusal) && refusal.param != "amount" {
		refusal.status = http.StatusConflict
	}
	return re, err
}

// requestedAmount returns the amount in a control's form, given in the smallest unit ("amount") or as typed ("typed");
// 0 when there is none. "seen" is the number of refunds and disputes when the form was rendered: a form that is sent
// twice works once.
func (t *txn) requestedAmount(ctx context.Context, f form, ch *charge) (int64, error) {
	if f.has("seen") {
		n, err := t.countReversals(ctx, ch.PaymentIntent)
		if err != nil {
			return 0, err
		}
		if n != f.integer("seen") {
			return 0, conflict("changed", "The payment has changed since the form was rendered.")
		}
	}
	switch {
	case f["amount"] != "":
		return f.integer("amount"), nil
	case f["typed"] != "":
		amount, err := parseMoney(f["typed"], ch.Currency)
		if err != nil || amount == 0 || amount > maxUnitAmount {
			return 0, invalid("", "typed", "Not an amount: %q", f["typed"])
		}
		return amount, nil
	}
	return 0, nil
}

// countReversals returns the number of refunds and disputes of a payment.
func (t *txn) countReversals(ctx context.Context, payment string) (n int64, err error) {
	err = t.QueryRowContext(ctx,
		`SELECT count(*) FROM stripe_sandbox.objects WHERE data ->> 'payment_intent' = $1 AND kind IN ($2, $3)`,
		payment, kindRefund, kindDispute).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count refunds: %w", err)
	}
	return n, nil
}

// refundable returns the amount that can still be refunded. Failed refunds do not count, whatever amount_refunded says.
func (t *txn) refundable(ctx context.Context, ch *charge) (int64, error) {
	var back int64
	err := t.QueryRowContext(ctx, `SELECT coalesce(sum((data ->> 'amount')::bigint), 0) FROM stripe_sandbox.objects
		WHERE kind = $1 AND data ->> 'payment_intent' = $2 AND data ->> 'status' NOT IN ($3, $4)`,
		kindRefund, ch.PaymentIntent, refundFailed, refundCanceled).Scan(&back)
	if err != nil {
		return 0, fmt.Errorf("sum refunds: %w", err)
	}
	return ch.Amount - back, nil
}

// chargedBack reports whether a dispute holds the money, which then cannot be refunded.
func (t *txn) chargedBack(ctx context.Context, ch *charge) (found bool, err error) {
	err = t.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM stripe_sandbox.objects
		WHERE kind = $1 AND data ->> 'payment_intent' = $2 AND data ->> 'status' IN ($3, $4, $5))`,
		kindDispute, ch.PaymentIntent, disputeOpen, disputeReview, disputeLost).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("find disputes: %w", err)
	}
	return found, nil
}
