package models

// DecisionKind is a decision that an admin can take on an item that needs a person. Its text is decision_kind.<kind>.
type DecisionKind string

// The decisions.
const (
	DecisionBook    DecisionKind = "book"    // grant the order despite the difference
	DecisionRefund  DecisionKind = "refund"  // refund the rest of the payment
	DecisionForeign DecisionKind = "foreign" // not this product's payment: book nothing and ignore its later events
	DecisionShare   DecisionKind = "share"   // set how much of the payment a dispute takes
	DecisionClose   DecisionKind = "close"   // done; nothing is booked
)

// DecisionKinds lists every decision. A test checks that each has a text.
func DecisionKinds() []DecisionKind {
	return []DecisionKind{DecisionBook, DecisionRefund, DecisionForeign, DecisionShare, DecisionClose}
}

var (
	aboutPayment = []DecisionKind{DecisionBook, DecisionRefund, DecisionForeign} // a paid purchase is in review
	aboutDispute = []DecisionKind{DecisionShare, DecisionClose}
	aboutEvent   = []DecisionKind{DecisionForeign, DecisionClose}
	ignored      = []DecisionKind{} // the event is ignored; the cause says why
)

// decisions lists every cause with its decisions.
var decisions = map[Cause][]DecisionKind{
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
	CauseRefused:          aboutEvent,
	CauseStripe:           aboutEvent,
	CauseNoAnswer:         aboutEvent,
	CauseKeySpent:         aboutEvent,
	CauseDatabase:         aboutEvent,
	CauseInterrupted:      aboutEvent,
	CauseUnknown:          aboutEvent,
	CauseDisputeCurrency:  aboutDispute,
	CauseReinstated:       aboutDispute,
	CauseBookedFailed:     {DecisionRefund, DecisionClose},
	CauseDeleted:          {DecisionRefund, DecisionClose},
	CauseLedger:           {DecisionClose},
	CauseRefundCurrency:   {DecisionClose}, // the payment belongs to a purchase
	CauseOverpaid:         {DecisionClose},
	CauseResumesDue:       {DecisionClose},
	CauseResumesAway:      {DecisionClose},
	CauseResumesInUse:     {DecisionClose},
	CauseRefundFailed:     {DecisionClose},
	CauseResumesKept:      {DecisionClose},
	CauseMailUnset:        {DecisionClose},
	CauseMailAway:         {DecisionClose},
	CauseMailRefused:      {DecisionClose},
	CauseMailAddress:      {DecisionClose},
	CauseMailLimit:        {DecisionClose},
	CauseMailWrite:        {DecisionClose},

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

// Decisions returns the decisions for a cause. An unknown code, such as one of a later release, gets those of an event.
func (c Cause) Decisions() []DecisionKind {
	code, _ := c.Split()
	if kinds, known := decisions[code]; known {
		return kinds
	}
	return aboutEvent
}

// AboutPayment reports whether a purchase is in review for this cause, on whose page the admin decides.
func (c Cause) AboutPayment() bool {
	kinds := c.Decisions()
	return len(kinds) > 0 && kinds[0] == DecisionBook
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
