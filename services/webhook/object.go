package webhook

import (
	"encoding/json"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// reference is the id of an object, which Stripe sends as an id, as the whole object, or as null.
type reference string

// UnmarshalJSON accepts all three.
func (r *reference) UnmarshalJSON(raw []byte) error {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		*r = reference(id)
		return nil
	}
	var object struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	*r = reference(object.ID)
	return nil
}

// object holds the fields that we read of an event's object, whatever its type. Their meaning has not changed since
// API version 2022-11-15. account.reducePayload keeps the same fields.
type object struct {
	ID              string            `json:"id"`
	Object          string            `json:"object"`
	Mode            string            `json:"mode"`
	Status          string            `json:"status"`
	PaymentStatus   string            `json:"payment_status"`
	Metadata        map[string]string `json:"metadata"`
	PaymentIntent   reference         `json:"payment_intent"`
	Customer        reference         `json:"customer"`
	CustomerDetails struct {
		Email string `json:"email"`
	} `json:"customer_details"`
	Charge         reference `json:"charge"`
	Product        reference `json:"product"`
	Currency       string    `json:"currency"`
	Amount         int64     `json:"amount"`
	AmountRefunded int64     `json:"amount_refunded"`
	AmountSubtotal int64     `json:"amount_subtotal"`
	AmountTotal    int64     `json:"amount_total"`
	FailureReason  string    `json:"failure_reason"`
	RecoveredFrom  string    `json:"recovered_from"`
	// Money that a dispute withdrew and reinstated.
	BalanceTransactions []struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"balance_transactions"`
	// With Adaptive Pricing, the amount in our currency; the buyer paid in their own.
	Conversion *struct {
		SourceCurrency string `json:"source_currency"`
		AmountSubtotal int64  `json:"amount_subtotal"`
	} `json:"currency_conversion"`

	EventCreated int64 `json:"-"` // Unix time of the event, in seconds
}

// Errors of an incomplete payload.
var (
	errNoObject = error(models.CauseEventUnreadable)
	errNoID     = error(models.CauseObjectNameless)
)

// errAccount reports an event of an account that is connected to ours, whose owner controls the content.
// Source: https://docs.stripe.com/connect/webhooks (account)
var errAccount = error(models.CauseAccount)

// objectOf parses the object of an event's payload.
// Errors: errNoObject when the payload is no event; errAccount; errNoID; models.CauseObjectUnreadable.
func objectOf(payload []byte) (object, error) {
	var envelope struct {
		Account string `json:"account"`
		Data    struct {
			Object json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if err := json.Unmarshal(payload, &envelope); err != nil {
		return object{}, errNoObject
	}
	if envelope.Account != "" {
		return object{}, errAccount
	}
	return parseObject(envelope.Data.Object)
}

func parseObject(raw []byte) (object, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return o, models.CauseObjectUnreadable // the error of json may quote the payload
	}
	if o.ID == "" {
		return o, errNoID
	}
	return o, nil
}

// paymentRef identifies the payment of an object: the payment intent, else the charge, else the object itself.
func (o object) paymentRef() string {
	switch {
	case o.PaymentIntent != "":
		return string(o.PaymentIntent)
	case o.Charge != "":
		return string(o.Charge)
	default:
		return o.ID
	}
}

func (o object) checkout() purchase.Checkout {
	c := purchase.Checkout{
		ID: o.ID, Tag: o.Metadata[stripeapi.TagKey], PurchaseID: o.Metadata["purchase_id"], Credits: o.Metadata["credits"],
		Customer: string(o.Customer), Email: o.CustomerDetails.Email,
		PaymentStatus: o.PaymentStatus, PaymentIntent: string(o.PaymentIntent),
		Currency: o.Currency, Subtotal: o.AmountSubtotal, Paid: o.AmountTotal, PaidCurrency: o.Currency,
		RecoveredFrom: o.RecoveredFrom,
	}
	if o.Conversion != nil {
		c.Currency, c.Subtotal = o.Conversion.SourceCurrency, o.Conversion.AmountSubtotal
	}
	return c
}

// checkoutReport returns the session of a one-time payment, nil for a subscription or set-up.
func (o object) checkoutReport() purchase.Report {
	if o.Mode != "" && o.Mode != "payment" {
		return nil
	}
	return o.checkout()
}

// product returns the id of the object's product: of a price its product, otherwise the object itself.
func (o object) product() string {
	if o.Object == "price" {
		return string(o.Product)
	}
	return o.ID
}

func (o object) chargeReport() purchase.Report {
	return purchase.Charge{
		ID: o.ID, PaymentRef: o.paymentRef(), Currency: o.Currency, Amount: o.Amount, AmountRefunded: o.AmountRefunded,
	}
}

func (o object) disputeReport() purchase.Report {
	d := purchase.Dispute{
		ID: o.ID, ChargeID: string(o.Charge), PaymentRef: string(o.PaymentIntent), Currency: o.Currency, Status: o.Status,
		Amount: o.Amount, ReportedAt: o.EventCreated,
	}
	for _, movement := range o.BalanceTransactions {
		d.AddMovement(movement.Amount, movement.Currency)
	}
	return d
}

func (o object) refundReport() purchase.Report {
	return purchase.Refund{
		ID: o.ID, ChargeID: string(o.Charge), PaymentRef: string(o.PaymentIntent), Currency: o.Currency,
		Status: o.Status, FailureReason: o.FailureReason, Amount: o.Amount,
	}
}
