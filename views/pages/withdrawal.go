package pages

import (
	"context"
	"net/url"
	"strings"

	"github.com/resume-matcher/credits/locales"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// ContractText describes a purchase as a contract.
func ContractText(ctx context.Context, p models.Purchase) string {
	return locales.T(ctx, "withdrawal.of_purchase", locales.Args{"credits": components.CreditAmount(ctx, p.Credits),
		"amount": components.Money(ctx, p.AmountCents, p.Currency), "date": components.DateTime(ctx, p.CreatedAt),
		"number": p.Number.String()})
}

// receivedFacts lists the declaration, each fact with its name.
func receivedFacts(ctx context.Context, w models.Withdrawal) [][2]string {
	return [][2]string{
		{locales.T(ctx, "withdrawal.received.at"), components.LegalTime(ctx, w.ReceivedAt)},
		{locales.T(ctx, "withdrawal.received.contract"), w.Contract},
		{locales.T(ctx, "withdrawal.received.name"), w.Name},
		{locales.T(ctx, "withdrawal.received.email"), w.Email},
		{locales.T(ctx, "withdrawal.received.number"), w.ID.String()},
	}
}

// ReceivedText is the confirmation as plain text.
func ReceivedText(ctx context.Context, w models.Withdrawal) string {
	return confirmation(ctx, "withdrawal.received.declared", receivedFacts(ctx, w))
}

// WithdrawalLetter is the confirmation that the seller e-mails. It contains the declaration only when it goes to the
// declaring account's own address: anyone may enter any address, and the seller must not mail a stranger's words to
// it. Otherwise it names the time and our purchase.
func WithdrawalLetter(ctx context.Context, w models.ListedWithdrawal) string {
	if w.OwnAddress {
		return ReceivedText(ctx, w.Withdrawal)
	}
	facts := receivedFacts(ctx, w.Withdrawal)
	safe := [][2]string{facts[0], facts[len(facts)-1]}
	if w.PurchaseNumber != 0 {
		safe = append(safe, [2]string{locales.T(ctx, "purchase_detail.number"), w.PurchaseNumber.String()})
	}
	return confirmation(ctx, "withdrawal.received.letter", safe)
}

func confirmation(ctx context.Context, opening string, facts [][2]string) string {
	lines := []string{locales.T(ctx, "app.name"), locales.T(ctx, "withdrawal.received.title"), "", locales.T(ctx, opening),
		""}
	for _, f := range facts {
		lines = append(lines, f[0]+": "+f[1])
	}
	return strings.Join(append(lines, "", locales.T(ctx, "withdrawal.received.text")), "\r\n") + "\r\n"
}

// MailAddress returns a mailto link with a subject and a body. A stranger chose the address: escaped, it is one
// recipient whatever it contains.
// Source: https://www.rfc-editor.org/rfc/rfc6068#section-2
func MailAddress(to string, letter url.Values) string {
	recipient := strings.ReplaceAll(url.QueryEscape(to), "%40", "@")
	return "mailto:" + recipient + "?" + strings.ReplaceAll(letter.Encode(), "+", "%20")
}

// withdrawalState returns the text key's last part for a withdrawal's state.
func withdrawalState(w models.Withdrawal) string {
	if w.HandledAt != nil {
		return "handled"
	}
	return "open"
}

func withdrawalKind(w models.Withdrawal) components.AlertKind {
	if w.HandledAt != nil {
		return components.Success
	}
	return components.Warning
}

// entitlementText says how the refund is computed.
func entitlementText(ctx context.Context, e models.Entitlement) string {
	key := "withdrawal.entitlement.share"
	if e.Full {
		key = "withdrawal.entitlement.full"
	}
	return locales.T(ctx, key, locales.Args{"cents": components.Money(ctx, e.Cents, e.Currency),
		"granted": components.CreditAmount(ctx, e.Granted), "used": components.CreditAmount(ctx, e.Used),
		"unused": components.CreditAmount(ctx, e.Unused)})
}

// handledText says when a declaration was closed, and what was refunded of its purchase.
func handledText(ctx context.Context, w models.Withdrawal, currency string) string {
	facts := locales.Args{"date": components.DateTime(ctx, *w.HandledAt)}
	if w.RefundedCents == nil || currency == "" {
		return locales.T(ctx, "withdrawal.handled", facts)
	}
	facts["cents"] = components.Money(ctx, *w.RefundedCents, currency)
	return locales.T(ctx, "withdrawal.handled_refunded", facts)
}
