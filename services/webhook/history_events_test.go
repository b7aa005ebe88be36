package webhook

import (
	"cmp"
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// tell keeps an event. Its kind may carry a mark behind # that keeps ids apart. It is made in the second of the last one,
// or later.
func (h *history) tell(kind, object string) {
	kind, _, _ = strings.Cut(kind, "#")
	h.second += rapid.Int64Range(0, 2).Draw(h.t, "seconds")
	h.events = append(h.events, at(h.second, event(fmt.Sprintf("evt_%s_%d", h.id, len(h.events)), kind, object)))
}

// quoted is JSON text, or null for none.
func quoted(text string) string {
	if text == "" {
		return "null"
	}
	return fmt.Sprintf("%q", text)
}

// tellSession tells how Checkout went, and what else Stripe says of the same fact.
func (h *history) tellSession(p *payment) {
	address := h.address(p.buyer)
	session := func(status string) string {
		intent := p.intent()
		if p.paid == 0 {
			intent = ""
		}
		return fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,"payment_intent":%s,"customer":%s,
			"customer_details":{"email":%q},%s,%s}`, p.session(), status, quoted(intent), quoted(p.buyer.customer), address, p.reference(), p.amounts())
	}
	switch p.end {
	case "paid":
		h.tell("checkout.session.completed", session("paid"))
	case "free":
		h.tell("checkout.session.completed", session("no_payment_required"))
		return
	case "delayed":
		h.tell("checkout.session.completed", session("unpaid"))
		h.tell("checkout.session.async_payment_succeeded", session("paid"))
	case "revived":
		h.tell("checkout.session.expired", session("unpaid"))
		h.tell("checkout.session.async_payment_failed", session("unpaid"))
		h.tell("checkout.session.completed", session("paid"))
	case "failed":
		h.tell("checkout.session.completed", session("unpaid"))
		h.tell("checkout.session.async_payment_failed", session("unpaid"))
	case "waiting":
		h.tell("checkout.session.completed", session("unpaid"))
	case "expired":
		h.tell("checkout.session.expired", session("unpaid"))
	}
	if p.wasPaid() { // the same fact in other words, and what is no business of ours
		h.tell("payment_intent.succeeded", fmt.Sprintf(`{"id":%q,"object":"payment_intent","amount":%d,"metadata":{"credits":"1200"}}`, p.intent(), p.paid))
		h.tell("charge.updated", fmt.Sprintf(`{"id":"ch_%s","object":"charge","amount":%d,"payment_intent":%q}`, p.id, p.paid, p.intent()))
	}
}

// reference is how a session names our order: not at all when it was not begun here.
func (p *payment) reference() string {
	client := "null"
	if p.begun() {
		client = fmt.Sprintf("%q", purchaseID(p))
	}
	return fmt.Sprintf(`"client_reference_id":%s,"metadata":{%s}`, client, p.metadata())
}

// metadata is what stands on the session and, when it was begun here, on the payment.
func (p *payment) metadata() string {
	var metadata []string
	if p.told != "" {
		metadata = append(metadata, fmt.Sprintf(`"credits":%q`, p.told))
	}
	if p.begun() {
		metadata = append(metadata, fmt.Sprintf(`"purchase_id":%q`, purchaseID(p)))
	}
	if p.tagged {
		metadata = append(metadata, fmt.Sprintf(`%q:%q`, stripeapi.TagKey, p.tag))
	}
	return strings.Join(metadata, ",")
}

func (p *payment) amounts() string {
	if !p.converts {
		return fmt.Sprintf(`"currency":"eur","amount_subtotal":%d,"amount_total":%d`, p.subtotal, p.paid)
	}
	return fmt.Sprintf(`"currency":"usd","amount_subtotal":%d,"amount_total":%d,
		"currency_conversion":{"source_currency":"eur","amount_subtotal":%d,"amount_total":%d}`, p.subtotal*11/10, p.paid, p.subtotal, p.subtotal)
}

func (p *payment) currency() string {
	if p.converts {
		return "usd"
	}
	return "eur"
}

func (p *payment) refund(r *returned) string {
	return fmt.Sprintf(`{"id":%q,"object":"refund","amount":%d,"currency":%q,"status":%q,"charge":"ch_%s","payment_intent":%q}`,
		r.id, r.amount, p.currency(), r.status, p.id, p.intent())
}

// tellRefund tells of a refund in each of the ways in which accounts and endpoints of different API versions hear of it.
func (h *history) tellRefund(p *payment, r *returned, kind string) {
	object := p.refund(r)
	if p.method != "acacia" {
		if kind == "created" {
			h.tell("charge.refunded", fmt.Sprintf(`{"id":"ch_%s","object":"charge","amount":%d,"amount_refunded":%d,"currency":%q,"payment_intent":%q}`,
				p.id, p.paid, p.sum, p.currency(), p.intent()))
		} else {
			h.tell("charge.refund.updated", object)
		}
	}
	if p.method != "legacy" {
		h.tell("refund."+kind, object)
		if r.status == "failed" {
			h.tell("refund.failed", object)
		}
	}
}

func (p *payment) dispute(d *returned) string {
	return fmt.Sprintf(`{"id":%q,"object":"dispute","amount":%d,"currency":%q,"status":%q,"charge":"ch_%s","payment_intent":%q,"balance_transactions":[%s]}`,
		d.id, d.amount, cmp.Or(d.currency, p.currency()), d.status, p.id, p.intent(), d.moved(p.currency()))
}

// moved is what the bank took for a dispute in another currency than the payment's, as the account's balance has it.
func (d *returned) moved(currency string) string {
	if d.currency == "" || d.status == "won" || strings.HasPrefix(d.status, "warning") {
		return ""
	}
	return fmt.Sprintf(`{"id":"txn_%s","object":"balance_transaction","amount":%d,"currency":%q}`, d.id, -d.taken, currency)
}

// tellDispute tells of a dispute as Stripe does: of the case, and of the money that moves with it.
func (h *history) tellDispute(p *payment, d *returned, kind string) {
	object := p.dispute(d)
	switch d.status {
	case "won", "warning_closed":
		kind = "closed"
	case "lost":
		if kind != "created" { // some are lost when they are opened
			kind = "closed"
		}
	}
	h.tell("charge.dispute."+kind, object)
	switch d.status {
	case "needs_response":
		h.tell("charge.dispute.funds_withdrawn", object)
	case "won":
		h.tell("charge.dispute.funds_reinstated", object)
	case "lost":
		if rapid.IntRange(0, 3).Draw(h.t, "reinstated") == 3 { // the money of a part that was refunded before
			h.tell("charge.dispute.funds_reinstated", object)
		}
	}
}
