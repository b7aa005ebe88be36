package webhook

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// outcome is the result of booking an event.
type outcome struct {
	status     models.StripeEventStatus
	note       models.Cause // the reason, for admins; no names, no payload
	paymentRef string
	unblocks   bool // other events may wait for this one
	rows       []models.CreditTransaction
}

// plan is how to handle an event, by its type and content: a booking, or an outcome without one.
type plan struct {
	booking
	object  object
	report  purchase.Report // what to book; nil when the booking never needs facts from Stripe
	outcome outcome         // final if its status is set
}

// planOf parses an event into a plan, without reading the database.
// Errors: models.CauseEventUnreadable for an event that cannot be parsed at all.
func (s *Service) planOf(event models.StripeEvent) (plan, error) {
	o, err := stripeapi.ObjectOf(event.Payload)
	if errors.Is(err, models.CauseAccount) {
		return plan{outcome: outcome{status: models.EventIgnored, note: models.CauseAccount}}, nil
	}
	if event.Livemode != s.Livemode {
		return plan{outcome: outcome{status: models.EventReview, note: models.CauseMode}}, nil
	}
	p := plan{object: object{o, event.CreatedAtStripe}}
	var known bool
	p.booking, known = s.bookings()[event.Type]
	switch {
	case !known:
		return plan{outcome: outcome{status: models.EventIgnored}}, nil
	case errors.Is(err, models.CauseEventUnreadable):
		return plan{}, err
	case err != nil:
		return plan{outcome: outcome{status: models.EventReview, note: models.CauseOf(err)}}, nil
	}
	if p.reportOf != nil {
		p.report = p.reportOf(p.object)
	}
	return p, nil
}

// needsStripe reports whether facts must be fetched from Stripe before the event can be booked.
func (s *Service) needsStripe(ctx context.Context, p plan) (bool, error) {
	switch {
	case p.pullsPrices():
		return true, nil
	case p.report == nil:
		return false, nil
	}
	return s.Purchase.NeedsStripe(ctx, p.report)
}

// pullsPrices reports whether the event is about one of our products or prices. If so, all prices are pulled,
// because the event itself may be older than our rows.
func (p plan) pullsPrices() bool {
	return p.prices && catalog.Own(p.object.product())
}

// route books an event by its plan. The facts of a deferred event are stored, too.
//
// Errors: any error rolls the booking back. It includes a panic, which must not keep the event from being stored.
func (s *Service) route(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (_ outcome, err error) {
	defer s.recoverPanic(tx.Statement.Context, eventID, &err)
	if p.outcome.status != "" {
		return p.outcome, nil
	}
	result, err := p.book(tx, eventID, p, facts)
	result.paymentRef = p.object.paymentRef()
	result, err = outcomeOf(result, err)
	if err != nil || result.status != models.EventDeferred && result.status != models.EventReview {
		return result, err
	}
	foreign, err := decidedForeign(tx, p.object)
	if foreign {
		result.status, result.note = models.EventIgnored, models.CauseDecidedForeign
	}
	return result, err
}

// recoverPanic turns a panic into an error. It logs only the type, because the text may quote the event.
func (s *Service) recoverPanic(ctx context.Context, eventID string, err *error) {
	if r := recover(); r != nil {
		s.Log.ErrorContext(ctx, "book event panicked", "event_id", eventID, "type", fmt.Sprintf("%T", r),
			"stack", string(debug.Stack()))
		*err = models.CausePanic
	}
}

// bookFunc books the object of an event.
type bookFunc func(tx models.Tx, eventID string, p plan, facts purchase.StripeFacts) (outcome, error)

// booking is how events of one type are booked.
type booking struct {
	reportOf func(object) purchase.Report // nil when booking never needs facts from Stripe
	prices   bool                         // the event may change our prices
	book     bookFunc
}

// bookings maps event types to their booking. Other types are stored and ignored, such as payment_intent.succeeded
// and charge.succeeded, which report the same fact as the Checkout Session.
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

// outcomeOf turns errors that are not failures into outcomes, so that the transaction commits the facts it stored.
func outcomeOf(result outcome, err error) (outcome, error) {
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
	return ignoreForeign(rows, err)
}

// bookEnd books a Checkout Session that failed or expired.
func bookEnd(record func(models.Tx, purchase.Checkout) (*models.Purchase, error)) bookFunc {
	return func(tx models.Tx, _ string, p plan, _ purchase.StripeFacts) (outcome, error) {
		_, err := record(tx, p.object.checkout())
		if unpaidOther(p.object, err) {
			return outcome{status: models.EventIgnored, note: models.CauseSessionOther}, nil
		}
		return ignoreForeign(nil, err)
	}
}

// unpaidOther reports whether a session is unpaid and names a purchase that has another session. It can be ignored,
// because there is nothing to book.
func unpaidOther(o object, err error) bool {
	var review purchase.ReviewError
	return o.PaymentStatus == "unpaid" && errors.As(err, &review) && models.Cause(review) == models.CauseSessionOther
}

// ignoreForeign ignores a session of another product on the same Stripe account, or of a payment link without
// payment.
func ignoreForeign(rows []models.CreditTransaction, err error) (outcome, error) {
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

// bookReinstated books a dispute whose funds were reinstated. If the dispute is lost, a person must review it: the
// reinstated money may be a refund that was counted twice.
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

// bookPrices books nothing: Service.book pulls the prices before the transaction.
func bookPrices(_ models.Tx, _ string, p plan, _ purchase.StripeFacts) (outcome, error) {
	if !p.pullsPrices() {
		return outcome{status: models.EventIgnored, note: models.CausePriceForeign}, nil
	}
	return outcome{}, nil
}
