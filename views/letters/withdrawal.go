package letters

import (
	"context"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/components"
)

// withdrawalReceived confirms a declaration with its content, date and time. Source: § 356a Abs. 4 BGB
func withdrawalReceived(ctx context.Context, _ Site, w mail.WithdrawalReceived) letter {
	l := letter{
		subject: locales.T(ctx, "withdrawal.received.title"),
		heading: locales.T(ctx, "withdrawal.received.title"),
		facts:   []fact{{locales.T(ctx, "withdrawal.received.at"), components.LegalTime(ctx, w.ReceivedAt)}},
	}
	opening := "withdrawal.received.letter"
	if w.Contract != "" {
		opening = "withdrawal.received.declared"
		l.facts = append(l.facts, fact{locales.T(ctx, "withdrawal.received.contract"), w.Contract},
			fact{locales.T(ctx, "withdrawal.received.name"), w.Name}, fact{locales.T(ctx, "withdrawal.received.email"), w.Email})
	}
	l.facts = append(l.facts, fact{locales.T(ctx, "withdrawal.received.number"), w.ID})
	l.paragraphs = []string{locales.T(ctx, opening), locales.T(ctx, "withdrawal.received.text")}
	return l
}

// withdrawalRefunded says what was refunded after a withdrawal, and how that was computed.
func withdrawalRefunded(ctx context.Context, site Site, w mail.WithdrawalRefunded) letter {
	l := ofPurchase(ctx, site, "withdrawal_refunded", w.Purchase)
	basis := "letter.withdrawal_refunded.share"
	if w.Full {
		basis = "letter.withdrawal_refunded.full"
	}
	l.paragraphs = append(l.paragraphs, locales.T(ctx, basis, locales.Args{
		"granted": components.CreditAmount(ctx, w.Credits), "used": components.CreditAmount(ctx, w.Used)}))
	l.facts = append(l.facts, fact{locales.T(ctx, "letter.fact.paid"), components.Money(ctx, w.Paid, w.PaidCurrency)},
		fact{locales.T(ctx, "letter.fact.refunded"), components.Money(ctx, w.Refunded, w.PaidCurrency)})
	return l
}
