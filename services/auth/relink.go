package auth

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/user"
)

// ByAdmin is an admin's decision about one identity of a user.
type ByAdmin struct {
	ActorID   int64
	UserID    int64
	Identity  string // as IdentityID returns it; empty for the whole user
	Note      string // the reason, for the audit log
	RequestID string
}

// Relink links a refused identity to the account that has its address, because an admin knows that it is the same
// person. It replaces the same issuer's identities with this address, and ends their sessions.
//
// Locks: the identity, its address, the user. Errors: fault.NotFound if the refused identity is gone; fault.Conflict
// with fault.IdentityTaken if another account has it.
func (s *Service) Relink(ctx context.Context, by ByAdmin) error {
	return postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		refused, err := findRefused(tx, by)
		if err != nil {
			return err
		}
		a := attempt{issuer: refused.Issuer, provider: refused.Provider, staff: s.staff(), now: s.now(),
			profile: profile{Subject: refused.Subject, Email: refused.Email, EmailVerified: true, Name: refused.Name}}
		if err := a.lock(tx); err != nil {
			return err
		}
		switch owner, err := identityOwner(tx.DB, a.issuer, a.profile.Subject); {
		case err != nil:
			return err
		case owner != 0:
			return fault.Because(fault.Conflict, fault.IdentityTaken)
		}
		if err := tx.Exec("SELECT 1 FROM users WHERE id = ? FOR UPDATE", by.UserID).Error; err != nil {
			return fmt.Errorf("lock user %d: %w", by.UserID, err)
		}
		var replaced []models.Identity
		err = tx.Raw(`DELETE FROM identities WHERE user_id = ? AND issuer = ? AND email = ? RETURNING issuer, subject`,
			by.UserID, a.issuer, a.profile.Email).Scan(&replaced).Error
		if err != nil {
			return fmt.Errorf("replace an identity of user %d: %w", by.UserID, err)
		}
		for _, old := range replaced {
			if err := endSessionsOf(tx, by.UserID, old); err != nil {
				return err
			}
		}
		to, err := findAddressee(tx, by.UserID)
		if err != nil {
			return err
		}
		if err := a.insertIdentity(tx, by.UserID); err != nil {
			return err
		}
		if err := a.tellLinked(tx, to, by.UserID, s.providerLabel(a.provider)); err != nil {
			return err
		}
		if err := user.AssignAddress(tx, by.UserID, a.now); err != nil {
			return err
		}
		return models.AppendAudit(tx, models.AuditEvent{
			ActorID: by.ActorID, Action: models.ActionIdentityRelink, UserID: by.UserID, RequestID: by.RequestID,
			Detail: map[string]any{"provider": a.provider, "issuer": a.issuer, "replaced": len(replaced), "note": by.Note},
		})
	})
}

// findRefused returns the refused identity of an admin's decision.
func findRefused(tx models.Tx, by ByAdmin) (models.RefusedIdentity, error) {
	var rows []models.RefusedIdentity
	if err := tx.Raw(`SELECT issuer, subject, provider, email, name FROM refused_identities WHERE user_id = ? FOR UPDATE`,
		by.UserID).Scan(&rows).Error; err != nil {
		return models.RefusedIdentity{}, fmt.Errorf("refused identities of user %d: %w", by.UserID, err)
	}
	for _, row := range rows {
		if IdentityID(models.Identity{Issuer: row.Issuer, Subject: row.Subject}) == by.Identity {
			return row, nil
		}
	}
	return models.RefusedIdentity{}, fault.New(fault.NotFound, nil)
}

// endSessionsOf deletes the sessions that an identity opened, and old ones without a recorded identity.
func endSessionsOf(tx models.Tx, userID int64, identity models.Identity) error {
	err := tx.Exec(`DELETE FROM sessions WHERE user_id = ? AND (issuer = '' OR issuer = ? AND subject = ?)`, userID,
		identity.Issuer, identity.Subject).Error
	if err != nil {
		return fmt.Errorf("end the sessions of an identity of user %d: %w", userID, err)
	}
	return nil
}
