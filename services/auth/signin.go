package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// admitAttempts bounds how often a free address may be taken by somebody else in the same moment.
const admitAttempts = 3

// arrival is one sign-in at the database's door.
type arrival struct {
	issuer   string
	provider string
	who      profile
	locale   string
	admins   []string
	now      time.Time
}

// signIn finds the user of an identity, links the identity to a user, or makes a user for it.
//
// A known identity is its user, whatever its address has become. A new one never opens an account by its address, with
// one exception: an account to which nobody has ever signed in, made from an address that paid, opens to the first
// identity for which the provider has verified that address.
//
// Locks: the identity, its address, then users by ascending id.
// Idempotent: the same identity always ends at the same user, from any number of requests at once.
// Errors: *Held.
func (s *Service) signIn(ctx context.Context, config ProviderConfig, who profile, locale string) (models.User, error) {
	a := s.arrival(config, who)
	a.locale = locale
	var id int64
	var held *Held
	err := postgres.Transaction(ctx, s.db, func(tx models.Tx) (err error) {
		held = nil
		id, err = a.settle(tx)
		var taken *takenError
		if errors.As(err, &taken) {
			held, err = s.hold(tx, a, taken.holder)
			return err // the refusal is committed
		}
		if err == nil {
			err = a.pin(tx, id)
		}
		return err
	})
	if err != nil {
		return models.User{}, fmt.Errorf("sign in: %w", err)
	}
	if held != nil {
		s.log.WarnContext(ctx, "sign-in held back: an account has its address", "provider", a.provider, "user_id", held.Join.UserID, "same_issuer", held.Reissued,
			"admin", slices.Contains(s.admins, who.Email))
		return models.User{}, held
	}
	s.claim(ctx, id)
	var user models.User
	if err := s.db.WithContext(ctx).Raw("SELECT "+userColumns+" FROM users WHERE id = ?", id).Scan(&user).Error; err != nil {
		return models.User{}, fmt.Errorf("read user %d: %w", id, err)
	}
	return user, nil
}

func (s *Service) arrival(config ProviderConfig, who profile) arrival {
	return arrival{issuer: config.KnownAs(), provider: config.Name, who: who, admins: s.admins, now: s.now()}
}

// takenError says that a new identity has the address of a user who signs in otherwise.
type takenError struct{ holder int64 }

// Error says it for the log.
func (e *takenError) Error() string { return "the address belongs to another user" }

// settle returns the user that an arrival belongs to.
func (a arrival) settle(tx models.Tx) (int64, error) {
	if err := a.lock(tx); err != nil {
		return 0, err
	}
	userID, err := a.refresh(tx)
	if err != nil {
		return 0, err
	}
	if userID == 0 {
		return a.admit(tx)
	}
	return userID, settleAddress(tx, userID, a.now)
}

// lock has all that arrives with this identity or this address wait for each other.
func (a arrival) lock(tx models.Tx) error {
	if err := lockText(tx, "identity\n"+a.issuer+"\n"+a.who.Subject); err != nil || a.who.Email == "" {
		return err
	}
	return ledger.LockAddress(tx, a.who.Email)
}

// lockText holds a lock on something that has no row yet, until the transaction ends.
func lockText(tx models.Tx, text string) error {
	if err := tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?::text, 0))", text).Error; err != nil {
		return fmt.Errorf("lock sign-in: %w", err)
	}
	return nil
}

// refresh writes down what the provider says today about an identity it has told of before. 0 when it is new.
func (a arrival) refresh(tx models.Tx) (int64, error) {
	var userID int64
	err := tx.Raw(`UPDATE identities SET provider = ?, email = ?, email_verified = ?, name = ?, last_sign_in_at = ?
		WHERE issuer = ? AND subject = ? RETURNING user_id`,
		a.provider, a.who.Email, a.who.EmailVerified, a.who.Name, a.now, a.issuer, a.who.Subject).Scan(&userID).Error
	if err != nil {
		return 0, fmt.Errorf("refresh identity: %w", err)
	}
	return userID, nil
}

// admit finds or makes the user of a new identity and writes the identity down.
func (a arrival) admit(tx models.Tx) (int64, error) {
	for range admitAttempts {
		userID, err := a.place(tx)
		if err != nil {
			return 0, err
		}
		if userID == 0 { // the address was free a moment ago: a Checkout took it
			continue
		}
		return userID, a.write(tx, userID)
	}
	return 0, errors.New("add user: the address is taken again and again")
}

// write adds the new identity to a user.
func (a arrival) write(tx models.Tx, userID int64) error {
	err := tx.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name, created_at, last_sign_in_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.issuer, a.who.Subject, userID, a.provider, a.who.Email, a.who.EmailVerified,
		a.who.Name, a.now, a.now).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM refused_identities WHERE issuer = ? AND subject = ?`, a.issuer, a.who.Subject).Error
	}
	if err != nil {
		return fmt.Errorf("add identity: %w", err)
	}
	return nil
}

// place returns the user for a new identity, 0 when the address was taken in this very moment.
func (a arrival) place(tx models.Tx) (int64, error) {
	if !a.who.EmailVerified { // the address stays with the identity: anybody may claim one
		return a.insertUser(tx, "")
	}
	holder, claimed, err := lockHolder(tx, a.who.Email)
	switch {
	case err != nil:
		return 0, err
	case holder == 0:
		return a.insertUser(tx, a.who.Email)
	case claimed:
		return 0, &takenError{holder}
	}
	return holder, a.fillIn(tx, holder)
}

// holderOf selects the user who holds @email: whose address it is, or else one of whom a provider has verified it, and of
// several @user before the others.
const holderOf = `SELECT id FROM users
	WHERE email = @email OR id IN (SELECT user_id FROM identities WHERE email = @email AND email_verified)
	ORDER BY email IS NOT DISTINCT FROM @email DESC, id = @user DESC, id LIMIT 1`

// lockHolder returns the user who holds an address, locked, or 0. claimed says that this user has ever signed in.
func lockHolder(tx models.Tx, email string) (id int64, claimed bool, err error) {
	if email == "" {
		return 0, false, nil
	}
	var row struct {
		ID      int64
		Claimed bool
	}
	err = tx.Raw(`SELECT id, EXISTS (SELECT FROM identities WHERE user_id = users.id) AS claimed FROM users
		WHERE id = (`+holderOf+`) FOR UPDATE`, map[string]any{"email": email, "user": 0}).Scan(&row).Error
	if err != nil {
		return 0, false, fmt.Errorf("lock holder of an address: %w", err)
	}
	return row.ID, row.Claimed, nil
}

// insertUser makes a user, with an address or without. 0 when another holds the address after all.
func (a arrival) insertUser(tx models.Tx, email string) (int64, error) {
	var id int64
	err := tx.Raw(`INSERT INTO users (email, name, locale, created_at, updated_at) VALUES (NULLIF(?::text, ''), ?, ?, ?, ?)
		ON CONFLICT DO NOTHING RETURNING id`, email, a.who.Name, a.locale, a.now, a.now).Scan(&id).Error
	if err != nil {
		return 0, fmt.Errorf("add user: %w", err)
	}
	return id, nil
}

// fillIn adds what a user who was made from a Checkout's address does not have yet.
func (a arrival) fillIn(tx models.Tx, userID int64) error {
	err := tx.Exec(`UPDATE users SET name = CASE WHEN name = '' THEN ? ELSE name END,
		locale = CASE WHEN locale = '' THEN ? ELSE locale END, updated_at = ?
		WHERE id = ? AND (name = '' OR locale = '')`, a.who.Name, a.locale, a.now, userID).Error
	if err != nil {
		return fmt.Errorf("complete user %d: %w", userID, err)
	}
	return nil
}
