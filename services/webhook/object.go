package webhook

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// reference is an object's id, whether Stripe sent the id alone, the whole object, or null.
type reference string

// UnmarshalJSON takes all three.
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

// object is the few fields that we read of any object in an event. They have meant the same in every API version
// since 2022-11-15; all others are left alone.
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
	// What the bank took for a dispute, and what it gave back.
	BalanceTransactions []struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"balance_transactions"`
	// Adaptive Pricing: the buyer paid in their own currency, and this is what we asked for.
	Conversion *struct {
		SourceCurrency string `json:"source_currency"`
		AmountSubtotal int64  `json:"amount_subtotal"`
	} `json:"currency_conversion"`

	Told int64 `json:"-"` // when the event was made, in seconds since 1970
}

// What an event's payload may lack.
var (
	errNoObject = error(models.CauseEventUnreadable)
	errNoID     = error(models.CauseObjectNameless)
)

// errAccount says that an event is about an account that is connected to ours. Its owner writes what is in it.
// Source: https://docs.stripe.com/connect/webhooks (account)
var errAccount = error(models.CauseAccount)

// objectOf reads the object of an event as it was sent.
// Errors: errNoObject where it is no event; errAccount; otherwise the object is not one that we can read.
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
		return o, models.CauseObjectUnreadable // json's own text may quote it
	}
	if o.ID == "" {
		return o, errNoID
	}
	return o, nil
}

// paymentRef names the payment that an object is about: the payment intent, else the charge, else the session.
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
		Customer: string(o.Customer), Email: o.CustomerDetails.Email, PaymentStatus: o.PaymentStatus, PaymentIntent: string(o.PaymentIntent),
		Currency: o.Currency, Subtotal: o.AmountSubtotal, Paid: o.AmountTotal, PaidCurrency: o.Currency,
		RecoveredFrom: o.RecoveredFrom,
	}
	if o.Conversion != nil {
		c.Currency, c.Subtotal = o.Conversion.SourceCurrency, o.Conversion.AmountSubtotal
	}
	return c
}

// checkoutReport is the session of a one-time payment; nil for a subscription's or a set-up's.
func (o object) checkoutReport() purchase.Report {
	if o.Mode != "" && o.Mode != "payment" {
		return nil
	}
	return o.checkout()
}

// product is the product that the object is, or that the price belongs to.
func (o object) product() string {
	if o.Object == "price" {
		return string(o.Product)
	}
	return o.ID
}

func (o object) chargeReport() purchase.Report {
	return purchase.Charge{ID: o.ID, PaymentRef: o.paymentRef(), Currency: o.Currency, Amount: o.Amount, AmountRefunded: o.AmountRefunded}
}

func (o object) disputeReport() purchase.Report {
	d := purchase.Dispute{ID: o.ID, ChargeID: string(o.Charge), PaymentRef: string(o.PaymentIntent), Currency: o.Currency, Status: o.Status,
		Amount: o.Amount, ReportedAt: o.Told}
	for _, moved := range o.BalanceTransactions {
		d.AddMovement(moved.Amount, moved.Currency)
	}
	return d
}

func (o object) refundReport() purchase.Report {
	return purchase.Refund{ID: o.ID, ChargeID: string(o.Charge), PaymentRef: string(o.PaymentIntent), Currency: o.Currency,
		Status: o.Status, FailureReason: o.FailureReason, Amount: o.Amount}
}

// signedAt reads the time out of a Stripe-Signature header ("t=1700000000,v1=…"). A header with two times is refused:
// stripe-go signs the last, and a fresh one in front would make an old signature look new.
func signedAt(header string) (time.Time, bool) {
	var signed time.Time
	times := 0
	for _, part := range strings.Split(header, ",") {
		if seconds, ok := strings.CutPrefix(strings.TrimSpace(part), "t="); ok {
			n, err := strconv.ParseInt(seconds, 10, 64)
			if err != nil {
				return time.Time{}, false
			}
			signed = time.Unix(n, 0)
			times++
		}
	}
	return signed, times == 1
}
