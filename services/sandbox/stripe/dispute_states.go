package stripe

import (
	"context"
	"slices"
	"time"
)

var disputes = list{kind: kindDispute, url: "/v1/disputes", filters: []string{"charge", "payment_intent"}}

// evidenceTime bounds the merchant's answer to a dispute. Source: card networks allow 7 to 21 days.
const evidenceTime = 14 * 24 * time.Hour

var newDisputeParams = schema{
	"amount": integer(1, maxUnitAmount), "typed": text(20), "seen": integer(0, 1<<40),
	"status": oneOf(disputeOpen, disputeWarning, disputeLost),
}

// openDispute disputes a payment for the buyer's bank: the whole amount or another one, which may be larger. It starts
// as a dispute, as an inquiry, or as lost, which is how a bank debit's starts.
func (s *Server) openDispute(ctx context.Context, t *txn, c *call) (any, error) {
	ch, err := t.chargeOfPayment(ctx, c.id, pathParam[kindIntent])
	if err != nil {
		return nil, err
	}
	if ch.Status != chargeSucceeded {
		return nil, conflict("payment_not_succeeded", "Payment %s has not succeeded: there is nothing to dispute.", c.id)
	}
	amount, err := t.requestedAmount(ctx, c.form, ch)
	if err != nil {
		return nil, err
	}
	if amount == 0 {
		amount = ch.Amount
	}
	d := newDispute(ch, amount, t.Now)
	if status := c.form["status"]; status != "" {
		d.Status = status
	}
	ch.Disputed = true
	if err := t.put(ctx, ch); err != nil {
		return nil, err
	}
	return d, d.begin(ctx, t)
}

func newDispute(ch *charge, amount int64, now time.Time) *dispute {
	d := &dispute{
		ID: newID("du_"), Amount: amount, BalanceTransactions: []transaction{}, Charge: ch.ID, Created: now.Unix(),
		Currency:        ch.Currency,
		EvidenceDetails: evidenceDetails{DueBy: new(now.Add(evidenceTime).Unix())},
		PaymentIntent:   &ch.PaymentIntent, Reason: "fraudulent", Status: disputeOpen,
	}
	if !ch.debit() {
		d.PaymentMethodDetails = &disputedMethod{Type: "card",
			Card: disputedCard{Brand: "visa", NetworkReasonCode: new("10.4")}}
	}
	return d
}

// begin stores the new dispute with its events and withdraws the money, unless it is an inquiry.
func (d *dispute) begin(ctx context.Context, t *txn) error {
	if d.Status == disputeWarning {
		return d.save(ctx, t, nil, "charge.dispute.created")
	}
	d.withdraw(t)
	events := []string{"charge.dispute.created", "charge.dispute.funds_withdrawn"}
	if d.Status == disputeLost {
		events = append(events, "charge.dispute.closed")
	}
	return d.save(ctx, t, nil, events...)
}

// escalateDispute turns an inquiry into a dispute.
func escalateDispute(ctx context.Context, t *txn, d *dispute, _ form) (any, error) {
	before, err := d.step(disputeOpen)
	if err != nil {
		return nil, err
	}
	d.withdraw(t)
	return d, d.save(ctx, t, before, "charge.dispute.updated", "charge.dispute.funds_withdrawn")
}

// reviewDispute submits evidence.
func reviewDispute(ctx context.Context, t *txn, d *dispute, _ form) (any, error) {
	before, err := d.step(reviewOf(d))
	if err != nil {
		return nil, err
	}
	before["evidence_details"] = map[string]any{
		"has_evidence": d.EvidenceDetails.HasEvidence, "submission_count": d.EvidenceDetails.SubmissionCount,
	}
	d.EvidenceDetails.HasEvidence = true
	d.EvidenceDetails.SubmissionCount++
	return d, d.save(ctx, t, before, "charge.dispute.updated")
}

// winDispute reinstates the money. It also wins a dispute that was lost before.
func winDispute(ctx context.Context, t *txn, d *dispute, _ form) (any, error) {
	before, err := d.step(disputeWon)
	if err != nil {
		return nil, err
	}
	d.move(t, d.Amount, "dispute_reversal", "Chargeback reversal for "+d.Charge)
	events := []string{"charge.dispute.closed", "charge.dispute.funds_reinstated"}
	if before["status"] == disputeLost { // it was closed before: this is news of a closed one
		events = append([]string{"charge.dispute.updated"}, events...)
	}
	return d, d.save(ctx, t, before, events...)
}

// closeDispute closes a dispute or an inquiry whose money does not come back.
func closeDispute(to string) func(context.Context, *txn, *dispute, form) (any, error) {
	return func(ctx context.Context, t *txn, d *dispute, _ form) (any, error) {
		if _, err := d.step(to); err != nil {
			return nil, err
		}
		return d, d.save(ctx, t, nil, "charge.dispute.closed")
	}
}

// reviewOf returns the state of a dispute, or of an inquiry, with submitted evidence.
func reviewOf(d *dispute) string {
	if d.inquiry() {
		return disputeWarningReview
	}
	return disputeReview
}

// disputeSteps lists, for each state, the states that may change to it.
var disputeSteps = map[string][]string{
	disputeOpen:          {disputeWarning, disputeWarningReview},
	disputeReview:        {disputeOpen},
	disputeWarningReview: {disputeWarning},
	disputeWon:           {disputeOpen, disputeReview, disputeLost},
	disputeLost:          {disputeOpen, disputeReview},
	disputeWarningClosed: {disputeWarning, disputeWarningReview},
}

func (t *txn) dispute(ctx context.Context, id string) (*dispute, error) {
	var d dispute
	return &d, t.get(ctx, id, pathParam[kindDispute], &d)
}

// step changes the state of a dispute and returns the previous attributes.
func (d *dispute) step(to string) (before map[string]any, err error) {
	if !slices.Contains(disputeSteps[to], d.Status) {
		return nil, conflict("dispute_state", "Dispute %s is %s and cannot become %s.", d.ID, d.Status, to)
	}
	before = map[string]any{"status": d.Status}
	d.Status = to
	return before, nil
}

// save stores the dispute and emits its events. Only updates carry the previous attributes.
func (d *dispute) save(ctx context.Context, t *txn, before map[string]any, events ...string) error {
	d.IsChargeRefundable = d.inquiry() || d.Status == disputeWon
	if m := d.PaymentMethodDetails; m != nil {
		m.Card.CaseType = "chargeback"
		if d.inquiry() {
			m.Card.CaseType = "inquiry"
		}
	}
	if err := t.put(ctx, d); err != nil {
		return err
	}
	for _, kind := range events {
		previous := before
		if kind != "charge.dispute.updated" {
			previous = nil
		}
		if err := t.emit(ctx, kind, d, previous); err != nil {
			return err
		}
	}
	return nil
}

func (d *dispute) inquiry() bool {
	return d.Status == disputeWarning || d.Status == disputeWarningReview || d.Status == disputeWarningClosed
}

// withdraw takes the money.
func (d *dispute) withdraw(t *txn) {
	d.move(t, -d.Amount, "dispute", "Chargeback withdrawal for "+d.Charge)
}

func (d *dispute) move(t *txn, amount int64, category, description string) {
	d.BalanceTransactions = append(d.BalanceTransactions, transaction{
		ID: newID("txn_"), Object: "balance_transaction", Amount: amount, AvailableOn: t.Now.Unix(), Created: t.Now.Unix(),
		Currency:    d.Currency,
		Description: description, FeeDetails: []string{}, Net: amount, ReportingCategory: category, Source: d.ID,
		Status: "available", Type: "adjustment",
	})
}
