package pages

import (
	"context"
	"strconv"
	"strings"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// GrantSummary summarizes a grant or, with a negative delta, a correction, to be confirmed.
func GrantSummary(ctx context.Context, u models.User, delta, after models.Credits, note string) SummaryData {
	key := "grant"
	if delta < 0 {
		key = "correct"
	}
	amount := components.CreditAmount(ctx, max(delta, -delta))
	return SummaryData{
		Heading: locales.T(ctx, "summary."+key+".heading", locales.Args{"credits": amount}),
		Submit:  locales.T(ctx, "summary."+key+".submit", locales.Args{"credits": amount}),
		Final:   delta < 0,
		Facts: [][2]string{summaryWho(ctx, u), summaryBalance(ctx, u.CreditsBalance, after),
			summaryNote(ctx, note)},
	}
}

// RefundSummary summarizes a refund of cents, to be confirmed.
func RefundSummary(ctx context.Context, p models.Purchase, u models.User, form RefundForm) SummaryData {
	amount := locales.Args{"amount": components.Money(ctx, form.Cents, p.PaymentCurrency())}
	return SummaryData{
		Heading: locales.T(ctx, "summary.refund.heading", amount), Submit: locales.T(ctx, "summary.refund.submit", amount),
		Final: true,
		Facts: [][2]string{summaryWho(ctx, u), summaryPurchase(ctx, p),
			{locales.T(ctx, "summary.left"), components.Money(ctx, form.Left-form.Cents, p.PaymentCurrency())},
			summaryBalance(ctx, form.After+form.Takes, form.After), summaryNote(ctx, form.Note)},
	}
}

// MoveSummary summarizes moving a purchase to another account, to be confirmed.
func MoveSummary(ctx context.Context, p models.Purchase, m MovePreview, note string) SummaryData {
	return SummaryData{
		Heading: locales.T(ctx, "summary.move.heading", locales.Args{"number": p.Number.String()}),
		Submit:  locales.T(ctx, "summary.move.submit", locales.Args{"credits": components.CreditAmount(ctx, m.Credits)}),
		Facts: [][2]string{
			{locales.T(ctx, "summary.from"), personFact(ctx, m.From)},
			{locales.T(ctx, "summary.from_balance"), balanceFact(ctx, m.From.CreditsBalance, m.FromAfter)},
			{locales.T(ctx, "summary.to"), personFact(ctx, m.To)},
			{locales.T(ctx, "summary.to_balance"), balanceFact(ctx, m.To.CreditsBalance, m.ToAfter)},
			summaryNote(ctx, note)},
	}
}

// BookSummary summarizes granting the credits of a payment in review, to be confirmed.
func BookSummary(ctx context.Context, p models.Purchase, u models.User, credits models.Credits, note string,
) SummaryData {
	amount := locales.Args{"credits": components.CreditAmount(ctx, credits)}
	return SummaryData{
		Heading: locales.T(ctx, "summary.grant.heading", amount), Submit: locales.T(ctx, "summary.grant.submit", amount),
		Facts: [][2]string{summaryWho(ctx, u), summaryPurchase(ctx, p),
			{locales.T(ctx, "purchase_detail.paid"), components.Money(ctx, p.PaidCents, p.PaymentCurrency())},
			summaryBalance(ctx, u.CreditsBalance, u.CreditsBalance+credits), summaryNote(ctx, note)},
	}
}

// ShareSummary summarizes the share of a payment that a dispute takes, to be confirmed; after is the buyer's balance
// then.
func ShareSummary(ctx context.Context, p models.Purchase, u models.User, after models.Credits, share models.Cents,
	note string) SummaryData {
	amount := locales.Args{"share": components.Money(ctx, share, p.PaymentCurrency())}
	return SummaryData{
		Heading: locales.T(ctx, "summary.share.heading", amount), Submit: locales.T(ctx, "summary.share.submit", amount),
		Facts: [][2]string{summaryWho(ctx, u), summaryPurchase(ctx, p),
			{locales.T(ctx, "purchase_detail.paid"), components.Money(ctx, p.PaidCents, p.PaymentCurrency())},
			summaryBalance(ctx, u.CreditsBalance, after), summaryNote(ctx, note)},
	}
}

// WithdrawalSummary summarizes refunding what a declaration entitles to, to be confirmed.
func WithdrawalSummary(ctx context.Context, w models.Withdrawal, e models.Entitlement) SummaryData {
	amount := locales.Args{"amount": components.Money(ctx, e.Cents, e.Currency)}
	return SummaryData{
		Heading: locales.T(ctx, "summary.refund.heading", amount), Submit: locales.T(ctx, "summary.refund.submit", amount),
		Final: true, Fields: []ResendField{{Name: "seen", Value: strconv.FormatInt(int64(e.Cents), 10)}},
		Facts: [][2]string{{locales.T(ctx, "summary.who"), w.Name + " · " + w.Email},
			{locales.T(ctx, "withdrawal.received.contract"), w.Contract},
			{locales.T(ctx, "summary.basis"), entitlementText(ctx, e)},
			{locales.T(ctx, "summary.takes"), components.CreditAmount(ctx, e.Unused)}},
	}
}

func summaryWho(ctx context.Context, u models.User) [2]string {
	return [2]string{locales.T(ctx, "summary.who"), personFact(ctx, u)}
}

// personFact names a user by all that tells them apart from others.
func personFact(ctx context.Context, u models.User) string {
	all := []string{userName(ctx, u)}
	if u.Email != "" && u.Email != all[0] {
		all = append(all, u.Email)
	}
	if number := numbered(ctx, u.ID); number != all[0] {
		all = append(all, number)
	}
	return strings.Join(all, " · ")
}

func summaryPurchase(ctx context.Context, p models.Purchase) [2]string {
	return [2]string{locales.T(ctx, "summary.purchase"),
		p.Number.String() + " · " + components.CreditAmount(ctx, p.Credits)}
}

func summaryBalance(ctx context.Context, before, after models.Credits) [2]string {
	return [2]string{locales.T(ctx, "summary.balance"), balanceFact(ctx, before, after)}
}

func balanceFact(ctx context.Context, before, after models.Credits) string {
	return components.CreditAmount(ctx, before) + " → " + components.CreditAmount(ctx, after)
}

func summaryNote(ctx context.Context, note string) [2]string {
	return [2]string{locales.T(ctx, "admin_user.grant.note"), strings.TrimSpace(note)}
}
