package letters

import (
	"context"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/legal"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/components"
)

// contract is what the confirmation of an order has attached.
var contract = []legal.Kind{legal.Terms, legal.Withdrawal, legal.Form}

// purchasePaid confirms an order and that its credits are there. Source: §§ 312f Abs. 2, 312i Abs. 1 Nr. 3 BGB
func purchasePaid(ctx context.Context, site Site, p mail.Purchase) letter {
	l := ofOrder(ctx, site, "purchase_paid", p)
	l.facts, l.attached = append(l.facts, balance(ctx, p)), contract
	l.facts = append(append(l.facts, declared(ctx, p)...), usableFrom(ctx, p)...)
	return l
}

// creditsUsable confirms statements that the buyer made after the order, to use credits before the withdrawal period
// ends.
func creditsUsable(ctx context.Context, site Site, p mail.Purchase) letter {
	l := ofPurchase(ctx, site, "credits_usable", p)
	l.facts = append(l.facts, declared(ctx, p)...)
	return l
}

// debitPending confirms an order that a bank pays within days.
func debitPending(ctx context.Context, site Site, p mail.Purchase) letter {
	l := ofOrder(ctx, site, "debit_pending", p)
	l.facts, l.attached = append(append(l.facts, declared(ctx, p)...), usableFrom(ctx, p)...), contract
	return l
}

// ofOrder begins the confirmation of an order, which says what the price includes.
func ofOrder(ctx context.Context, site Site, kind string, p mail.Purchase) letter {
	l := ofPurchase(ctx, site, kind, p)
	vat := "letter.vat"
	if site.SmallBusiness {
		vat = "vat.small_business"
	}
	l.facts[1].value += "\n" + locales.T(ctx, vat)
	return l
}

// declared is what the buyer declared with the order, which its confirmation repeats. Source: § 312f Abs. 3 BGB
func declared(ctx context.Context, p mail.Purchase) []fact {
	if p.Consent == nil {
		return nil
	}
	return []fact{{locales.T(ctx, "consent.declared"), strings.Join(p.Consent.Given(), "\n")}}
}

// usableFrom says when credits can be used that are held until the withdrawal period ends, and what to do earlier.
func usableFrom(ctx context.Context, p mail.Purchase) []fact {
	if p.UsableFrom == nil {
		return nil
	}
	return []fact{{locales.T(ctx, "consent.usable_from"),
		components.LegalTime(ctx, *p.UsableFrom) + "\n" + locales.T(ctx, "consent.usable_hint")}}
}

func debitFailed(ctx context.Context, site Site, p mail.Purchase) letter {
	l := ofPurchase(ctx, site, "debit_failed", p)
	l.action = &action{locales.T(ctx, "letter.debit_failed.again"), site.AppURL + "/" + locales.Code(ctx) + "/purchase"}
	return l
}

// moved composes a letter about credits that a refund or a dispute took or gave back.
func moved(kind string) func(ctx context.Context, site Site, p mail.Purchase) letter {
	return func(ctx context.Context, site Site, p mail.Purchase) letter {
		l := ofPurchase(ctx, site, kind, p)
		if kind == "disputed" {
			l.paragraphs = site.withHelp(l.paragraphs, locales.T(ctx, "letter.disputed.help"))
		}
		l.facts = append(l.facts, fact{locales.T(ctx, "letter.fact.moved"), components.SignedCredits(ctx, p.Moved)},
			balance(ctx, p))
		return l
	}
}

// ofPurchase begins a letter about a purchase: its texts, the order, and the way to its page.
func ofPurchase(ctx context.Context, site Site, kind string, p mail.Purchase) letter {
	credits, amount := components.CreditAmount(ctx, p.Credits), components.Money(ctx, p.Cents, p.Currency)
	texts := locales.Args{"credits": credits, "amount": amount, "moved": components.CreditAmount(ctx, max(p.Moved, -p.Moved))}
	return letter{
		subject:    locales.T(ctx, "letter."+kind+".subject", texts),
		heading:    locales.T(ctx, "letter."+kind+".heading", texts),
		paragraphs: []string{locales.T(ctx, "letter."+kind+".text", texts)},
		facts: []fact{
			{locales.T(ctx, "letter.fact.order"), locales.T(ctx, "letter.order", texts)},
			{locales.T(ctx, "purchase_detail.amount"), amount},
			{locales.T(ctx, "purchase_detail.ordered"), components.DateTime(ctx, p.OrderedAt)},
			{locales.T(ctx, "purchase_detail.number"), numberOr(p.Number, p.ID)},
		},
		action: &action{locales.T(ctx, "letter.purchase"), site.AppURL + "/" + locales.Code(ctx) + "/purchase/" + p.ID},
	}
}

// numberOr names a purchase by its number or, in a letter without it, by its id.
func numberOr(n models.PurchaseNumber, id string) string {
	if n == 0 {
		return id
	}
	return n.String()
}

func balance(ctx context.Context, p mail.Purchase) fact {
	return fact{locales.T(ctx, "letter.fact.balance"), components.CreditAmount(ctx, p.Balance)}
}
