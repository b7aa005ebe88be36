package webhook

import (
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// outcome is what an event came to.
type outcome struct {
	status     models.StripeEventStatus
	note       string // why, for a person; no names, no payload
	paymentRef string
	rows       []models.CreditTransaction
}

// route books an event by its type. Facts that it brings are kept even when it must wait for its purchase.
func (s *Service) route(tx *gorm.DB, event *models.StripeEvent, sold *models.Credits) (outcome, error) {
	if event.Livemode != s.Livemode {
		return outcome{status: models.EventReview, note: "the event's mode (test or live) is not our key's"}, nil
	}
	var envelope struct {
		Data struct {
			Object json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(event.Payload, &envelope); err != nil {
		return outcome{}, errors.New("the stored event cannot be read")
	}
	book := s.bookings()[event.Type]
	if book == nil {
		return outcome{status: models.EventIgnored}, nil
	}
	o, err := parseObject(envelope.Data.Object)
	if err != nil {
		return outcome{status: models.EventReview, note: err.Error()}, nil
	}
	o.sold = sold
	result, err := book(tx, event.EventID, o)
	result.paymentRef = o.paymentRef()
	return conclude(result, err)
}

// bookings is the table from Stripe's events to what they do. Whatever is not here is stored and ignored, among them
// payment_intent.succeeded and charge.succeeded: they tell the same fact as the session.
func (s *Service) bookings() map[string]func(*gorm.DB, string, object) (outcome, error) {
	return map[string]func(*gorm.DB, string, object) (outcome, error){
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
	}
}

// conclude turns the answers that are no failures into outcomes: the transaction commits, with the facts it recorded.
func conclude(result outcome, err error) (outcome, error) {
	var review purchase.ReviewError
	switch {
	case errors.As(err, &review):
		result.status, result.note = models.EventReview, review.Error()
	case errors.Is(err, purchase.ErrNotOurs):
		result.status, result.note = models.EventDeferred, "waits for the purchase that it belongs to"
	case err != nil:
		return result, err
	case result.status == "":
		result.status = models.EventDone
	}
	return result, nil
}

func (s *Service) bookCheckout(tx *gorm.DB, eventID string, o object) (outcome, error) {
	if o.Mode != "" && o.Mode != "payment" {
		return outcome{status: models.EventIgnored, note: "a session of mode " + o.Mode}, nil
	}
	p, err := purchase.RecordCheckout(tx, o.checkout(), s.Now())
	if errors.Is(err, purchase.ErrNotOurs) {
		if o.PaymentStatus == "unpaid" {
			return outcome{status: models.EventIgnored, note: "not begun here and not paid yet; the event that says paid brings all that is needed"}, nil
		}
		p, err = s.adopt(tx, o)
	}
	if err != nil {
		return foreign(o, err)
	}
	return s.settle(tx, p, eventID)
}

// soldError asks for what a session's line items come to.
type soldError struct{ sessionID string }

// Error says what is wanted.
func (e *soldError) Error() string { return "what session " + e.sessionID + " sold must be asked for" }

// adopt takes over a paid session that was not begun here, if it sold credits.
func (s *Service) adopt(tx *gorm.DB, o object) (*models.Purchase, error) {
	var sold models.Credits
	if o.sold != nil {
		sold = *o.sold
	}
	p, err := purchase.Adopt(tx, o.checkout(), sold, s.Livemode, s.Now())
	if !errors.Is(err, purchase.ErrCreditsUnknown) {
		return p, err
	}
	if o.sold == nil {
		return nil, &soldError{sessionID: o.ID}
	}
	return nil, purchase.ErrNotOurs
}

// bookEnd books a session that came to nothing.
func (s *Service) bookEnd(record func(*gorm.DB, purchase.Checkout) (*models.Purchase, error)) func(*gorm.DB, string, object) (outcome, error) {
	return func(tx *gorm.DB, _ string, o object) (outcome, error) {
		_, err := record(tx, o.checkout())
		return foreign(o, err)
	}
}

// foreign tells a session of another product on the same Stripe account from one of ours that we do not know.
func foreign(o object, err error) (outcome, error) {
	switch {
	case !errors.Is(err, purchase.ErrNotOurs):
		return outcome{}, err
	case o.Metadata["credits"] == "" && o.Metadata["purchase_id"] == "":
		return outcome{status: models.EventIgnored, note: "another product's session"}, nil
	default:
		return outcome{}, purchase.ReviewError("no purchase of ours has this session")
	}
}

func (s *Service) bookCharge(tx *gorm.DB, eventID string, o object) (outcome, error) {
	c := o.charge()
	if err := purchase.LockPayment(tx, c.PaymentRef); err != nil {
		return outcome{}, err
	}
	if err := purchase.RecordCharge(tx, c); err != nil {
		return outcome{}, err
	}
	return s.settlePayment(tx, eventID, c.PaymentRef)
}

func (s *Service) bookRefund(tx *gorm.DB, eventID string, o object) (outcome, error) {
	if o.PaymentIntent == "" && o.Charge == "" {
		return outcome{status: models.EventIgnored, note: "a refund of no payment"}, nil
	}
	r := o.refund()
	if err := purchase.LockPayment(tx, r.PaymentRef); err != nil {
		return outcome{}, err
	}
	if err := purchase.RecordRefund(tx, r); err != nil {
		return outcome{}, err
	}
	return s.settlePayment(tx, eventID, r.PaymentRef)
}

func (s *Service) bookDispute(tx *gorm.DB, eventID string, o object) (outcome, error) {
	d := o.dispute()
	if err := purchase.LockPayment(tx, d.PaymentRef); err != nil {
		return outcome{}, err
	}
	if err := purchase.RecordDispute(tx, d); err != nil {
		return outcome{}, err
	}
	return s.settlePayment(tx, eventID, d.PaymentRef)
}

// bookReinstated books money that the bank gave back. After a won dispute that is what winning means; after a lost one
// it may be a refund that was counted twice, which a person must see.
func (s *Service) bookReinstated(tx *gorm.DB, eventID string, o object) (outcome, error) {
	result, err := s.bookDispute(tx, eventID, o)
	if err == nil && o.Status == "lost" {
		result.status, result.note = models.EventReview, "money of a lost dispute came back"
	}
	return result, err
}

func (s *Service) bookDeletion(tx *gorm.DB, _ string, o object) (outcome, error) {
	err := purchase.ForgetCustomer(tx, o.ID)
	if errors.Is(err, purchase.ErrNotOurs) {
		return outcome{status: models.EventIgnored, note: "a customer of another product"}, nil
	}
	return outcome{}, err
}

func (s *Service) settlePayment(tx *gorm.DB, eventID, paymentRef string) (outcome, error) {
	p, err := purchase.LockByPayment(tx, paymentRef)
	if err != nil {
		return outcome{}, err
	}
	return s.settle(tx, p, eventID)
}

func (s *Service) settle(tx *gorm.DB, p *models.Purchase, eventID string) (outcome, error) {
	rows, err := purchase.Settle(tx, p, eventID)
	if err != nil {
		return outcome{}, fmt.Errorf("settle purchase %s: %w", p.ID, err)
	}
	return outcome{rows: rows}, nil
}
