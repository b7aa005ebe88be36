package webhook

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
)

// outcome is what an event came to.
type outcome struct {
	status     models.StripeEventStatus
	note       models.Cause // why, for a person; no names, no payload
	paymentRef string
	waited     bool // others may wait for what this one brought
	rows       []models.CreditTransaction
}

// plan is what an event's type and content say to do with it: a booking, or an outcome without one.
type plan struct {
	booking
	object  object
	report  purchase.Report // what the booking may need facts of Stripe's for; nil where it needs none
	outcome outcome         // final unless its status is empty
}

// planOf reads an event. It decides nothing that depends on our rows.
// Errors: errNoObject for an event that cannot be read at all.
func (s *Service) planOf(event models.StripeEvent) (plan, error) {
	o, err := objectOf(event.Payload)
	if errors.Is(err, errAccount) { // whatever else it says
		return plan{outcome: outcome{status: models.EventIgnored, note: models.CauseAccount}}, nil
	}
	if event.Livemode != s.Livemode {
		return plan{outcome: outcome{status: models.EventReview, note: models.CauseMode}}, nil
	}
	p := plan{object: o}
	known := false
	p.booking, known = s.bookings()[event.Type]
	switch {
	case !known:
		return plan{outcome: outcome{status: models.EventIgnored}}, nil
	case errors.Is(err, errNoObject):
		return plan{}, err
	case err != nil:
		return plan{outcome: outcome{status: models.EventReview, note: models.CauseOf(err)}}, nil
	}
	p.object.Told = event.CreatedAtStripe
	if p.reportOf != nil {
		p.report = p.reportOf(p.object)
	}
	return p, nil
}

// needsStripe reports whether Stripe must be asked before the event can be booked.
func (s *Service) needsStripe(ctx context.Context, p plan) (bool, error) {
	switch {
	case p.pullsPrices():
		return true, nil
	case p.report == nil:
		return false, nil
	}
	return s.Purchase.NeedsStripe(ctx, p.report)
}

// pullsPrices reports whether the event is about our product or one of its prices. The event itself may be older than our
// rows, so Stripe's prices are read instead.
func (p plan) pullsPrices() bool {
	return p.prices && p.object.product() == catalog.ProductID
}

// route books an event by its plan. Facts that it brings are kept even when it must wait for its purchase.
//
// Errors: what kept it from being booked, a panic among it: that must not keep the event from being stored.
func (s *Service) route(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (_ outcome, err error) {
	defer s.caught(tx, eventID, &err)
	if p.outcome.status != "" {
		return p.outcome, nil
	}
	result, err := p.book(tx, eventID, p, facts)
	result.paymentRef = p.object.paymentRef()
	result, err = conclude(result, err)
	if err != nil || result.status != models.EventDeferred && result.status != models.EventReview {
		return result, err
	}
	foreign, err := decidedForeign(tx, p.object)
	if foreign {
		result.status, result.note = models.EventIgnored, models.CauseDecidedForeign
	}
	return result, err
}

// caught makes a panic the error that it is for the event.
func (s *Service) caught(tx models.Tx, eventID string, err *error) {
	if r := recover(); r != nil { // its text may quote the event
		s.Log.ErrorContext(tx.Statement.Context, "panic", "event_id", eventID, "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		*err = models.CausePanic
	}
}

// booking is what the events of one type do.
type booking struct {
	reportOf func(object) purchase.Report // nil where booking needs nothing of Stripe's but the event
	prices   bool                         // the event may change our prices
	book     func(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (outcome, error)
}

// bookings is the table from Stripe's events to what they do. Whatever is not here is stored and ignored, among them
// payment_intent.succeeded and charge.succeeded: they tell the same fact as the session.
func (s *Service) bookings() map[string]booking {
	checkout := booking{reportOf: object.checkoutReport, book: s.bookCheckout}
	refund := booking{reportOf: object.refundReport, book: s.bookRefund}
	dispute := booking{reportOf: object.disputeReport, book: s.bookReport}
	prices := booking{prices: true, book: bookPrices}
	return map[string]booking{
		"checkout.session.completed":               checkout,
		"checkout.session.async_payment_succeeded": checkout,
		"checkout.session.async_payment_failed":    {book: bookEnd(purchase.RecordFailure)},
		"checkout.session.expired":                 {book: bookEnd(purchase.RecordExpiry)},
		"charge.refunded":                          {reportOf: object.chargeReport, book: s.bookReport},
		"charge.refund.updated":                    refund,
		"refund.created":                           refund,
		"refund.updated":                           refund,
		"refund.failed":                            refund,
		"charge.dispute.created":                   dispute,
		"charge.dispute.updated":                   dispute,
		"charge.dispute.closed":                    dispute,
		"charge.dispute.funds_withdrawn":           dispute,
		"charge.dispute.funds_reinstated":          {reportOf: object.disputeReport, book: s.bookReinstated},
		"customer.deleted":                         {book: bookDeletion},
		"price.created":                            prices,
		"price.updated":                            prices,
		"price.deleted":                            prices,
		"product.created":                          prices,
		"product.updated":                          prices,
		"product.deleted":                          prices,
	}
}

// conclude turns the answers that are no failures into outcomes: the transaction commits, with the facts it recorded.
func conclude(result outcome, err error) (outcome, error) {
	var review purchase.ReviewError
	switch {
	case errors.As(err, &review):
		result.status, result.note = models.EventReview, models.Cause(review)
	case errors.Is(err, purchase.ErrForeign):
		result.status, result.note = models.EventIgnored, models.CausePaymentForeign
	case errors.Is(err, purchase.ErrNotOurs):
		result.status, result.note = models.EventDeferred, models.CauseWaits
	case err != nil:
		return result, err
	case result.status == "":
		result.status = models.EventDone
	}
	return result, nil
}

func (s *Service) bookCheckout(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (outcome, error) {
	if p.report == nil {
		return outcome{status: models.EventIgnored, note: models.CauseSessionMode.Of(p.object.Mode)}, nil
	}
	rows, err := s.Purchase.Book(tx, p.report, facts, eventID)
	if unpaidOther(p.object, err) {
		return outcome{status: models.EventIgnored, note: models.CauseSessionOther}, nil
	}
	if errors.Is(err, purchase.ErrNotOurs) && p.object.PaymentStatus == "unpaid" {
		return outcome{status: models.EventIgnored, note: models.CauseSessionUnpaid}, nil
	}
	return foreign(rows, err)
}

// bookEnd books a session that came to nothing.
func bookEnd(record func(models.Tx, purchase.Checkout) (*models.Purchase, error)) func(models.Tx, string, plan, purchase.StripeFacts) (outcome, error) {
	return func(tx models.Tx, _ string, p plan, _ purchase.StripeFacts) (outcome, error) {
		_, err := record(tx, p.object.checkout())
		if unpaidOther(p.object, err) {
			return outcome{status: models.EventIgnored, note: models.CauseSessionOther}, nil
		}
		return foreign(nil, err)
	}
}

// unpaidOther reports whether an error is about an unpaid session that names a purchase of which we know another: there
// is nothing to book, and nothing to decide.
func unpaidOther(o object, err error) bool {
	var contradiction purchase.ReviewError
	return o.PaymentStatus == "unpaid" && errors.As(err, &contradiction) && models.Cause(contradiction) == models.CauseSessionOther
}

// foreign ignores a session of another product on the same Stripe account, or of a payment link that came to nothing.
func foreign(rows []models.CreditTransaction, err error) (outcome, error) {
	if errors.Is(err, purchase.ErrNotOurs) {
		return outcome{status: models.EventIgnored, note: models.CauseSessionForeign}, nil
	}
	return outcome{rows: rows}, err
}

// bookReport books a charge, a refund or a dispute.
func (s *Service) bookReport(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (outcome, error) {
	rows, err := s.Purchase.Book(tx, p.report, facts, eventID)
	return outcome{rows: rows}, err
}

func (s *Service) bookRefund(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (outcome, error) {
	if p.object.PaymentIntent == "" && p.object.Charge == "" {
		return outcome{status: models.EventIgnored, note: models.CauseRefundOfNothing}, nil
	}
	return s.bookReport(tx, eventID, p, facts)
}

// bookReinstated books money that the bank gave back. After a won dispute that is what winning means; after a lost one
// it may be a refund that was counted twice, which a person must see.
func (s *Service) bookReinstated(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (outcome, error) {
	result, err := s.bookReport(tx, eventID, p, facts)
	if err != nil || p.object.Status != "lost" {
		return result, err
	}
	decided, err := purchase.HasDisputeShare(tx, p.object.ID)
	if err == nil && !decided {
		result.status, result.note = models.EventReview, models.CauseReinstated
	}
	return result, err
}

func bookDeletion(tx models.Tx, _ string, p plan, _ purchase.StripeFacts) (outcome, error) {
	err := purchase.ForgetCustomer(tx, p.object.ID)
	if errors.Is(err, purchase.ErrNotOurs) {
		return outcome{status: models.EventIgnored, note: models.CauseCustomerForeign}, nil
	}
	return outcome{}, err
}

// bookPrices is left with nothing to do: the prices were pulled before the transaction.
func bookPrices(_ models.Tx, _ string, p plan, _ purchase.StripeFacts) (outcome, error) {
	if !p.pullsPrices() {
		return outcome{status: models.EventIgnored, note: models.CausePriceForeign}, nil
	}
	return outcome{}, nil
}
