package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/user"
)

// insertAttempts is how often a user is inserted while concurrent Checkouts take the address.
const insertAttempts = 3

// attempt is one sign-in: an identity that a provider vouches for.
type attempt struct {
	issuer   string
	provider string
	profile  profile
	locale   string
	staff    []string // addresses with a right
	now      time.Time
}

// signIn returns the user of an identity; for a new identity it creates one.
//
// A known identity keeps its user, even if its address changes. A new one never opens an existing account by its
// address, with one exception: an account without identities, created for the address of a payment, opens to the first
// identity with that address, verified.
//
// Locks: the identity, its address, then users by ascending id.
// Idempotent: concurrent sign-ins with one identity end at the same user.
// Errors: *AddressInUseError.
func (s *Service) signIn(ctx context.Context, config ProviderConfig, person profile, locale string) (models.User,
	error) {
	a := s.attempt(config, person)
	a.locale = locale
	var id int64
	var refused *AddressInUseError
	err := postgres.Transaction(ctx, s.db, func(tx models.Tx) (err error) {
		refused = nil
		id, err = a.findOrCreateUser(tx)
		if taken, ok := errors.AsType[*addressTakenError](err); ok {
			refused, err = s.addressInUse(tx, a, taken.owner)
			return err // the refusal is committed
		}
		if err == nil {
			err = a.grantAdminRight(tx, id)
		}
		return err
	})
	if err != nil {
		return models.User{}, fmt.Errorf("sign in: %w", err)
	}
	if refused != nil {
		s.log.WarnContext(ctx, "sign-in refused: address in use", "provider", a.provider, "user_id", refused.Pending.UserID,
			"same_issuer", refused.Reissued, "admin", slices.Contains(s.admins, person.Email))
		return models.User{}, refused
	}
	s.claim(ctx, id)
	var user models.User
	if err := s.db.WithContext(ctx).Raw("SELECT "+userColumns+" FROM users WHERE id = ?",
		id).Scan(&user).Error; err != nil {
		return models.User{}, fmt.Errorf("read user %d: %w", id, err)
	}
	return user, nil
}

func (s *Service) attempt(config ProviderConfig, person profile) attempt {
	return attempt{issuer: config.StoredIssuer(), provider: config.Name, profile: person, staff: s.staff(), now: s.now()}
}

// addressTakenError means that a new identity has the address of a user with other identities.
type addressTakenError struct{ owner int64 }

// Error is the text for the log.
func (e *addressTakenError) Error() string { return "the address belongs to another user" }

// findOrCreateUser returns the user of the identity.
func (a attempt) findOrCreateUser(tx models.Tx) (int64, error) {
	if err := a.lock(tx); err != nil {
		return 0, err
	}
	userID, err := a.updateIdentity(tx)
	if err != nil {
		return 0, err
	}
	if userID == 0 {
		return a.addIdentity(tx)
	}
	return userID, user.AssignAddress(tx, userID, a.now)
}

// lock serializes attempts with the same identity or the same address.
func (a attempt) lock(tx models.Tx) error {
	if err := lockText(tx, "identity\n"+a.issuer+"\n"+a.profile.Subject); err != nil || a.profile.Email == "" {
		return err
	}
	return user.LockAddress(tx, a.profile.Email)
}

// lockText locks a key that has no row yet, until the transaction ends.
func lockText(tx models.Tx, text string) error {
	if err := tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?::text, 0))", text).Error; err != nil {
		return fmt.Errorf("lock sign-in: %w", err)
	}
	return nil
}

// updateIdentity stores the provider's present profile of a known identity. It returns 0 for a new one.
func (a attempt) updateIdentity(tx models.Tx) (int64, error) {
	var userID int64
	err := tx.Raw(`UPDATE identities SET provider = ?, email = ?, email_verified = ?, name = ?, last_sign_in_at = ?
		WHERE issuer = ? AND subject = ? RETURNING user_id`,
		a.provider, a.profile.Email, a.profile.EmailVerified, a.profile.Name, a.now, a.issuer,
		a.profile.Subject).Scan(&userID).Error
	if err != nil {
		return 0, fmt.Errorf("update identity: %w", err)
	}
	return userID, nil
}

// addIdentity finds or creates the user of a new identity and inserts the identity.
func (a attempt) addIdentity(tx models.Tx) (int64, error) {
	for range insertAttempts {
		userID, err := a.chooseUser(tx)
		if err != nil {
			return 0, err
		}
		if userID == 0 { // a concurrent Checkout took the address
			continue
		}
		return userID, a.insertIdentity(tx, userID)
	}
	return 0, errors.New("add user: too many concurrent users of the address")
}

// insertIdentity adds the new identity to a user.
func (a attempt) insertIdentity(tx models.Tx, userID int64) error {
	err := tx.Exec(
		`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name, created_at, last_sign_in_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.issuer, a.profile.Subject, userID, a.provider, a.profile.Email, a.profile.EmailVerified,
		a.profile.Name, a.now, a.now).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM refused_identities WHERE issuer = ? AND subject = ?`, a.issuer, a.profile.Subject).Error
	}
	if err != nil {
		return fmt.Errorf("add identity: %w", err)
	}
	return nil
}

// chooseUser returns the user for a new identity, 0 if a concurrent Checkout took the address.
func (a attempt) chooseUser(tx models.Tx) (int64, error) {
	if !a.profile.EmailVerified { // an unverified address goes to the identity only
		return a.insertUser(tx, "")
	}
	owner, claimed, err := lockAddressOwner(tx, a.profile.Email)
	switch {
	case err != nil:
		return 0, err
	case owner == 0:
		return a.insertUser(tx, a.profile.Email)
	case claimed:
		return 0, &addressTakenError{owner}
	}
	return owner, a.completeUser(tx, owner)
}

// ownerOfSQL selects the owner of @email: the user with that address, or else one for whom a provider has verified it,
// of several first @user. user.ByAddress finds none of several, since credits could reach the wrong one; a new identity
// must be refused whichever of them it meets.
const ownerOfSQL = `SELECT id FROM users
	WHERE email = @email OR id IN (SELECT user_id FROM identities WHERE email = @email AND email_verified)
	ORDER BY email IS NOT DISTINCT FROM @email DESC, id = @user DESC, id LIMIT 1`

// lockAddressOwner locks the owner of an address and returns its id, 0 if there is none. claimed reports whether it has
// identities.
func lockAddressOwner(tx models.Tx, email string) (id int64, claimed bool, err error) {
	if email == "" {
		return 0, false, nil
	}
	var row struct {
		ID      int64
		Claimed bool
	}
	err = tx.Raw(`SELECT id, EXISTS (SELECT FROM identities WHERE user_id = users.id) AS claimed FROM users
		WHERE id = (`+ownerOfSQL+`) FOR UPDATE`, map[string]any{"email": email, "user": 0}).Scan(&row).Error
	if err != nil {
		return 0, false, fmt.Errorf("lock owner of an address: %w", err)
	}
	return row.ID, row.Claimed, nil
}

// insertUser creates a user, with or without an address. It returns 0 if another user has the address.
func (a attempt) insertUser(tx models.Tx, email string) (int64, error) {
	var id int64
	err := tx.Raw(`INSERT INTO users (email, name, locale, created_at, updated_at) VALUES (NULLIF(?::text, ''), ?, ?, ?, ?)
		ON CONFLICT DO NOTHING RETURNING id`, email, a.profile.Name, a.locale, a.now, a.now).Scan(&id).Error
	if err != nil {
		return 0, fmt.Errorf("add user: %w", err)
	}
	return id, nil
}

// completeUser sets the name and language of a user who was created for a payment.
func (a attempt) completeUser(tx models.Tx, userID int64) error {
	err := tx.Exec(`UPDATE users SET name = CASE WHEN name = '' THEN ? ELSE name END,
		locale = CASE WHEN locale = '' THEN ? ELSE locale END, updated_at = ?
		WHERE id = ? AND (name = '' OR locale = '')`, a.profile.Name, a.locale, a.now, userID).Error
	if err != nil {
		return fmt.Errorf("complete user %d: %w", userID, err)
	}
	return nil
}
