package stripeapi

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/resume-matcher/credits/models"
)

// Reference is the id of an object, which Stripe sends as an id, as the whole object, or as null.
type Reference string

// UnmarshalJSON accepts all three.
func (r *Reference) UnmarshalJSON(raw []byte) error {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		*r = Reference(id)
		return nil
	}
	var object struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	*r = Reference(object.ID)
	return nil
}

// Object holds the fields that we read of an event's object, whatever its type. Their meaning has not changed since API
// version 2022-11-15. ReduceEvent keeps only these fields, without the details of the customer.
type Object struct {
	ID              string            `json:"id,omitempty"`
	Kind            string            `json:"object,omitempty"` // such as charge or refund
	Mode            string            `json:"mode,omitempty"`
	Status          string            `json:"status,omitempty"`
	PaymentStatus   string            `json:"payment_status,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	PaymentIntent   Reference         `json:"payment_intent,omitempty"`
	Customer        Reference         `json:"customer,omitempty"`
	CustomerDetails struct {
		Email string `json:"email"`
	} `json:"customer_details,omitzero"`
	Charge         Reference `json:"charge,omitempty"`
	Product        Reference `json:"product,omitempty"`
	Currency       string    `json:"currency,omitempty"`
	Amount         int64     `json:"amount,omitempty"`
	AmountRefunded int64     `json:"amount_refunded,omitempty"`
	AmountSubtotal int64     `json:"amount_subtotal,omitempty"`
	AmountTotal    int64     `json:"amount_total,omitempty"`
	FailureReason  string    `json:"failure_reason,omitempty"`
	RecoveredFrom  string    `json:"recovered_from,omitempty"`
	// Money that a dispute withdrew and reinstated.
	BalanceTransactions []struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"balance_transactions,omitempty"`
	EvidenceDetails struct {
		DueBy int64 `json:"due_by,omitempty"` // Unix time
	} `json:"evidence_details,omitzero"`
	// With Adaptive Pricing, the amount in our currency; the buyer paid in their own.
	Conversion *struct {
		SourceCurrency string `json:"source_currency"`
		AmountSubtotal int64  `json:"amount_subtotal"`
	} `json:"currency_conversion,omitempty"`
}

// ParseObject parses an event's object.
// Errors: models.CauseObjectUnreadable; models.CauseObjectNameless without an id.
func ParseObject(raw []byte) (Object, error) {
	var o Object
	if err := json.Unmarshal(raw, &o); err != nil {
		return o, models.CauseObjectUnreadable // the error of json may quote the payload
	}
	if o.ID == "" {
		return o, models.CauseObjectNameless
	}
	return o, nil
}

// event holds the fields that we read of an event, besides its object.
type event[T any] struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Account string `json:"account,omitempty"`
	Data    struct {
		Object T `json:"object"`
	} `json:"data"`
}

// ObjectOf parses the object of an event.
// Errors: models.CauseEventUnreadable when the payload is not an event; models.CauseAccount for an event of an account
// that is connected to ours, whose owner controls the content; those of ParseObject.
// Source: https://docs.stripe.com/connect/webhooks (account)
func ObjectOf(payload []byte) (Object, error) {
	var e event[json.RawMessage]
	if err := json.Unmarshal(payload, &e); err != nil {
		return Object{}, models.CauseEventUnreadable
	}
	if e.Account != "" {
		return Object{}, models.CauseAccount
	}
	return ParseObject(e.Data.Object)
}

// keptMetadata are the keys of an object's metadata that we read.
var keptMetadata = []string{"credits", "purchase_id", TagKey}

// ReduceEvent returns the fields of an event that booking it again reads, and no personal data of the payer. It empties
// a payload that cannot be read.
func ReduceEvent(payload []byte) []byte {
	var e event[Object]
	if json.Unmarshal(payload, &e) != nil {
		return []byte(`{}`)
	}
	o := &e.Data.Object
	o.CustomerDetails.Email = ""
	maps.DeleteFunc(o.Metadata, func(key, _ string) bool { return !slices.Contains(keptMetadata, key) })
	reduced, err := json.Marshal(e)
	if err != nil { // cannot happen: every value was parsed from JSON
		return []byte(`{}`)
	}
	return reduced
}
