package webhook

import (
	"fmt"
	"slices"
	"strings"
)

// person is a buyer: a user, or a guest with an address and perhaps a Stripe customer.
type person struct {
	email    string
	customer string // at Stripe; empty for none
	user     bool   // has an account
	known    bool   // the account knows the customer
}

// payment is the facts of one order, independent of the events that report them. Its origin is own, lost (own, but
// Stripe's answer to the order was lost), link (of a payment link), bonus (of a payment link with other credits than
// our price), or foreign (of another product).
type payment struct {
	id     string // suffix of every Stripe id of the payment
	buyer  person
	origin string
	tag    string // of this installation
	tagged bool   // its session and payment carry our tag
	end    string // paid, free, delayed, failed, waiting, expired; revived: paid after it expired and failed

	metaCredits string // metadata.credits

	ordered  int64 // credits of our purchase, or of the line items
	quantity int64
	subtotal int64 // price in cents
	paid     int64 // cents, after promotion codes and in the buyer's currency
	converts bool  // the buyer paid in another currency

	method      string // refund events that Stripe sends: legacy, acacia or both
	keepsFailed bool   // a failed refund stays in the charge's sum
	sum         int64  // amount_refunded of the charge
	refunds     []*reversal
	disputes    []*reversal
}

// reversal is a refund or a dispute with its last status.
type reversal struct {
	id        string
	amount    int64
	status    string
	currency  string // of the amount; empty for the payment's
	converted int64  // amount in the payment's currency, when currency is set
}

// inPayment is the amount in the payment's currency.
func (r *reversal) inPayment() int64 {
	if r.currency != "" {
		return r.converted
	}
	return r.amount
}

func (p *payment) session() string   { return "cs_" + p.id }
func (p *payment) intent() string    { return "pi_" + p.id }
func (p *payment) ours() bool        { return p.origin != "foreign" }
func (p *payment) startedHere() bool { return p.origin == "own" || p.origin == "lost" }
func (p *payment) wasPaid() bool {
	return slices.Contains([]string{"paid", "free", "delayed", "revived"}, p.end)
}

// owed returns the credits that the ledger must hold in the end: granted for the payment, and taken by refunds and
// disputes. It implements the rules independently of the product, and of the order of events.
func (p *payment) owed() (granted, refunded, disputed int64) {
	if !p.ours() || !p.wasPaid() {
		return 0, 0, 0
	}
	granted = p.ordered
	if n := number(p.metaCredits); n > 0 && p.startedHere() {
		granted = n
	}
	var refunds, disputes int64
	for _, r := range p.refunds {
		if r.status != "failed" && r.status != "canceled" {
			refunds += r.amount
		}
	}
	for _, d := range p.disputes {
		if d.status == "needs_response" || d.status == "under_review" || d.status == "lost" {
			disputes += d.inPayment()
		}
	}
	refunded = share(granted, refunds, p.paid)
	return granted, refunded, share(granted, refunds+disputes, p.paid) - refunded
}

// share is granted × back ÷ paid, rounded down once, and at most granted.
func share(granted, back, paid int64) int64 {
	if paid == 0 {
		return 0
	}
	if back >= paid {
		return granted
	}
	return granted * back / paid
}

// number parses metadata.credits; 0 for anything but a plain number.
func number(text string) int64 {
	var n int64
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || fmt.Sprint(n) != text {
		return 0
	}
	return n
}

// status is the status that our purchase must have in the end.
func (p *payment) status() string {
	switch {
	case p.wasPaid():
		return "paid"
	case p.end == "waiting":
		return "awaiting_payment"
	}
	return p.end
}

// String describes the payment in failures.
func (p *payment) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s by %s: %d credits (metadata %q) for %d cents, paid %d",
		p.session(), p.origin, p.end, p.buyer.email, p.ordered, p.metaCredits, p.subtotal, p.paid)
	if len(p.refunds) > 0 {
		fmt.Fprintf(&b, "; %s refund events, failed ones stay in the sum: %t", p.method, p.keepsFailed)
	}
	for _, r := range slices.Concat(p.refunds, p.disputes) {
		fmt.Fprintf(&b, "; %s %d %s", r.id, r.amount, r.status)
	}
	return b.String()
}

// foreign lists the payments of another product.
func (h *history) foreign() []string {
	var all []string
	for _, p := range h.payments {
		if !p.ours() {
			all = append(all, p.intent())
		}
	}
	return all
}
