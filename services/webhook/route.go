package webhook

import (
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

// route books an event by its type. Facts that it brings are kept even when it must wait for its purchase.
//
// Errors: what kept it from being booked, a panic among it: that must not keep the event from being stored.
func (s *Service) route(tx models.Tx, event models.StripeEvent, told purchase.Told) (_ outcome, err error) {
	defer s.caught(tx, event.EventID, &err)
	o, err := objectOf(event.Payload)
	if errors.Is(err, errAccount) { // whatever else it says
		return outcome{status: models.EventIgnored, note: models.CauseAccount}, nil
	}
	if event.Livemode != s.Livemode {
		return outcome{status: models.EventReview, note: models.CauseMode}, nil
	}
	book := s.bookings()[event.Type]
	switch {
	case book == nil:
		return outcome{status: models.EventIgnored}, nil
	case errors.Is(err, errNoObject):
		return outcome{}, err
	case err != nil:
		return outcome{status: models.EventReview, note: models.CauseOf(err)}, nil
	}
	o.Told = event.CreatedAtStripe
	result, err := book(tx, event.EventID, o, told)
	result.paymentRef = o.paymentRef()
	result, err = conclude(result, err)
	if err != nil || result.status != models.EventDeferred && result.status != models.EventReview {
		return result, err
	}
	foreign, err := decidedForeign(tx, o)
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

// booking does what one kind of event says.
type booking func(tx models.Tx, eventID string, o object, told purchase.Told) (outcome, error)

// bookings is the table from Stripe's events to what they do. Whatever is not here is stored and ignored, among them
// payment_intent.succeeded and charge.succeeded: they tell the same fact as the session.
func (s *Service) bookings() map[string]booking {
	return map[string]booking{
		"checkout.session.completed":               s.bookCheckout,
		"checkout.session.async_payment_succeeded": s.bookCheckout,
		"checkout.session.async_payment_failed":    s.bookEnd(purchase.RecordFailure),
		"checkout.session.expired":                 s.bookEnd(purchase.RecordExpiry),
		"charge.refunded":                          s.bookCharge,
		"charge.refund.updated":                    s.bookRefund,
		"refund.created":                           s.bookRefund,
		"refund.updated":                           s.bookRefund,
		"refund.failed":                            s.bookRefund,
		"charge.dispute.created":                   s.bookDispute,
		"charge.dispute.updated":                   s.bookDispute,
		"charge.dispute.closed":                    s.bookDispute,
		"charge.dispute.funds_withdrawn":           s.bookDispute,
		"charge.dispute.funds_reinstated":          s.bookReinstated,
		"customer.deleted":                         s.bookDeletion,
		"price.created":                            s.bookPrices,
		"price.updated":                            s.bookPrices,
		"price.deleted":                            s.bookPrices,
		"product.created":                          s.bookPrices,
		"product.updated":                          s.bookPrices,
		"product.deleted":                          s.bookPrices,
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

func (s *Service) bookCheckout(tx models.Tx, eventID string, o object, told purchase.Told) (outcome, error) {
	if o.Mode != "" && o.Mode != "payment" {
		return outcome{status: models.EventIgnored, note: models.CauseSessionMode.Of(o.Mode)}, nil
	}
	rows, err := s.Purchase.BookCheckout(tx, o.checkout(), told, eventID)
	if unpaidOther(o, err) {
		return outcome{status: models.EventIgnored, note: models.CauseSessionOther}, nil
	}
	if errors.Is(err, purchase.ErrNotOurs) && o.PaymentStatus == "unpaid" {
		return outcome{status: models.EventIgnored, note: models.CauseSessionUnpaid}, nil
	}
	return foreign(rows, err)
}

// bookEnd books a session that came to nothing.
func (s *Service) bookEnd(record func(models.Tx, purchase.Checkout) (*models.Purchase, error)) booking {
	return func(tx models.Tx, _ string, o object, _ purchase.Told) (outcome, error) {
		_, err := record(tx, o.checkout())
		if unpaidOther(o, err) {
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

func (s *Service) bookCharge(tx models.Tx, eventID string, o object, told purchase.Told) (outcome, error) {
	rows, err := s.Purchase.BookCharge(tx, o.charge(), told, eventID)
	return outcome{rows: rows}, err
}

func (s *Service) bookRefund(tx models.Tx, eventID string, o object, told purchase.Told) (outcome, error) {
	if o.PaymentIntent == "" && o.Charge == "" {
		return outcome{status: models.EventIgnored, note: models.CauseRefundOfNothing}, nil
	}
	rows, err := s.Purchase.BookRefund(tx, o.refund(), told, eventID)
	return outcome{rows: rows}, err
}

func (s *Service) bookDispute(tx models.Tx, eventID string, o object, told purchase.Told) (outcome, error) {
	rows, err := s.Purchase.BookDispute(tx, o.dispute(), told, eventID)
	return outcome{rows: rows}, err
}

// bookReinstated books money that the bank gave back. After a won dispute that is what winning means; after a lost one
// it may be a refund that was counted twice, which a person must see.
func (s *Service) bookReinstated(tx models.Tx, eventID string, o object, told purchase.Told) (outcome, error) {
	result, err := s.bookDispute(tx, eventID, o, told)
	if err != nil || o.Status != "lost" {
		return result, err
	}
	decided, err := purchase.HasDisputeShare(tx, o.ID)
	if err == nil && !decided {
		result.status, result.note = models.EventReview, models.CauseReinstated
	}
	return result, err
}

func (s *Service) bookDeletion(tx models.Tx, _ string, o object, _ purchase.Told) (outcome, error) {
	err := purchase.ForgetCustomer(tx, o.ID)
	if errors.Is(err, purchase.ErrNotOurs) {
		return outcome{status: models.EventIgnored, note: models.CauseCustomerForeign}, nil
	}
	return outcome{}, err
}

// errPullPrices says that booking an event needs all of Stripe's prices, which must be read where no lock is held.
var errPullPrices = errors.New("prices must be read from Stripe")

// bookPrices answers an event about our product or one of its prices by having all prices read: the event itself may be
// older than what we have.
func (s *Service) bookPrices(_ models.Tx, _ string, o object, _ purchase.Told) (outcome, error) {
	product := o.ID
	if o.Object == "price" {
		product = string(o.Product)
	}
	if product != catalog.ProductID {
		return outcome{status: models.EventIgnored, note: models.CausePriceForeign}, nil
	}
	return outcome{}, errPullPrices
}
