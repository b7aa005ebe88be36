package pages

import (
	"context"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// story explains to an admin what happened to a purchase.
func story(ctx context.Context, p models.Purchase) string {
	facts := locales.Args{"credits": components.CreditAmount(ctx, p.Credits),
		"amount":  components.Money(ctx, p.AmountCents, p.Currency),
		"ordered": components.DateTime(ctx, p.CreatedAt)}
	if p.Status.Unbooked() {
		facts["amount"] = components.Money(ctx, p.PaidCents, p.PaymentCurrency())
		if p.PaidAt != nil {
			facts["ordered"] = components.DateTime(ctx, *p.PaidAt)
		}
	}
	if p.Status != models.PurchasePaid {
		return locales.T(ctx, "admin_purchase.story."+string(p.Status), facts)
	}
	facts["credits"], facts["amount"] = components.CreditAmount(ctx, p.CreditsGranted), components.Money(ctx, p.PaidCents,
		p.PaymentCurrency())
	if p.PaidAt != nil {
		facts["ordered"] = components.DateTime(ctx, *p.PaidAt)
	}
	if p.PaymentIntentID == "" {
		return locales.T(ctx, "admin_purchase.story.free", facts)
	}
	return locales.T(ctx, "admin_purchase.story.paid", facts)
}

// eventWait says when and how an open event will be processed.
func eventWait(ctx context.Context, e models.StripeEvent) string {
	return locales.T(ctx, "event.wait."+string(e.Status),
		locales.Args{"type": e.Type, "next": components.DateTime(ctx, e.NextAttemptAt)})
}

func openEvents(events []models.StripeEvent) int {
	n := 0
	for _, e := range events {
		if eventOpen(e.Status) {
			n++
		}
	}
	return n
}

func orNone(ctx context.Context, text string) string {
	if text == "" {
		return locales.T(ctx, "admin_purchase.none")
	}
	return text
}

// proposalText explains the proposed refund.
func proposalText(ctx context.Context, d AdminPurchaseData) string {
	if d.Purchase.Status.Unbooked() {
		return locales.T(ctx, "refund_form.unbooked", locales.Args{"left": d.money(ctx, d.Form.Left)})
	}
	return locales.N(ctx, "refund_form.proposal", d.Form.Unused,
		locales.Args{"granted": components.CreditAmount(ctx, d.Purchase.CreditsGranted),
			"paid": d.money(ctx, d.Purchase.PaidCents), "share": d.money(ctx, d.Form.Proposal)})
}

// takesText says what the refund does to the balance.
func takesText(ctx context.Context, d AdminPurchaseData) string {
	facts := locales.Args{"amount": d.money(ctx, d.Form.Cents), "credits": components.CreditAmount(ctx, d.Form.Takes),
		"balance": components.CreditAmount(ctx, d.Form.After)}
	switch {
	case d.Purchase.Status.Unbooked():
		return locales.T(ctx, "refund_form.takes.nothing")
	case d.Form.Cents == 0:
		return locales.T(ctx, "refund_form.takes.share",
			locales.Args{"granted": components.CreditAmount(ctx, d.Purchase.CreditsGranted),
				"paid": d.money(ctx, d.Purchase.PaidCents)})
	case d.Form.After < 0:
		return locales.T(ctx, "refund_form.takes.debt", facts)
	}
	return locales.T(ctx, "refund_form.takes.balance", facts)
}

// nothingLeft returns the text key of why nothing can be refunded.
func nothingLeft(p models.Purchase) string {
	switch {
	case p.PaidAt == nil:
		return "refund_form.none.unpaid"
	case p.PaymentIntentID == "":
		return "refund_form.none.free"
	}
	return "refund_form.none.all"
}

// refusal explains why Stripe refused a refund.
func refusal(ctx context.Context, cause models.Cause) string {
	_, code := cause.Split()
	if code != "" && locales.Has(ctx, "refund_request.refusal."+code) {
		return locales.T(ctx, "refund_request.refusal."+code)
	}
	return locales.T(ctx, "refund_request.refusal.unknown")
}

// requestedBy returns the locale key of who asked for a refund, unless it was an admin.
func requestedBy(r models.RefundRequest) string {
	switch {
	case r.Goodwill:
		return "admin_audit.by.user"
	case strings.HasPrefix(r.IdempotencyKey, models.WithdrawalRefundKey): // without a person
		return "admin_audit.by.system"
	}
	return "admin_audit.by.operator"
}

// refundFailure explains why a refund failed at Stripe.
func refundFailure(ctx context.Context, reason string) string {
	if locales.Has(ctx, "stripe_refund.failure."+reason) {
		return locales.T(ctx, "stripe_refund.failure."+reason)
	}
	return reason
}

func requestKind(status models.RefundRequestStatus) components.AlertKind {
	switch status {
	case models.RefundSent:
		return components.Success
	case models.RefundRefused:
		return components.Danger
	}
	return components.Warning
}

func refundKind(r models.StripeRefund) components.AlertKind {
	switch {
	case !r.Stands():
		return components.Danger
	case r.Status == "succeeded":
		return components.Success
	}
	return components.Warning
}

func disputeKind(status string) components.AlertKind {
	switch status {
	case "won", "warning_closed", "prevented":
		return components.Success
	case "lost":
		return components.Danger
	}
	return components.Warning
}

// consentGiven says when a buyer made which version of the statements.
func consentGiven(ctx context.Context, c models.Consent) string {
	return locales.T(ctx, "consent.given", locales.Args{"date": components.DateTime(ctx, c.GivenAt), "version": c.Version,
		"locale": c.Locale, "hash": c.Hash})
}
