package letters

import (
	"context"
	"strings"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/views/components"
)

// refundPeriod is within what time the money of a withdrawal is due. Source: § 357 Abs. 1 BGB
const refundPeriod = 14 * 24 * time.Hour

// toOperator begins a letter to the operator: its texts, and the admin page on which to go on.
func toOperator(ctx context.Context, site Site, kind models.LetterKind, path string, texts locales.Args) letter {
	key := "letter." + string(kind)
	return letter{
		subject:    locales.T(ctx, key+".subject", texts),
		heading:    locales.T(ctx, key+".subject", texts),
		paragraphs: []string{locales.T(ctx, key+".text", texts)},
		action:     &action{locales.T(ctx, "letter.operator_open"), site.AppURL + "/" + locales.Code(ctx) + "/admin" + path},
	}
}

func operatorPurchase(ctx context.Context, site Site, r mail.InReview) letter {
	l := toOperator(ctx, site, models.LetterOperatorPurchase, "/purchases/"+r.ID, nil)
	l.facts = inReview(ctx, "purchase_detail.number", r)
	return l
}

func operatorEvent(ctx context.Context, site Site, r mail.InReview) letter {
	l := toOperator(ctx, site, models.LetterOperatorEvent, "/events/"+r.ID, nil)
	l.facts = inReview(ctx, "letter.fact.event", r)
	return l
}

// inReview says what is in review and why.
func inReview(ctx context.Context, what string, r mail.InReview) []fact {
	return []fact{{locales.T(ctx, "letter.fact.reason"), components.CauseText(ctx, r.Cause)}, {locales.T(ctx, what), numberOr(r.Number, r.ID)}}
}

func operatorDispute(ctx context.Context, site Site, d mail.DisputeOpened) letter {
	l := toOperator(ctx, site, models.LetterOperatorDispute, "/purchases/"+d.PurchaseID, nil)
	due := locales.T(ctx, "letter.operator_dispute.no_due")
	if d.DueBy != nil {
		due = components.DateTime(ctx, *d.DueBy)
	}
	l.facts = []fact{
		{locales.T(ctx, "letter.fact.due"), due},
		{locales.T(ctx, "purchase_detail.amount"), components.Money(ctx, d.Cents, d.Currency)},
		{locales.T(ctx, "purchase_detail.number"), numberOr(d.PurchaseNumber, d.PurchaseID)},
		{locales.T(ctx, "letter.fact.dispute"), d.ID},
	}
	return l
}

func operatorWithdrawal(ctx context.Context, site Site, w mail.WithdrawalDeclared) letter {
	l := toOperator(ctx, site, models.LetterOperatorWithdrawal, "/withdrawals",
		locales.Args{"due": components.DateTime(ctx, w.ReceivedAt.Add(refundPeriod))})
	l.facts = []fact{{locales.T(ctx, "withdrawal.received.at"), components.DateTime(ctx, w.ReceivedAt)},
		{locales.T(ctx, "withdrawal.received.number"), w.ID}}
	return l
}

func operatorFindings(ctx context.Context, site Site, f mail.FindingsFound) letter {
	l := toOperator(ctx, site, models.LetterOperatorFindings, "/events", nil)
	l.facts = []fact{
		{locales.T(ctx, "letter.fact.findings"), locales.Number(ctx, f.Findings)},
		{locales.T(ctx, "letter.fact.to_decide"), locales.Number(ctx, f.Review)},
		{locales.T(ctx, "letter.fact.finished"), components.DateTime(ctx, f.FinishedAt)},
	}
	return l
}

func operatorSilence(ctx context.Context, site Site, s mail.EventMissing) letter {
	l := toOperator(ctx, site, models.LetterOperatorSilence, "/events", nil)
	l.facts = []fact{{locales.T(ctx, "letter.fact.stripe_object"), s.Object}}
	return l
}

// operatorDigest sums up a day.
func operatorDigest(ctx context.Context, site Site, d mail.Digest) letter {
	l := toOperator(ctx, site, models.LetterOperatorDigest, "", locales.Args{"day": components.Day(ctx, d.Day)})
	var taken []string
	for _, r := range d.Revenue {
		taken = append(taken, components.Money(ctx, r.Cents, r.Currency))
	}
	if len(taken) == 0 {
		taken = []string{locales.T(ctx, "letter.operator_digest.nothing")}
	}
	l.facts = []fact{
		{locales.T(ctx, "letter.fact.taken"), strings.Join(taken, "\n")},
		{locales.T(ctx, "letter.fact.sold"), components.CreditAmount(ctx, d.Sold)},
		{locales.T(ctx, "letter.fact.used"), components.CreditAmount(ctx, d.Used)},
		{locales.T(ctx, "letter.fact.returned"), components.CreditAmount(ctx, d.Returned)},
		{locales.T(ctx, "letter.fact.to_decide"), locales.Number(ctx, d.Waiting)},
	}
	if d.Unsent > 0 {
		l.paragraphs = append(l.paragraphs, locales.N(ctx, "letter.operator_digest.unsent", d.Unsent))
	}
	return l
}
