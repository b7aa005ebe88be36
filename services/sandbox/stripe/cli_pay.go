package stripe

import (
	"context"
	"errors"
	"time"
)

// payNow pays a session by card.
func (s *Server) payNow(ctx context.Context, t *txn, id string, b buyer) error {
	cs, back, err := t.sessionAndBack(ctx, id)
	if err != nil {
		return err
	}
	_, err = s.complete(ctx, t, cs, back, b)
	return err
}

// payLater pays a session by bank debit: it completes unpaid, and then the bank pays or refuses.
func (s *Server) payLater(refused bool) func(context.Context, *txn, string, buyer) error {
	return func(ctx context.Context, t *txn, id string, b buyer) error {
		cs, back, err := t.sessionAndBack(ctx, id)
		if err != nil {
			return err
		}
		if err := t.settleCustomer(ctx, cs, b); err != nil {
			return err
		}
		cs.Status, cs.URL = statusComplete, nil
		if err := t.emit(ctx, "checkout.session.completed", cs, nil); err != nil {
			return err
		}
		if refused {
			return errors.Join(t.put(ctx, cs), t.emit(ctx, "checkout.session.async_payment_failed", cs, nil))
		}
		if err := s.collect(ctx, t, cs, back); err != nil {
			return err
		}
		cs.PaymentStatus = paymentPaid
		return errors.Join(t.put(ctx, cs), t.emit(ctx, "checkout.session.async_payment_succeeded", cs, nil))
	}
}

func (t *txn) sessionAndBack(ctx context.Context, id string) (*session, *backstage, error) {
	var cs session
	var back backstage
	err := errors.Join(t.get(ctx, id, pathParam[kindSession], &cs), t.get(ctx, backstageID(id), pathParam[kindSession], &back))
	return &cs, &back, err
}

// inquiry is a dispute that moves no money yet.
type inquiry struct {
	ID                  string            `json:"id"`
	Object              string            `json:"object"`
	Amount              int64             `json:"amount"`
	BalanceTransactions []string          `json:"balance_transactions"`
	Charge              string            `json:"charge"`
	Created             int64             `json:"created"`
	Currency            string            `json:"currency"`
	Evidence            map[string]any    `json:"evidence"`
	EvidenceDetails     map[string]any    `json:"evidence_details"`
	IsChargeRefundable  bool              `json:"is_charge_refundable"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	PaymentIntent       string            `json:"payment_intent"`
	Reason              string            `json:"reason"`
	Status              string            `json:"status"`
}

func (i *inquiry) ref() (string, string) { return "dispute", i.ID }

// inquire lets the card's bank ask about a payment.
func (s *Server) inquire(ctx context.Context, t *txn, payment string) error {
	const timeToAnswer = 14 * 24 * time.Hour
	ch, err := t.chargeOf(ctx, form{"payment_intent": payment})
	if err != nil {
		return err
	}
	asked := &inquiry{
		ID: newID("du_"), Object: "dispute", Amount: ch.Amount, BalanceTransactions: []string{}, Charge: ch.ID, Created: t.now.Unix(),
		Currency: ch.Currency, Evidence: map[string]any{}, IsChargeRefundable: true, Metadata: map[string]string{},
		EvidenceDetails: map[string]any{"due_by": t.now.Add(timeToAnswer).Unix(), "has_evidence": false, "past_due": false, "submission_count": 0},
		PaymentIntent:   payment, Reason: "fraudulent", Status: "warning_needs_response",
	}
	return errors.Join(t.put(ctx, asked), t.emit(ctx, "charge.dispute.created", asked, nil))
}
