package auth

import (
	"context"
	"fmt"
	"slices"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// maxRefused is how many refused identities are stored per account, for an admin to review.
const maxRefused = 5

// AddressInUseError refuses a new identity whose verified address belongs to another account: an address alone proves
// no identity. It unwraps to fault.Conflict with fault.AddressKnown or fault.AddressReissued.
type AddressInUseError struct {
	Reissued  bool     // the same issuer verified the address for another subject: only an admin can link it
	Providers []Choice // with which the account's owner can sign in to link it; empty if none is configured any more
	Pending   PendingIdentity
}

// PendingIdentity is an identity that is linked to a user once they sign in with one that they have. It travels in the
// flow.
type PendingIdentity struct {
	UserID   int64  `json:"user_id"`
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	Email    string `json:"email"`
	Name     string `json:"name"`
}

// Error is the text for the log.
func (e *AddressInUseError) Error() string {
	return "the address belongs to an account with other identities"
}

// Unwrap returns the fault for the user.
func (e *AddressInUseError) Unwrap() error {
	if e.Reissued {
		return fault.Because(fault.Conflict, fault.AddressReissued)
	}
	return fault.Because(fault.Conflict, fault.AddressKnown)
}

// addressInUse refuses a new identity, because user owner has its address. If only an admin can link it, it is stored
// for them.
func (s *Service) addressInUse(tx models.Tx, a attempt, owner int64) (*AddressInUseError, error) {
	refused := &AddressInUseError{Pending: PendingIdentity{
		UserID: owner, Provider: a.provider, Subject: a.profile.Subject, Email: a.profile.Email, Name: a.profile.Name,
	}}
	var issuers []string
	err := tx.Raw(`SELECT DISTINCT issuer FROM identities WHERE user_id = ? AND email_verified AND email = ?`, owner,
		a.profile.Email).Scan(&issuers).Error
	if err != nil {
		return nil, fmt.Errorf("issuers of an address: %w", err)
	}
	refused.Reissued = slices.Contains(issuers, a.issuer)
	for _, p := range s.providers {
		if config := p.config(); !refused.Reissued && slices.Contains(issuers, config.StoredIssuer()) {
			refused.Providers = append(refused.Providers, Choice{Name: config.Name, Label: config.Label})
		}
	}
	if len(refused.Providers) > 0 {
		return refused, nil
	}
	return refused, a.insertRefused(tx, owner)
}

// insertRefused stores a refused identity for the admins and drops the account's oldest beyond maxRefused.
func (a attempt) insertRefused(tx models.Tx, owner int64) error {
	err := tx.Exec(
		`INSERT INTO refused_identities (issuer, subject, user_id, provider, email, name, created_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (issuer, subject) DO UPDATE SET user_id = EXCLUDED.user_id, provider = EXCLUDED.provider, email = EXCLUDED.email,
			name = EXCLUDED.name, last_seen_at = EXCLUDED.last_seen_at`,
		a.issuer, a.profile.Subject, owner, a.provider, a.profile.Email, a.profile.Name, a.now, a.now).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM refused_identities WHERE user_id = ? AND (issuer, subject) NOT IN
			(SELECT issuer, subject FROM refused_identities WHERE user_id = ? ORDER BY last_seen_at DESC, issuer, subject LIMIT ?)`, owner, owner, maxRefused).Error
	}
	if err != nil {
		return fmt.Errorf("store a refused identity: %w", err)
	}
	return nil
}

// LinkPending links the pending identity of a flow to the user who has just signed in.
//
// Errors: as Link; fault.Conflict with fault.AddressOther after a sign-in to another account, and with fault.NotPresent
// if the provider did not authenticate the person anew.
func (s *Service) LinkPending(ctx context.Context, in SignIn, pending PendingIdentity) error {
	p := s.provider(pending.Provider)
	switch {
	case p == nil:
		return fault.New(fault.NotFound, nil)
	case in.ID != pending.UserID:
		return fault.Because(fault.Conflict, fault.AddressOther)
	case !in.Reauthenticated:
		return fault.Because(fault.Conflict, fault.NotPresent)
	}
	person := profile{Subject: pending.Subject, Email: pending.Email, EmailVerified: true, Name: pending.Name}
	_, err := s.link(ctx, in.ID, p.config(), person)
	return err
}

// Refused lists the identities that were refused because this user has their address, the newest first.
func (s *Service) Refused(ctx context.Context, userID int64) ([]models.RefusedIdentity, error) {
	var found []models.RefusedIdentity
	err := s.db.WithContext(ctx).
		Raw(`SELECT issuer, subject, user_id, provider, email, name, created_at, last_seen_at FROM refused_identities
		WHERE user_id = ? ORDER BY last_seen_at DESC, issuer, subject`, userID).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("refused identities of user %d: %w", userID, err)
	}
	return found, nil
}
