package pages

import (
	"context"

	"github.com/resume-matcher/credits/locales"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// buyerStory explains to the buyer the state of a purchase and what happens next.
func buyerStory(ctx context.Context, p models.Purchase) string {
	key := "purchase_detail.story." + string(p.Status)
	facts := locales.Args{"credits": components.CreditAmount(ctx, p.Credits),
		"amount": components.Money(ctx, p.AmountCents, p.Currency)}
	if p.Status.Unbooked() {
		facts["amount"] = components.Money(ctx, p.PaidCents, p.PaymentCurrency())
	}
	if p.Status == models.PurchasePaid {
		facts["credits"], facts["amount"] = components.CreditAmount(ctx, p.CreditsGranted), components.Money(ctx, p.PaidCents,
			p.PaymentCurrency())
		if p.PaidCents == 0 {
			key = "purchase_detail.story.free"
		}
	}
	return locales.T(ctx, key, facts)
}

// moneyStory lists each refund, requested refund and dispute in a sentence.
func moneyStory(ctx context.Context, d PurchaseDetailData) []string {
	var all []string
	for _, r := range d.Refunds {
		all = append(all, locales.T(ctx, "purchase_detail.refund."+r.Status,
			locales.Args{"amount": components.Money(ctx, r.Amount, r.Currency),
				"date": components.DateTime(ctx, r.UpdatedAt)}))
	}
	for _, r := range d.Requests {
		if r.Status == models.RefundPending || r.Goodwill && r.Status == models.RefundRefused {
			all = append(all, locales.T(ctx, "purchase_detail.request."+string(r.Status),
				locales.Args{"amount": components.Money(ctx, r.AmountCents, d.Purchase.PaymentCurrency())}))
		}
	}
	for _, dispute := range d.Disputes {
		all = append(all, locales.T(ctx, "purchase_detail.dispute."+dispute.Status,
			locales.Args{"amount": components.Money(ctx, dispute.Amount, dispute.Currency)}))
	}
	if back := d.Purchase.CreditsReturned(); back > 0 {
		all = append(all, locales.T(ctx, "purchase_detail.taken",
			locales.Args{"credits": components.CreditAmount(ctx, back)}))
	}
	return all
}

// cameToNothing reports whether a purchase was not completed, so that the page offers another one.
func cameToNothing(status models.PurchaseStatus) bool {
	return status == models.PurchaseFailed || status == models.PurchaseExpired || status == models.PurchasePending
}

// nothingBooked says that a purchase has moved no credits yet, or never will.
func nothingBooked(ctx context.Context, status models.PurchaseStatus) string {
	if status == models.PurchaseFailed || status == models.PurchaseExpired || status == models.PurchaseReturned ||
		status == models.PurchaseForeign {
		return locales.T(ctx, "purchase_detail.none.never")
	}
	return locales.T(ctx, "purchase_detail.none.heading")
}

// PurchaseTitle tells the tabs of several purchases apart: the number, what was bought, and when.
func PurchaseTitle(ctx context.Context, p models.Purchase) string {
	return locales.T(ctx, "purchase_detail.document", locales.Args{"number": p.Number.String(),
		"credits": components.CreditAmount(ctx, p.Credits), "at": components.DateTime(ctx, p.CreatedAt)})
}
