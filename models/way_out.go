package models

// WayOut is something that a person can decide about what is not booked by itself. It is also a locale key: way_out.<way>.
type WayOut string

// The ways out.
const (
	WayBook    WayOut = "book"    // grant what was ordered, although something differs
	WayRefund  WayOut = "refund"  // give back what is left of the payment
	WayForeign WayOut = "foreign" // it is not ours: nothing is booked, and later events of it are ignored
	WayShare   WayOut = "share"   // say how much of the payment a dispute takes
	WayClose   WayOut = "close"   // it is dealt with, and nothing is booked for it
)

// WaysOut lists every way out, for the test that wants a text for each.
func WaysOut() []WayOut { return []WayOut{WayBook, WayRefund, WayForeign, WayShare, WayClose} }

var (
	aboutPayment = []WayOut{WayBook, WayRefund, WayForeign} // it is paid, and a purchase that waits
	aboutDispute = []WayOut{WayShare, WayClose}
	aboutEvent   = []WayOut{WayForeign, WayClose}
	nobodyWaits  = []WayOut{} // the event is ignored, and says why
)

// waysOut says what a person can decide about each cause.
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
	CauseRefundCurrency:   {WayClose}, // the payment is ours
	CauseOverpaid:         {WayClose},

	CauseSessionMode:     nobodyWaits,
	CauseSessionUnpaid:   nobodyWaits,
	CauseSessionForeign:  nobodyWaits,
	CauseRefundOfNothing: nobodyWaits,
	CauseCustomerForeign: nobodyWaits,
	CausePriceForeign:    nobodyWaits,
	CauseDecidedForeign:  nobodyWaits,
	CauseAccount:         nobodyWaits,
	CausePaymentForeign:  nobodyWaits,
}

// WaysOut are what a person can decide. An unknown code, such as one of a later release, can be tried again or closed.
func (c Cause) WaysOut() []WayOut {
	code, _ := c.Split()
	if ways, known := waysOut[code]; known {
		return ways
	}
	return aboutEvent
}

// Known reports whether the table says what a person can decide about the cause.
func (c Cause) Known() bool {
	_, known := waysOut[c]
	return known
}

// AboutPayment reports whether a purchase waits with the event, and is where a person decides.
func (c Cause) AboutPayment() bool {
	ways := c.WaysOut()
	return len(ways) > 0 && ways[0] == WayBook
}

// PaymentCauses lists the causes for which a purchase waits.
func PaymentCauses() []Cause {
	var all []Cause
	for _, c := range Causes() {
		if c.AboutPayment() {
			all = append(all, c)
		}
	}
	return all
}
