package purchase

import (
	"strconv"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// tellMoved stores the letter about an entry of a purchase. The first grant confirms the order.
func tellMoved(tx models.Tx, p models.Purchase, entry models.CreditTransaction) error {
	kind, about := models.LetterPurchasePaid, p.ID.String()
	switch added := entry.DeltaCredits > 0; {
	case entry.Reason == models.ReasonRefund && !added:
		kind = models.LetterRefunded
	case entry.Reason == models.ReasonRefund:
		kind = models.LetterRefundFailed
	case entry.Reason == models.ReasonDispute && !added:
		kind = models.LetterDisputed
	case entry.Reason == models.ReasonDispute:
		kind = models.LetterDisputeReturned
	}
	if kind != models.LetterPurchasePaid {
		about += " " + strconv.FormatInt(entry.ID, 10)
	}
	args := letterArgs(p)
	args.Moved, args.Balance = entry.DeltaCredits, entry.BalanceAfter
	return mail.Add(tx, mail.Letter{Kind: kind, About: about, UserID: &p.UserID, Locale: p.Locale, Args: args})
}

// tellUnpaid stores the letter about a bank's payment that is under way or has failed; other states need none.
func tellUnpaid(tx models.Tx, p models.Purchase) error {
	kind := models.LetterDebitPending
	switch p.Status {
	case models.PurchaseAwaitingPayment:
	case models.PurchaseFailed:
		kind = models.LetterDebitFailed
	default:
		return nil
	}
	return mail.Add(tx, mail.Letter{Kind: kind, About: p.ID.String(), UserID: &p.UserID, Locale: p.Locale,
		Args: letterArgs(p)})
}

func letterArgs(p models.Purchase) mail.Purchase {
	return mail.Purchase{ID: p.ID.String(), OrderedAt: p.CreatedAt, Credits: p.Credits, Cents: p.AmountCents,
		Currency: p.Currency, Consent: p.Consent}
}
