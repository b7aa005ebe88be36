package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/user"
)

// MaxName is how many characters a user's name may have.
const MaxName = maxNameRunes

// Rename sets a user's name and language. Later sign-ins keep both: a provider's name goes to the identity, and to the
// user only if they have none.
//
// Errors: fault.Invalid for a name that is empty, too long or has invisible characters, and for an unknown language;
// fault.NotFound.
func (s *Service) Rename(ctx context.Context, userID int64, name, locale string) error {
	name = strings.TrimSpace(name)
	switch {
	case name == "" || utf8.RuneCountInString(name) > MaxName || !models.Storable(name) || cleanName(name) != name:
		return fault.Field("name", fault.NameUnfit)
	case !models.KnownLocale(locale):
		return fault.Field("locale", fault.LocaleUnknown)
	}
	done := s.db.WithContext(ctx).Exec("UPDATE users SET name = ?, locale = ?, updated_at = ? WHERE id = ?", name, locale,
		s.now(), userID)
	switch {
	case done.Error != nil:
		return fmt.Errorf("rename user %d: %w", userID, done.Error)
	case done.RowsAffected == 0:
		return fault.New(fault.NotFound, nil)
	}
	return nil
}

// IdentityID identifies an identity in forms. Pages do not show its key, which is the provider's id of a person.
func IdentityID(i models.Identity) string {
	sum := sha256.Sum256([]byte(i.Issuer + "\n" + i.Subject))
	return hex.EncodeToString(sum[:16])
}

// Unlink removes an identity from a user, with the address that it verified and the sessions that it opened. The last
// identity stays.
//
// Locks: the user. Idempotent. Errors: fault.Conflict with fault.LastIdentity.
func (s *Service) Unlink(ctx context.Context, userID int64, id string) error {
	return postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		if err := tx.Exec("SELECT 1 FROM users WHERE id = ? FOR UPDATE", userID).Error; err != nil {
			return fmt.Errorf("lock user %d: %w", userID, err)
		}
		var found []models.Identity
		if err := tx.Raw("SELECT issuer, subject, provider FROM identities WHERE user_id = ?", userID).Scan(&found).Error; err != nil {
			return fmt.Errorf("identities of user %d: %w", userID, err)
		}
		for _, identity := range found {
			if IdentityID(identity) != id {
				continue
			}
			if len(found) == 1 {
				return fault.Because(fault.Conflict, fault.LastIdentity)
			}
			err := tx.Exec("DELETE FROM identities WHERE issuer = ? AND subject = ?", identity.Issuer, identity.Subject).Error
			if err != nil {
				return fmt.Errorf("unlink an identity of user %d: %w", userID, err)
			}
			if err := endSessionsOf(tx, userID, identity); err != nil {
				return err
			}
			if err := s.tellUnlinked(tx, userID, identity); err != nil {
				return err
			}
			if err := auditIdentity(tx, models.ActionIdentityUnlink, userID, identity.Issuer); err != nil {
				return err
			}
			return user.AssignAddress(tx, userID, s.now())
		}
		return nil
	})
}

// tellUnlinked stores the letter about a removed identity, before the user loses the address that it verified.
func (s *Service) tellUnlinked(tx models.Tx, userID int64, identity models.Identity) error {
	to, err := findAddressee(tx, userID)
	if err != nil {
		return err
	}
	return to.tell(tx, models.LetterIdentityUnlinked, userID, IdentityID(identity),
		mail.Access{At: s.now(), Provider: s.providerLabel(identity.Provider)})
}
