package auth

import (
	"context"
	"fmt"
	"net/url"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// Purpose is what somebody who is signed in goes to a provider for. A flow without one signs in.
type Purpose string

// The purposes.
const (
	Linking    Purpose = "link"    // to add a way to sign in
	Confirming Purpose = "confirm" // to show that it is still them
	Joining    Purpose = "join"    // to sign in the old way and add the identity that was held back
)

// maxIdentities is how many ways to sign in one user may have.
const maxIdentities = 20

// Link adds the identity that a provider vouches for to the user who began the flow. already says that it was theirs.
//
// An identity never changes its user here, and neither does an address: one that is known to belong to another user, by
// itself or by its verified address, is refused before anything is written. What waits for that address is claimed.
//
// Locks: the identity and its e-mail address, then the users concerned by ascending id.
// Errors: as Complete; fault.Conflict with fault.IdentityTaken, fault.AddressTaken or fault.IdentityLimit; fault.NotFound
// when the user is gone.
func (s *Service) Link(ctx context.Context, userID int64, flow Flow, query url.Values) (already bool, err error) {
	config, who, err := s.identify(ctx, flow, query)
	if err != nil {
		return false, err
	}
	return s.link(ctx, userID, config, who)
}

func (s *Service) link(ctx context.Context, userID int64, config ProviderConfig, who profile) (already bool, err error) {
	a := s.arrival(config, who)
	err = postgres.Transaction(ctx, s.db, func(tx models.Tx) (err error) {
		already, err = a.join(tx, userID)
		if err != nil || already {
			return err
		}
		return auditIdentity(tx, models.ActionIdentityLink, userID, a.issuer)
	})
	if err != nil {
		return false, fmt.Errorf("link a sign-in to user %d: %w", userID, err)
	}
	s.claim(ctx, userID)
	return already, nil
}

// auditIdentity writes down that a way into an account was opened or closed.
func auditIdentity(tx models.Tx, action models.Action, userID int64, issuer string) error {
	return models.AppendAudit(tx, models.AuditEvent{Action: action, UserID: userID, Detail: map[string]any{"issuer": issuer}})
}

// join gives the arrival's identity to the user.
func (a arrival) join(tx models.Tx, userID int64) (already bool, err error) {
	if err := a.lock(tx); err != nil {
		return false, err
	}
	owner, err := identityOwner(tx.DB, a.issuer, a.who.Subject)
	switch {
	case err != nil:
		return false, err
	case owner != 0 && owner != userID:
		return false, fault.Because(fault.Conflict, fault.IdentityTaken)
	}
	if err := a.mayJoin(tx, userID, owner == 0); err != nil {
		return false, err
	}
	if owner != 0 {
		_, err = a.refresh(tx)
	} else {
		err = a.write(tx, userID)
	}
	if err == nil {
		err = settleAddress(tx, userID, a.now)
	}
	if err == nil {
		err = a.pin(tx, userID)
	}
	return owner != 0, err
}

// mayJoin locks the user and whoever holds the arrival's address, and says whether the identity may be the user's.
func (a arrival) mayJoin(tx models.Tx, userID int64, fresh bool) error {
	var rows []struct {
		ID         int64
		Gone       bool
		Identities int64
	}
	err := tx.Raw(`SELECT id, deleted_at IS NOT NULL AS gone, (SELECT count(*) FROM identities WHERE user_id = users.id) AS identities
		FROM users WHERE id = @user OR (@verified AND id = (`+holderOf+`)) ORDER BY id FOR UPDATE`,
		map[string]any{"user": userID, "email": a.who.Email, "verified": a.who.EmailVerified}).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("lock user %d: %w", userID, err)
	}
	found := false
	for _, row := range rows {
		if row.ID == userID {
			if found = !row.Gone; fresh && row.Identities >= maxIdentities {
				return fault.Because(fault.Conflict, fault.IdentityLimit)
			}
			continue
		}
		if row.Identities > 0 { // one that nobody has signed in to is claimed next
			return fault.Because(fault.Conflict, fault.AddressTaken) // as a sign-in with this identity would be
		}
	}
	if !found {
		return fault.New(fault.NotFound, nil)
	}
	return nil
}

// identityOwner is whose identity this is, 0 where it is new.
func identityOwner(db *gorm.DB, issuer, subject string) (int64, error) {
	var owner int64
	err := db.Raw("SELECT user_id FROM identities WHERE issuer = ? AND subject = ?", issuer, subject).Scan(&owner).Error
	if err != nil {
		return 0, fmt.Errorf("owner of an identity: %w", err)
	}
	return owner, nil
}

// Confirm checks that the provider's answer is about one of the user's own identities, and that it has just made sure
// that the person is there.
//
// Errors: as Complete; fault.Conflict with fault.IdentityOther for somebody else's identity, or a new one, and with
// fault.NotPresent where the provider answered for somebody who signed in there before.
func (s *Service) Confirm(ctx context.Context, userID int64, flow Flow, query url.Values) error {
	config, who, err := s.identify(ctx, flow, query)
	if err != nil {
		return err
	}
	owner, err := identityOwner(s.db.WithContext(ctx), config.KnownAs(), who.Subject)
	switch {
	case err != nil:
		return err
	case owner != userID:
		return fault.Because(fault.Conflict, fault.IdentityOther)
	case !who.Present:
		return fault.Because(fault.Conflict, fault.NotPresent)
	}
	return nil
}
