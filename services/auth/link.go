package auth

import (
	"context"
	"fmt"
	"net/url"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/mail"
	"github.com/resume-matcher/credits/services/user"
)

// FlowKind is what a signed-in user goes to a provider for. A flow without a kind signs in.
type FlowKind string

// The kinds.
const (
	KindLink           FlowKind = "link"    // links another identity
	KindReauthenticate FlowKind = "confirm" // reauthenticates the user
	KindPending        FlowKind = "join"    // signs in with a known identity and links the pending one
)

// maxIdentities is how many identities a user may have.
const maxIdentities = 20

// Link adds the identity that a provider vouches for to the user who began the flow, and claims what was bought under
// its address. already reports that the user had it.
//
// Neither an identity nor a verified address changes its user: Link refuses those of another user and writes nothing.
//
// Locks: the identity and its e-mail address, then the users concerned by ascending id.
// Errors: as Complete; fault.Conflict with fault.IdentityTaken, fault.AddressTaken or fault.IdentityLimit;
// fault.NotFound for a deleted user.
func (s *Service) Link(ctx context.Context, userID int64, flow Flow, query url.Values) (already bool, err error) {
	config, person, err := s.identify(ctx, flow, query)
	if err != nil {
		return false, err
	}
	return s.link(ctx, userID, config, person)
}

func (s *Service) link(
	ctx context.Context, userID int64, config ProviderConfig, person profile,
) (already bool, err error) {
	a := s.attempt(config, person)
	err = postgres.Transaction(ctx, s.db, func(tx models.Tx) (err error) {
		to, err := findAddressee(tx, userID)
		if err != nil {
			return err
		}
		already, err = a.linkTo(tx, userID)
		if err != nil || already {
			return err
		}
		if err := a.tellLinked(tx, to, userID, config.Label); err != nil {
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

// tellLinked stores the letter about a new identity.
func (a attempt) tellLinked(tx models.Tx, to addressee, userID int64, provider string) error {
	id := IdentityID(models.Identity{Issuer: a.issuer, Subject: a.profile.Subject})
	return to.tell(tx, models.LetterIdentityLinked, userID, id, mail.Access{At: a.now, Provider: provider})
}

// auditIdentity records that an identity was linked or unlinked.
func auditIdentity(tx models.Tx, action models.Action, userID int64, issuer string) error {
	detail := map[string]any{"issuer": issuer}
	return models.AppendAudit(tx, models.AuditEvent{Action: action, UserID: userID, Detail: detail})
}

// linkTo links the identity to the user.
func (a attempt) linkTo(tx models.Tx, userID int64) (already bool, err error) {
	if err := a.lock(tx); err != nil {
		return false, err
	}
	owner, err := identityOwner(tx.DB, a.issuer, a.profile.Subject)
	switch {
	case err != nil:
		return false, err
	case owner != 0 && owner != userID:
		return false, fault.Because(fault.Conflict, fault.IdentityTaken)
	}
	if err := a.checkLink(tx, userID, owner == 0); err != nil {
		return false, err
	}
	if owner != 0 {
		_, err = a.updateIdentity(tx)
	} else {
		err = a.insertIdentity(tx, userID)
	}
	if err == nil {
		err = user.AssignAddress(tx, userID, a.now)
	}
	if err == nil {
		err = a.grantAdminRight(tx, userID)
	}
	return owner != 0, err
}

// checkLink locks the user and the owner of the address, and reports why the identity must not be the user's. fresh
// says that it is a new one.
func (a attempt) checkLink(tx models.Tx, userID int64, fresh bool) error {
	var rows []struct {
		ID         int64
		Gone       bool
		Identities int64
	}
	err := tx.Raw(
		`SELECT id, deleted_at IS NOT NULL AS gone, (SELECT count(*) FROM identities WHERE user_id = users.id) AS identities
		FROM users WHERE id = @user OR (@verified AND id = (`+ownerOfSQL+`)) ORDER BY id FOR UPDATE`,
		map[string]any{"user": userID, "email": a.profile.Email, "verified": a.profile.EmailVerified}).Scan(&rows).Error
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
		if row.Identities > 0 { // an account without identities is claimed next
			return fault.Because(fault.Conflict, fault.AddressTaken) // a sign-in with this identity is refused as well
		}
	}
	if !found {
		return fault.New(fault.NotFound, nil)
	}
	return nil
}

// identityOwner returns the user of an identity, 0 for a new one.
func identityOwner(db *gorm.DB, issuer, subject string) (int64, error) {
	var owner int64
	err := db.Raw("SELECT user_id FROM identities WHERE issuer = ? AND subject = ?", issuer, subject).Scan(&owner).Error
	if err != nil {
		return 0, fmt.Errorf("owner of an identity: %w", err)
	}
	return owner, nil
}

// Reauthenticate checks that the callback is about an identity of this user, and that the provider has just
// authenticated the person anew.
//
// Errors: as Complete; fault.Conflict with fault.IdentityOther for any other identity, and with fault.NotPresent if the
// provider relied on an earlier sign-in.
func (s *Service) Reauthenticate(ctx context.Context, userID int64, flow Flow, query url.Values) error {
	config, person, err := s.identify(ctx, flow, query)
	if err != nil {
		return err
	}
	owner, err := identityOwner(s.db.WithContext(ctx), config.StoredIssuer(), person.Subject)
	switch {
	case err != nil:
		return err
	case owner != userID:
		return fault.Because(fault.Conflict, fault.IdentityOther)
	case !person.Reauthenticated:
		return fault.Because(fault.Conflict, fault.NotPresent)
	}
	return nil
}
