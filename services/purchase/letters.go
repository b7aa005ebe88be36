package purchase

import (
	"fmt"
	"strconv"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// letterAbout is the letter about an entry of a purchase. The first grant confirms the order.
func letterAbout(tx models.Tx, p models.Purchase, entry models.CreditTransaction, facts money) (l mail.Letter,
	err error) {
	if facts.Withdrawn && entry.Reason == models.ReasonRefund && entry.DeltaCredits < 0 {
		w, err := openWithdrawal(tx, p.ID)
		if err != nil {
			return l, err
		}
		if w != nil {
			return letterAboutWithdrawal(tx, p, *w, entry, facts)
		}
	}
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
	if kind == models.LetterPurchasePaid {
		args.UsableFrom = usableFrom(p, entry.CreatedAt)
	}
	return mail.Letter{Kind: kind, About: about, UserID: &p.UserID, Locale: p.Locale, Args: args}, nil
}

// letterAboutWithdrawal is the letter about the refund of a withdrawal.
func letterAboutWithdrawal(tx models.Tx, p models.Purchase, w models.Withdrawal, entry models.CreditTransaction,
	facts money) (mail.Letter, error) {
	args := mail.WithdrawalRefunded{Purchase: letterArgs(p), Paid: p.PaidCents, PaidCurrency: p.PaymentCurrency(),
		Refunded: min(models.Cents(facts.refunded()), p.PaidCents), Full: !p.LatestConsent().Complete()}
	if args.Consent = nil; w.UsedCredits != nil {
		args.Used = *w.UsedCredits
	}
	recipient, err := addressOfDeleted(tx, p.UserID, w.Email)
	return mail.Letter{Kind: models.LetterWithdrawalRefunded, Locale: p.Locale, UserID: &p.UserID, Recipient: recipient,
		About: w.ID.String() + " " + strconv.FormatInt(entry.ID, 10), Args: args}, err
}

// addressOfDeleted returns the declared address if the account that it would be read from is deleted, else nothing.
func addressOfDeleted(tx models.Tx, userID int64, declared string) (recipient string, err error) {
	var deleted bool
	if err := tx.Raw(`SELECT deleted_at IS NOT NULL FROM users WHERE id = ?`, userID).Scan(&deleted).Error; err != nil {
		return "", fmt.Errorf("recipient of a letter to user %d: %w", userID, err)
	}
	if deleted {
		recipient = declared
	}
	return recipient, nil
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
	args := letterArgs(p)
	args.UsableFrom = usableFrom(p, p.CreatedAt)
	return mail.Add(tx, mail.Letter{Kind: kind, About: p.ID.String(), UserID: &p.UserID, Locale: p.Locale, Args: args})
}

// tellUsable stores the letter that confirms both statements, which the buyer made after the order.
//
// Source: § 312f Abs. 2 BGB
func tellUsable(tx models.Tx, p models.Purchase, freed models.Credits) error {
	args := letterArgs(p)
	args.Moved = freed
	return mail.Add(tx, mail.Letter{Kind: models.LetterCreditsUsable, About: p.ID.String(), UserID: &p.UserID,
		Locale: p.LaterConsent.Locale, Args: args})
}

// usableFrom returns the end of the withdrawal period if credits that are there at a time are held until then.
func usableFrom(p models.Purchase, there time.Time) *time.Time {
	end := PeriodEnd(p.CreatedAt)
	if !p.AwaitsConsent() || !there.Before(end) {
		return nil
	}
	return &end
}

func letterArgs(p models.Purchase) mail.Purchase {
	return mail.Purchase{ID: p.ID.String(), Number: p.Number, OrderedAt: p.CreatedAt, Credits: p.Credits,
		Cents: p.AmountCents, Currency: p.Currency, Consent: p.LatestConsent()}
}
