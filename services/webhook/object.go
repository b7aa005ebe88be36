package webhook

import (
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// object is the object of an event.
type object struct {
	stripeapi.Object
	EventCreated int64 // Unix time of the event, in seconds
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
	if o.Kind == "price" {
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
		Amount: o.Amount, ReportedAt: o.EventCreated, DueBy: o.EvidenceDetails.DueBy,
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
