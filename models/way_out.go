package models

// WayOut is a decision that an admin can take on an item that needs a person. Its text is way_out.<way>.
type WayOut string

// The ways out.
const (
	WayBook    WayOut = "book"    // grant the order despite the difference
	WayRefund  WayOut = "refund"  // refund the rest of the payment
	WayForeign WayOut = "foreign" // not this product's payment: book nothing and ignore its later events
	WayShare   WayOut = "share"   // set how much of the payment a dispute takes
	WayClose   WayOut = "close"   // done; nothing is booked
)

// WaysOut lists every decision. A test checks that each has a text.
func WaysOut() []WayOut { return []WayOut{WayBook, WayRefund, WayForeign, WayShare, WayClose} }

var (
	aboutPayment = []WayOut{WayBook, WayRefund, WayForeign} // a paid purchase is in review
	aboutDispute = []WayOut{WayShare, WayClose}
	aboutEvent   = []WayOut{WayForeign, WayClose}
	ignored      = []WayOut{} // the event is ignored; the cause says why
)

// waysOut lists the decisions for each cause.
var waysOut = map[Cause][]WayOut{
	CauseSessionOther:     aboutPayment,
	CauseSessionUnknown:   aboutPayment,
	CauseSessionNoBuyer:   aboutPayment,
	CauseSessionMixed:     aboutPayment,
	CauseSessionCredits:   aboutPayment,
	CauseAmount:           aboutPayment,
	CausePaidTwice:        aboutPayment,
	CauseSessionMoney:     aboutPayment,
	CauseWaits:            aboutEvent,
	CauseMode:             aboutEvent,
	CauseEventUnreadable:  aboutEvent,
	CauseObjectUnreadable: aboutEvent,
	CauseObjectNameless:   aboutEvent,
	CausePanic:            aboutEvent,
	CausePaymentStatus:    aboutEvent,
	CauseRefundStatus:     aboutEvent,
	CauseDisputeStatus:    aboutEvent,
	CauseImpossible:       aboutEvent,
	CauseContradicts:      aboutEvent,
	CauseAway:             aboutEvent,
	CauseFailed:           aboutEvent,
	CauseDisputeCurrency:  aboutDispute,
	CauseReinstated:       aboutDispute,
	CauseBookedFailed:     {WayRefund, WayClose},
	CauseDeleted:          {WayRefund, WayClose},
	CauseLedger:           {WayClose},
	CauseRefundCurrency:   {WayClose}, // the payment belongs to a purchase
	CauseOverpaid:         {WayClose},

	CauseSessionMode:     ignored,
	CauseSessionUnpaid:   ignored,
	CauseSessionForeign:  ignored,
	CauseRefundOfNothing: ignored,
	CauseCustomerForeign: ignored,
	CausePriceForeign:    ignored,
	CauseDecidedForeign:  ignored,
	CauseAccount:         ignored,
	CausePaymentForeign:  ignored,
}

// WaysOut returns the decisions for a cause. An unknown code, such as one of a later release, gets those of an event.
func (c Cause) WaysOut() []WayOut {
	code, _ := c.Split()
	if ways, known := waysOut[code]; known {
		return ways
	}
	return aboutEvent
}

// Known reports whether the table lists decisions for the cause.
func (c Cause) Known() bool {
	_, known := waysOut[c]
	return known
}

// AboutPayment reports whether a purchase is in review for this cause, on whose page the admin decides.
func (c Cause) AboutPayment() bool {
	ways := c.WaysOut()
	return len(ways) > 0 && ways[0] == WayBook
}

// PaymentCauses lists the causes for which a purchase is in review.
func PaymentCauses() []Cause {
	var all []Cause
	for _, c := range Causes() {
		if c.AboutPayment() {
			all = append(all, c)
		}
	}
	return all
}
