package auth

import (
	"context"
	"fmt"
	"slices"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// maxRefused is how many refused identities are kept for one account, for an admin to look at.
const maxRefused = 5

// Held is a sign-in that opened nothing: an account has its verified address already, and an address is nobody's
// identity. It unwraps to fault.Conflict with fault.AddressKnown or fault.AddressReissued.
type Held struct {
	Reissued bool     // the same issuer has vouched for the address as somebody else's: only an admin can link this one
	Ways     []Choice // how the account's owner may sign in to add this one; empty when no such provider is set up any more
	Join     Join
}

// Join is an identity that waits to be added to a user until they have signed in the old way. It travels in the flow.
type Join struct {
	UserID   int64  `json:"user_id"`
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	Email    string `json:"email"`
	Name     string `json:"name"`
}

// Error says it for the log.
func (h *Held) Error() string { return "the address belongs to an account that signs in otherwise" }

// Unwrap says it to users.
func (h *Held) Unwrap() error {
	if h.Reissued {
		return fault.Because(fault.Conflict, fault.AddressReissued)
	}
	return fault.Because(fault.Conflict, fault.AddressKnown)
}

// hold returns why a new identity opens nothing: user holder has its address. What only an admin can mend is written down.
func (s *Service) hold(tx models.Tx, a arrival, holder int64) (*Held, error) {
	held := &Held{Join: Join{UserID: holder, Provider: a.provider, Subject: a.who.Subject, Email: a.who.Email, Name: a.who.Name}}
	var issuers []string
	err := tx.Raw(`SELECT DISTINCT issuer FROM identities WHERE user_id = ? AND email_verified AND email = ?`, holder, a.who.Email).Scan(&issuers).Error
	if err != nil {
		return nil, fmt.Errorf("who vouches for an address: %w", err)
	}
	held.Reissued = slices.Contains(issuers, a.issuer)
	for _, p := range s.providers {
		if config := p.config(); !held.Reissued && slices.Contains(issuers, config.KnownAs()) {
			held.Ways = append(held.Ways, Choice{Name: config.Name, Label: config.Label})
		}
	}
	if len(held.Ways) > 0 {
		return held, nil
	}
	return held, a.keepRefused(tx, holder)
}

// keepRefused writes a refused identity down for the admins, with the few newest of the same account.
func (a arrival) keepRefused(tx models.Tx, holder int64) error {
	err := tx.Exec(`INSERT INTO refused_identities (issuer, subject, user_id, provider, email, name, created_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (issuer, subject) DO UPDATE SET user_id = EXCLUDED.user_id, provider = EXCLUDED.provider, email = EXCLUDED.email,
			name = EXCLUDED.name, last_seen_at = EXCLUDED.last_seen_at`,
		a.issuer, a.who.Subject, holder, a.provider, a.who.Email, a.who.Name, a.now, a.now).Error
	if err == nil {
		err = tx.Exec(`DELETE FROM refused_identities WHERE user_id = ? AND (issuer, subject) NOT IN
			(SELECT issuer, subject FROM refused_identities WHERE user_id = ? ORDER BY last_seen_at DESC, issuer, subject LIMIT ?)`, holder, holder, maxRefused).Error
	}
	if err != nil {
		return fmt.Errorf("keep a refused identity: %w", err)
	}
	return nil
}

// Join adds the identity that waits in a flow to the user who has just signed in the old way.
//
// Errors: as Link; fault.Conflict with fault.IdentityOther when they signed in to another account, and with
// fault.NotPresent when the provider did not make sure that it is them.
func (s *Service) Join(ctx context.Context, in SignIn, join Join) error {
	p := s.provider(join.Provider)
	switch {
	case p == nil:
		return fault.New(fault.NotFound, nil)
	case in.ID != join.UserID:
		return fault.Because(fault.Conflict, fault.IdentityOther)
	case !in.Proof:
		return fault.Because(fault.Conflict, fault.NotPresent)
	}
	who := profile{Subject: join.Subject, Email: join.Email, EmailVerified: true, Name: join.Name}
	_, err := s.link(ctx, in.ID, p.config(), who)
	return err
}

// Refused lists the identities that were refused because a user has their address, the newest first.
func (s *Service) Refused(ctx context.Context, userID int64) ([]models.RefusedIdentity, error) {
	var found []models.RefusedIdentity
	err := s.db.WithContext(ctx).Raw(`SELECT issuer, subject, user_id, provider, email, name, created_at, last_seen_at FROM refused_identities
		WHERE user_id = ? ORDER BY last_seen_at DESC, issuer, subject`, userID).Scan(&found).Error
	if err != nil {
		return nil, fmt.Errorf("refused identities of user %d: %w", userID, err)
	}
	return found, nil
}
