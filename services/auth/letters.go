package auth

import (
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/mail"
)

// addressee is where a user is written to, before a change that may take the address away.
type addressee struct{ Email, Locale string }

func findAddressee(tx models.Tx, userID int64) (to addressee, err error) {
	err = tx.Raw(`SELECT coalesce(email, '') AS email, locale FROM users WHERE id = ?`, userID).Scan(&to).Error
	if err != nil {
		return to, fmt.Errorf("address of user %d: %w", userID, err)
	}
	return to, nil
}

// tell stores the letter about a change of the ways into an account. It goes to the address from before the change, so
// that its owner learns of what a stranger did.
func (to addressee) tell(tx models.Tx, kind models.LetterKind, userID int64, identity string, about mail.Access) error {
	return mail.Add(tx, mail.Letter{Kind: kind, About: fmt.Sprintf("%d %s %d", userID, identity, about.At.UnixMicro()),
		UserID: &userID, Recipient: to.Email, Locale: to.Locale, Args: about})
}

// providerLabel is a provider's proper name, or its name in addresses when it is no longer offered.
func (s *Service) providerLabel(name string) string {
	for _, p := range s.Providers() {
		if p.Name == name {
			return p.Label
		}
	}
	return name
}
