package withdrawal

import (
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// lettersToOthers is how many confirmations an hour an address gets that is not a buyer's.
const lettersToOthers = 3

// confirm stores the letter that confirms a new declaration. Anyone may enter any address, so the text of the form goes
// only to a buyer's address, up to floodFrom times an hour. Other addresses have no contract with us: their letter says
// only that they were named, up to lettersToOthers times an hour. In a flood, the page is the only confirmation. A
// declaration from the page of a purchase always gets a letter.
//
// Source: § 356a Abs. 4 BGB
func confirm(tx models.Tx, w models.Withdrawal) error {
	var known struct {
		Buyer bool  // the address is that of an account which bought, or which declares
		Sent  int64 // confirmations to the address in the last hour
	}
	err := tx.Raw(`SELECT
		EXISTS (SELECT FROM users u WHERE u.email = @email AND (u.id = @user OR EXISTS (SELECT FROM purchases p WHERE p.user_id = u.id
			AND p.status IN ('paid', 'awaiting_payment', 'review', 'returned')))) AS buyer,
		(SELECT count(*) FROM letters WHERE recipient = @email AND created_at > @since) AS sent`,
		map[string]any{"email": w.Email, "user": w.UserID, "since": w.ReceivedAt.Add(-time.Hour)}).Scan(&known).Error
	if err != nil {
		return fmt.Errorf("look for the declarant of withdrawal %s: %w", w.ID, err)
	}
	most := int64(lettersToOthers)
	if known.Buyer {
		most = floodFrom
	}
	if w.PurchaseID == nil && (known.Sent >= most || w.Priority == models.WithdrawalPriorityFlood) {
		return nil
	}
	args := mail.WithdrawalReceived{ID: w.ID.String(), ReceivedAt: w.ReceivedAt}
	if known.Buyer {
		args.Contract, args.Name, args.Email = w.Contract, w.Name, w.Email
	}
	return mail.Add(tx, mail.Letter{Kind: models.LetterWithdrawalReceived, About: w.ID.String(), UserID: w.UserID,
		Recipient: w.Email, Locale: w.Locale, Args: args})
}

// clip shortens a text to at most limit characters.
func clip(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}
