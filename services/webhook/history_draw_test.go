package webhook

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// history is what happened to several people's payments, and the events in which Stripe tells of it.
type history struct {
	t        *rapid.T
	id       string
	tag      string // of the installation
	people   []person
	payments []*payment
	events   []string
	second   int64 // of the last event
	again    bool  // a legacy account may refund once more after a failed refund that left its sum: see drawRefund
}

// How refunds and disputes go on. The first status is drawn from those of "".
var (
	refundSteps = map[string][]string{
		"":        {"succeeded", "pending", "requires_action"},
		"pending": {"succeeded", "failed", "canceled", "requires_action"}, "requires_action": {"succeeded", "failed", "canceled"},
		"succeeded": {"failed"}, // days later, by the buyer's bank
	}
	disputeSteps = map[string][]string{
		"":                       {"needs_response", "warning_needs_response", "lost"},
		"warning_needs_response": {"warning_under_review", "warning_closed", "needs_response"}, "warning_under_review": {"warning_closed", "needs_response"},
		"needs_response": {"under_review", "won", "lost"}, "under_review": {"won", "lost"},
		"lost": {"won"},  // late
		"won":  {"lost"}, // in arbitration
	}
)

// drawHistory invents up to three people and up to five payments. Its ids are new each time, so that any number of
// histories share one database.
func drawHistory(t *rapid.T, id, tag string, again bool) *history {
	h := &history{t: t, id: id, tag: tag, again: again}
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
			h.tell(fmt.Sprintf("customer.deleted#%d", i), fmt.Sprintf(`{"id":%q,"object":"customer","deleted":true}`, p.customer))
		}
	}
	return h
}

func (h *history) drawPayment(id string) {
	t := h.t
	origins := []string{"link", "link", "link", "bonus", "bonus", "foreign"}
	buyer := rapid.SampledFrom(h.people).Draw(t, "buyer")
	if buyer.user {
		origins = []string{"own", "own", "own", "own", "own", "lost", "link", "link", "bonus", "foreign"}
	}
	p := &payment{id: id, tag: h.tag, buyer: buyer, origin: rapid.SampledFrom(origins).Draw(t, "origin"), quantity: rapid.Int64Range(1, 4).Draw(t, "quantity"),
		end:     rapid.SampledFrom([]string{"paid", "paid", "paid", "paid", "delayed", "delayed", "revived", "failed", "waiting", "expired"}).Draw(t, "end"),
		ordered: rapid.Int64Range(1, 2000).Draw(t, "credits"), subtotal: rapid.Int64Range(1, 5000).Draw(t, "cents"),
		method: rapid.SampledFrom([]string{"legacy", "acacia", "both"}).Draw(t, "method"), stays: rapid.Bool().Draw(t, "stays"),
		converts: rapid.IntRange(0, 5).Draw(t, "converts") == 5,
	}
	if h.again {
		p.method, p.stays = "legacy", false
	}
	p.ordered, p.subtotal = p.ordered*p.quantity, p.subtotal*p.quantity
	switch p.origin {
	case "own", "lost": // ours is what counts unless somebody edited Stripe's
		edited := rapid.Int64Range(1, 5000).Draw(t, "edited")
		p.told = rapid.SampledFrom([]string{fmt.Sprint(p.ordered), fmt.Sprint(p.ordered), fmt.Sprint(edited), "", "many", "0"}).Draw(t, "told")
		p.tagged = rapid.Bool().Draw(t, "tagged")
	case "link": // metadata.credits says nothing, or what all of it comes to, or one
		p.ordered = creditsPerItem * p.quantity
		p.told = rapid.SampledFrom([]string{"", "many", fmt.Sprint(p.ordered), fmt.Sprint(creditsPerItem)}).Draw(t, "told")
	case "bonus": // at most as many as our package gives for the money
		p.quantity, p.ordered = 1, rapid.Int64Range(1, max(1, p.subtotal*creditsPerItem/centsPerItem)).Draw(t, "bonus")
		p.told = fmt.Sprint(p.ordered)
	case "foreign":
		p.told = rapid.SampledFrom([]string{"", "5000"}).Draw(t, "told")
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
	h.tellSession(p)
	for p.wasPaid() && p.paid > 0 && rapid.IntRange(0, 4).Draw(t, "more") > 0 {
		h.drawMove(p)
	}
}

// drawMove lets one thing happen to the money of a payment.
func (h *history) drawMove(p *payment) {
	switch rapid.IntRange(0, 5).Draw(h.t, "move") {
	case 0, 1:
		h.drawRefund(p)
	case 2, 3:
		if r, status := h.drawStep(p.refunds, refundSteps); r != nil {
			if r.status = status; !p.stays && (status == "failed" || status == "canceled") {
				p.sum -= r.amount
			}
			h.tellRefund(p, r, "updated")
		}
	case 4:
		d := &returned{id: fmt.Sprintf("dp_%d_%s", len(p.disputes), p.id), amount: h.drawAmount(p.paid)}
		d.status = rapid.SampledFrom(disputeSteps[""]).Draw(h.t, "status")
		if rapid.IntRange(0, 4).Draw(h.t, "foreign money") == 4 {
			d.currency, d.taken = "gbp", h.drawAmount(p.paid)
		}
		p.disputes = append(p.disputes, d)
		h.tellDispute(p, d, "created")
	case 5:
		if d, status := h.drawStep(p.disputes, disputeSteps); d != nil {
			d.status = status
			if d.currency == "" && rapid.IntRange(0, 2).Draw(h.t, "changes") == 2 { // the bank wants more, or less
				d.amount = h.drawAmount(p.paid)
			}
			h.tellDispute(p, d, "updated")
		}
	}
}

// drawRefund gives money back, as much as Stripe lets us.
//
// In a legacy account, whose charges forget a failed refund, the next one looks like the failed one told twice: the
// same sum again. No reader of events can tell, so such histories are drawn only when asked for.
func (h *history) drawRefund(p *payment) {
	rest, failed := p.paid, false
	for _, r := range p.refunds {
		if r.status == "failed" || r.status == "canceled" {
			failed = true
		} else {
			rest -= r.amount
		}
	}
	if rest <= 0 || failed && p.method == "legacy" && !p.stays && !h.again {
		return
	}
	r := &returned{id: fmt.Sprintf("re_%d_%s", len(p.refunds), p.id), amount: min(h.drawAmount(p.paid), rest)}
	r.status = rapid.SampledFrom(refundSteps[""]).Draw(h.t, "status")
	p.sum += r.amount
	p.refunds = append(p.refunds, r)
	h.tellRefund(p, r, "created")
}

// drawAmount is a part of what was paid, all of it, or more.
func (h *history) drawAmount(paid int64) int64 {
	return rapid.SampledFrom([]int64{max(1, paid/3), paid, 1, paid + 100, rapid.Int64Range(1, paid).Draw(h.t, "part")}).Draw(h.t, "amount")
}

// drawStep chooses what changes next, and to what. It may be the same status again, as after an edit of the metadata.
func (h *history) drawStep(all []*returned, steps map[string][]string) (*returned, string) {
	if len(all) == 0 {
		return nil, ""
	}
	r := rapid.SampledFrom(all).Draw(h.t, "changed")
	next := steps[r.status]
	if len(next) == 0 { // nothing follows: only its metadata can be edited, and those of a failed refund say nothing new
		return nil, ""
	}
	status := rapid.SampledFrom(append([]string{r.status}, next...)).Draw(h.t, "status")
	return r, status
}

// address is the buyer's address as they happen to type it.
func (h *history) address(p person) string {
	if p.known && rapid.Bool().Draw(h.t, "typed") {
		return "somebody-else-" + h.id + "@example.com" // the customer decides
	}
	return rapid.SampledFrom([]string{p.email, strings.ToUpper(p.email), " " + p.email + " "}).Draw(h.t, "spelling")
}
