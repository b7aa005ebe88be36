package stripe

import (
	"context"
	"errors"
	"net/http"
	"slices"
)

// The texts that decide a dispute in Stripe's test mode. Source: https://docs.stripe.com/testing#disputes
const (
	winningEvidence = "winning_evidence"
	losingEvidence  = "losing_evidence"
)

// evidenceFiles name uploaded files, which the stand-in does not take.
var evidenceFiles = []string{
	"cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation", "receipt",
	"refund_policy",
	"service_documentation", "shipping_documentation", "uncategorized_file",
}

var evidenceTexts = []string{
	"access_activity_log", "billing_address", "cancellation_policy_disclosure", "cancellation_rebuttal",
	"customer_email_address", "customer_name",
	"customer_purchase_ip", "duplicate_charge_explanation", "duplicate_charge_id", "product_description",
	"refund_policy_disclosure",
	"refund_refusal_explanation", "service_date", "shipping_address", "shipping_carrier", "shipping_date",
	"shipping_tracking_number", "uncategorized_text",
}

// noEvidence is the evidence of a new dispute: every member, none of them given.
func noEvidence() map[string]*string {
	all := map[string]*string{}
	for _, name := range slices.Concat(evidenceFiles, evidenceTexts) {
		all[name] = nil
	}
	return all
}

var disputeParams = func() schema {
	s := metadataParams("metadata").with(schema{"submit": boolean})
	for _, name := range evidenceTexts {
		s["evidence["+name+"]"] = text(20_000)
	}
	return s
}()

// updateDispute takes evidence and, unless it is only kept for later, hands it in: the bank then reviews it, or
// decides at once when the text is one of Stripe's test texts.
func (s *Server) updateDispute(ctx context.Context, t *txn, c *call) (any, error) {
	d, err := t.dispute(ctx, c.id)
	if err != nil {
		return nil, err
	}
	before := map[string]any{"metadata": d.Metadata}
	if d.Metadata, err = c.form.metadata("metadata", d.Metadata); err != nil {
		return nil, err
	}
	given := false
	for _, name := range evidenceTexts {
		if param := "evidence[" + name + "]"; c.form.has(param) {
			given = true
			d.Evidence[name] = c.form.optional(param)
		}
	}
	submit := c.form.truth("submit") || given && !c.form.has("submit")
	if given && !slices.Contains(disputeSteps[reviewOf(d)], d.Status) {
		return nil, refused("", "evidence", "This dispute is %s and takes no evidence.", d.Status)
	}
	if !submit {
		d.EvidenceDetails.HasEvidence = d.EvidenceDetails.HasEvidence || given
		return d, d.save(ctx, t, before, "charge.dispute.updated")
	}
	if err := t.put(ctx, d); err != nil {
		return nil, err
	}
	return s.submitEvidence(ctx, t, c, d)
}

func (s *Server) submitEvidence(ctx context.Context, t *txn, c *call, d *dispute) (any, error) {
	reviewed, err := s.reviewDispute(ctx, t, c)
	if err != nil {
		return nil, atStripe(err)
	}
	verdict := d.Evidence["uncategorized_text"]
	switch {
	case verdict == nil || d.inquiry():
		return reviewed, nil
	case *verdict == winningEvidence:
		return s.winDispute(ctx, t, c)
	case *verdict == losingEvidence:
		return s.loseDispute(ctx, t, c)
	}
	return reviewed, nil
}

// closeDispute accepts the loss of a dispute.
func (s *Server) closeDispute(ctx context.Context, t *txn, c *call) (any, error) {
	d, err := s.loseDispute(ctx, t, c)
	return d, atStripe(err)
}

// atStripe turns a refusal by state into what Stripe answers in that case.
func atStripe(err error) error {
	var refusal *apiError
	if errors.As(err, &refusal) && refusal.status == http.StatusConflict {
		refusal.status, refusal.code = http.StatusBadRequest, ""
	}
	return err
}
