package webhook

import (
	"cmp"
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/services/stripeapi"
)

// emit appends an event, created in the second of the previous one or later. A suffix of kind after # is ignored.
func (h *history) emit(kind, object string) {
	kind, _, _ = strings.Cut(kind, "#")
	h.second += rapid.Int64Range(0, 2).Draw(h.t, "seconds")
	h.events = append(h.events, at(h.second, event(fmt.Sprintf("evt_%s_%d", h.id, len(h.events)), kind, object)))
}

// quoted is a JSON string, or null when it is empty.
func quoted(text string) string {
	if text == "" {
		return "null"
	}
	return fmt.Sprintf("%q", text)
}

// emitSession emits the events of a Checkout Session, and the redundant ones of its payment.
func (h *history) emitSession(p *payment) {
	address := h.address(p.buyer)
	session := func(status string) string {
		intent := p.intent()
		if p.paid == 0 {
			intent = ""
		}
		return fmt.Sprintf(
			`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,"payment_intent":%s,"customer":%s,
			"customer_details":{"email":%q},%s,%s}`, p.session(), status, quoted(intent), quoted(p.buyer.customer), address,
			p.reference(), p.amounts())
	}
	switch p.end {
	case "paid":
		h.emit("checkout.session.completed", session("paid"))
	case "free":
		h.emit("checkout.session.completed", session("no_payment_required"))
		return
	case "delayed":
		h.emit("checkout.session.completed", session("unpaid"))
		h.emit("checkout.session.async_payment_succeeded", session("paid"))
	case "revived":
		h.emit("checkout.session.expired", session("unpaid"))
		h.emit("checkout.session.async_payment_failed", session("unpaid"))
		h.emit("checkout.session.completed", session("paid"))
	case "failed":
		h.emit("checkout.session.completed", session("unpaid"))
		h.emit("checkout.session.async_payment_failed", session("unpaid"))
	case "waiting":
		h.emit("checkout.session.completed", session("unpaid"))
	case "expired":
		h.emit("checkout.session.expired", session("unpaid"))
	}
	if p.wasPaid() { // events that we ignore
		h.emit("payment_intent.succeeded", fmt.Sprintf(`{"id":%q,"object":"payment_intent","amount":%d,
			"metadata":{"credits":"1200"}}`, p.intent(), p.paid))
		h.emit("charge.updated", fmt.Sprintf(`{"id":"ch_%s","object":"charge","amount":%d,"payment_intent":%q}`,
			p.id, p.paid, p.intent()))
	}
}

// reference is a session's reference to our purchase; none when it was not started here.
func (p *payment) reference() string {
	client := "null"
	if p.startedHere() {
		client = fmt.Sprintf("%q", purchaseID(p))
	}
	return fmt.Sprintf(`"client_reference_id":%s,"metadata":{%s}`, client, p.metadata())
}

// metadata is the metadata of the session and, when it was started here, of the payment.
func (p *payment) metadata() string {
	var metadata []string
	if p.metaCredits != "" {
		metadata = append(metadata, fmt.Sprintf(`"credits":%q`, p.metaCredits))
	}
	if p.startedHere() {
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
		"currency_conversion":{"source_currency":"eur","amount_subtotal":%d,"amount_total":%d}`,
		p.subtotal*11/10, p.paid, p.subtotal, p.subtotal)
}

func (p *payment) currency() string {
	if p.converts {
		return "usd"
	}
	return "eur"
}

func (p *payment) refund(r *reversal) string {
	return fmt.Sprintf(
		`{"id":%q,"object":"refund","amount":%d,"currency":%q,"status":%q,"charge":"ch_%s","payment_intent":%q}`,
		r.id, r.amount, p.currency(), r.status, p.id, p.intent())
}

// emitRefund emits a refund's events of all API versions that the account and its endpoints use.
func (h *history) emitRefund(p *payment, r *reversal, kind string) {
	object := p.refund(r)
	if p.method != "acacia" {
		if kind == "created" {
			h.emit("charge.refunded", fmt.Sprintf(`{"id":"ch_%s","object":"charge","amount":%d,"amount_refunded":%d,
				"currency":%q,"payment_intent":%q}`, p.id, p.paid, p.sum, p.currency(), p.intent()))
		} else {
			h.emit("charge.refund.updated", object)
		}
	}
	if p.method != "legacy" {
		h.emit("refund."+kind, object)
		if r.status == "failed" {
			h.emit("refund.failed", object)
		}
	}
}

func (p *payment) dispute(d *reversal) string {
	return fmt.Sprintf(`{"id":%q,"object":"dispute","amount":%d,"currency":%q,"status":%q,"charge":"ch_%s",
		"payment_intent":%q,"balance_transactions":[%s]}`, d.id, d.amount, cmp.Or(d.currency, p.currency()), d.status, p.id, p.intent(), d.movement(p.currency()))
}

// movement is the balance transaction of a dispute in another currency than the payment's.
func (d *reversal) movement(currency string) string {
	if d.currency == "" || d.status == "won" || d.status == "prevented" || strings.HasPrefix(d.status, "warning") {
		return ""
	}
	return fmt.Sprintf(`{"id":"txn_%s","object":"balance_transaction","amount":%d,"currency":%q}`, d.id, -d.converted,
		currency)
}

// emitDispute emits the events of a dispute and of its money.
func (h *history) emitDispute(p *payment, d *reversal, kind string) {
	object := p.dispute(d)
	switch d.status {
	case "won", "warning_closed", "prevented":
		kind = "closed"
	case "lost":
		if kind != "created" { // it was lost at once
			kind = "closed"
		}
	}
	h.emit("charge.dispute."+kind, object)
	switch d.status {
	case "needs_response":
		h.emit("charge.dispute.funds_withdrawn", object)
	case "won":
		h.emit("charge.dispute.funds_reinstated", object)
	case "lost":
		if rapid.IntRange(0, 3).Draw(h.t, "reinstated") == 3 { // of a part that was refunded before
			h.emit("charge.dispute.funds_reinstated", object)
		}
	}
}
