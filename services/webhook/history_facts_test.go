package webhook

import (
	"fmt"
	"slices"
	"strings"
)

// person is somebody who pays: a user of ours, or a guest who has an address and perhaps a customer at Stripe.
type person struct {
	email    string
	customer string // at Stripe; empty for one who never had any
	user     bool   // has signed in here before
	known    bool   // and we know the customer
}

// payment is all that truly happened to one order. Nothing here says in which order anybody heard of it.
type payment struct {
	id     string // of the history and in it; every id below ends in it
	buyer  person
	origin string // own; lost: own, but Stripe's answer was; link: paid by a payment link; bonus: by one that gives other credits; foreign: another product's
	tag    string // of this installation
	tagged bool   // its session and payment carry our tag, as those begun here do since there is one
	end    string // paid, free, delayed, failed, waiting, expired; revived: paid, whatever else was said of it
	told   string // metadata.credits

	ordered  int64 // credits of our own row, or of the line items
	quantity int64
	subtotal int64 // cents that we asked for
	paid     int64 // of what the payment took, after promotion codes and in the buyer's currency
	converts bool  // the buyer paid in another currency

	method   string // which refund events Stripe sends: legacy, acacia or both
	stays    bool   // whether a failed refund stays in the charge's sum
	sum      int64  // amount_refunded, as the charge has it
	refunds  []*returned
	disputes []*returned
}

// returned is money that went back, or was to: a refund or a dispute, with its last status.
type returned struct {
	id       string
	amount   int64
	status   string
	currency string // of the amount, where it is not the payment's
	taken    int64  // what that is in the payment's currency
}

// takes is how much it is of the payment.
func (r *returned) takes() int64 {
	if r.currency != "" {
		return r.taken
	}
	return r.amount
}

func (p *payment) session() string { return "cs_" + p.id }
func (p *payment) intent() string  { return "pi_" + p.id }
func (p *payment) ours() bool      { return p.origin != "foreign" }
func (p *payment) begun() bool     { return p.origin == "own" || p.origin == "lost" }
func (p *payment) wasPaid() bool {
	return slices.Contains([]string{"paid", "free", "delayed", "revived"}, p.end)
}

// owed is what is to be in the ledger in the end: what was granted of the payment, and what of it refunds and disputes
// took back. It is written from the rules of the product, shares no line with it, and knows nothing of order.
func (p *payment) owed() (granted, refunded, disputed int64) {
	if !p.ours() || !p.wasPaid() {
		return 0, 0, 0
	}
	granted = p.ordered
	if n := number(p.told); n > 0 && p.begun() {
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
			disputes += d.takes()
		}
	}
	refunded = share(granted, refunds, p.paid)
	return granted, refunded, share(granted, refunds+disputes, p.paid) - refunded
}

// share is granted × back ÷ paid, rounded down once; never more than all of it.
func share(granted, back, paid int64) int64 {
	if paid == 0 {
		return 0
	}
	if back >= paid {
		return granted
	}
	return granted * back / paid
}

// number reads the credits that the tests write; 0 for anything else.
func number(text string) int64 {
	var n int64
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || fmt.Sprint(n) != text {
		return 0
	}
	return n
}

// status is how far our own row of the order must have come.
func (p *payment) status() string {
	switch {
	case p.wasPaid():
		return "paid"
	case p.end == "waiting":
		return "awaiting_payment"
	}
	return p.end
}

// String tells the payment to whoever reads of a failure.
func (p *payment) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s by %s: %d credits (told %q) for %d, paid %d", p.session(), p.origin, p.end, p.buyer.email, p.ordered, p.told, p.subtotal, p.paid)
	if len(p.refunds) > 0 {
		fmt.Fprintf(&b, "; %s refund events, failed ones stay in the sum: %t", p.method, p.stays)
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
