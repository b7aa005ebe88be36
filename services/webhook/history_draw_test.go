package webhook

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// history is the payments of several people, and the events in which Stripe reports them.
type history struct {
	t          *rapid.T
	id         string
	tag        string // of the installation
	people     []person
	payments   []*payment
	events     []string
	second     int64 // of the last event
	repeatsSum bool  // a legacy account may refund again after a failed refund: see drawRefund
}

// The statuses that may follow each status of a refund or dispute; those of "" are the first.
var (
	refundSteps = map[string][]string{
		"":                {"succeeded", "pending", "requires_action"},
		"pending":         {"succeeded", "failed", "canceled", "requires_action"},
		"requires_action": {"succeeded", "failed", "canceled"},
		"succeeded":       {"failed"}, // days later, by the buyer's bank
	}
	disputeSteps = map[string][]string{
		"":                       {"needs_response", "warning_needs_response", "lost", "prevented"},
		"warning_needs_response": {"warning_under_review", "warning_closed", "prevented", "needs_response"},
		"warning_under_review":   {"warning_closed", "needs_response"},
		"needs_response":         {"under_review", "won", "lost"}, "under_review": {"won", "lost"},
		"lost": {"won"},  // late
		"won":  {"lost"}, // in arbitration
	}
)

// drawHistory draws up to three people and five payments. Their ids contain the history's id, so that any number of
// histories can share one database.
func drawHistory(t *rapid.T, id, tag string, repeatsSum bool) *history {
	h := &history{t: t, id: id, tag: tag, repeatsSum: repeatsSum}
	for i := range rapid.IntRange(1, 3).Draw(t, "people") {
		p := person{email: fmt.Sprintf("p%d-%s@example.com", i, id), user: rapid.Bool().Draw(t, "user")}
		if rapid.Bool().Draw(t, "customer") {
			p.customer = fmt.Sprintf("cus_%d_%s", i, id)
			p.known = p.user && rapid.Bool().Draw(t, "known")
		}
		h.people = append(h.people, p)
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "payments") {
		h.drawPayment(fmt.Sprintf("%s_%d", id, i))
	}
	for i, p := range h.people {
		if p.customer != "" && rapid.IntRange(0, 3).Draw(t, "deleted") == 3 {
			h.emit(fmt.Sprintf("customer.deleted#%d", i), fmt.Sprintf(`{"id":%q,"object":"customer","deleted":true}`,
				p.customer))
		}
	}
	return h
}

// drawPayment draws a payment with its session, refunds and disputes.
func (h *history) drawPayment(id string) {
	t := h.t
	origins := []string{"link", "link", "link", "bonus", "bonus", "foreign"}
	buyer := rapid.SampledFrom(h.people).Draw(t, "buyer")
	if buyer.user {
		origins = []string{"own", "own", "own", "own", "own", "lost", "link", "link", "bonus", "foreign"}
	}
	p := &payment{id: id, tag: h.tag, buyer: buyer,
		origin: rapid.SampledFrom(origins).Draw(t, "origin"), quantity: rapid.Int64Range(1, 4).Draw(t, "quantity"),
		end: rapid.SampledFrom([]string{"paid", "paid", "paid", "paid", "delayed", "delayed", "revived", "failed", "waiting",
			"expired"}).Draw(t, "end"),
		ordered: rapid.Int64Range(1, 2000).Draw(t, "credits"), subtotal: rapid.Int64Range(1, 5000).Draw(t, "cents"),
		method:      rapid.SampledFrom([]string{"legacy", "acacia", "both"}).Draw(t, "method"),
		keepsFailed: rapid.Bool().Draw(t, "stays"),
		converts:    rapid.IntRange(0, 5).Draw(t, "converts") == 5,
	}
	if h.repeatsSum {
		p.method, p.keepsFailed = "legacy", false
	}
	p.ordered, p.subtotal = p.ordered*p.quantity, p.subtotal*p.quantity
	switch p.origin {
	case "own", "lost": // metadata.credits counts when it was edited at Stripe to another valid number
		edited := rapid.Int64Range(1, 5000).Draw(t, "edited")
		p.metaCredits = rapid.SampledFrom([]string{fmt.Sprint(p.ordered), fmt.Sprint(p.ordered), fmt.Sprint(edited), "",
			"many", "0"}).Draw(t, "metadata")
		p.tagged = rapid.Bool().Draw(t, "tagged")
	case "link": // metadata.credits is missing, or names the credits of all items or of one
		p.ordered = creditsPerItem * p.quantity
		p.metaCredits = rapid.SampledFrom([]string{"", "many", fmt.Sprint(p.ordered), fmt.Sprint(creditsPerItem)}).
			Draw(t, "metadata")
	case "bonus": // at most the credits of our price for the same money
		p.quantity, p.ordered = 1, rapid.Int64Range(1, max(1, p.subtotal*creditsPerItem/centsPerItem)).Draw(t, "bonus")
		p.metaCredits = fmt.Sprint(p.ordered)
	case "foreign":
		p.metaCredits = rapid.SampledFrom([]string{"", "5000"}).Draw(t, "metadata")
	}
	switch p.paid = p.subtotal; rapid.SampledFrom([]int{0, 0, 0, 50, 100}).Draw(t, "promotion") {
	case 50:
		p.paid = p.subtotal / 2
	case 100:
		p.paid = 0
	}
	if p.paid == 0 {
		p.end, p.converts = "free", false
	}
	if p.converts {
		p.paid = p.paid * 11 / 10
	}
	h.payments = append(h.payments, p)
	h.emitSession(p)
	for p.wasPaid() && p.paid > 0 && rapid.IntRange(0, 4).Draw(t, "more") > 0 {
		h.drawMoneyStep(p)
	}
}

// drawMoneyStep draws one change of a payment's refunds or disputes.
func (h *history) drawMoneyStep(p *payment) {
	switch rapid.IntRange(0, 5).Draw(h.t, "move") {
	case 0, 1:
		h.drawRefund(p)
	case 2, 3:
		if r, status := h.drawStep(p.refunds, refundSteps); r != nil {
			if r.status = status; !p.keepsFailed && (status == "failed" || status == "canceled") {
				p.sum -= r.amount
			}
			h.emitRefund(p, r, "updated")
		}
	case 4:
		d := &reversal{id: fmt.Sprintf("dp_%d_%s", len(p.disputes), p.id), amount: h.drawAmount(p.paid)}
		d.status = rapid.SampledFrom(disputeSteps[""]).Draw(h.t, "status")
		if rapid.IntRange(0, 4).Draw(h.t, "foreign money") == 4 {
			d.currency, d.converted = "gbp", h.drawAmount(p.paid)
		}
		p.disputes = append(p.disputes, d)
		h.emitDispute(p, d, "created")
	case 5:
		if d, status := h.drawStep(p.disputes, disputeSteps); d != nil {
			d.status = status
			if d.currency == "" && rapid.IntRange(0, 2).Draw(h.t, "changes") == 2 { // the bank changes the amount
				d.amount = h.drawAmount(p.paid)
			}
			h.emitDispute(p, d, "updated")
		}
	}
}

// drawRefund draws a refund within the rest of the payment.
//
// In a legacy account, a failed refund leaves the charge's sum, so the next refund may report the same sum again.
// Events alone cannot distinguish the two, so such histories are drawn only with repeatsSum.
func (h *history) drawRefund(p *payment) {
	rest, failed := p.paid, false
	for _, r := range p.refunds {
		if r.status == "failed" || r.status == "canceled" {
			failed = true
		} else {
			rest -= r.amount
		}
	}
	if rest <= 0 || failed && p.method == "legacy" && !p.keepsFailed && !h.repeatsSum {
		return
	}
	r := &reversal{id: fmt.Sprintf("re_%d_%s", len(p.refunds), p.id), amount: min(h.drawAmount(p.paid), rest)}
	r.status = rapid.SampledFrom(refundSteps[""]).Draw(h.t, "status")
	p.sum += r.amount
	p.refunds = append(p.refunds, r)
	h.emitRefund(p, r, "created")
}

// drawAmount draws a part of the payment, all of it, or more.
func (h *history) drawAmount(paid int64) int64 {
	return rapid.SampledFrom([]int64{max(1, paid/3), paid, 1, paid + 100, rapid.Int64Range(1, paid).Draw(h.t, "part")}).
		Draw(h.t, "amount")
}

// drawStep draws which refund or dispute changes next, and its new status. An edit of the metadata keeps the status.
func (h *history) drawStep(all []*reversal, steps map[string][]string) (*reversal, string) {
	if len(all) == 0 {
		return nil, ""
	}
	r := rapid.SampledFrom(all).Draw(h.t, "changed")
	next := steps[r.status]
	if len(next) == 0 { // a final status
		return nil, ""
	}
	status := rapid.SampledFrom(append([]string{r.status}, next...)).Draw(h.t, "status")
	return r, status
}

// address draws the spelling in which the buyer types their address.
func (h *history) address(p person) string {
	if p.known && rapid.Bool().Draw(h.t, "typed") {
		return "other-" + h.id + "@example.com" // the customer counts, not the address
	}
	return rapid.SampledFrom([]string{p.email, strings.ToUpper(p.email), " " + p.email + " "}).Draw(h.t, "spelling")
}
