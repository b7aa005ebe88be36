package auth

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
)

// hasRight is true of a user of whom one identity holds the right that an address of ADMIN_EMAILS gives: it is the one
// that first showed the address, and it still does. Its argument is the list.
const hasRight = `EXISTS (SELECT 1 FROM identities AS i JOIN admin_identities AS a ON a.issuer = i.issuer AND a.subject = i.subject
	WHERE i.user_id = users.id AND i.email_verified AND i.email = a.email AND a.email IN ?)`

// pin gives the right of an admin's address to the first identity that showed it, verified. A later one with the same
// address gets nothing, because an address can change hands; the audit log says so once for each user.
func (a arrival) pin(tx models.Tx, userID int64) error {
	if !a.who.EmailVerified || !slices.Contains(a.admins, a.who.Email) {
		return nil
	}
	err := tx.Exec(`INSERT INTO admin_identities (email, issuer, subject, created_at) SELECT email, issuer, subject, ?::timestamptz FROM identities
		WHERE email_verified AND email = ? ORDER BY created_at, issuer, subject LIMIT 1 ON CONFLICT DO NOTHING`, a.now, a.who.Email).Error
	var news bool
	if err == nil {
		err = tx.Raw(`SELECT NOT EXISTS (SELECT FROM admin_identities WHERE email = ? AND issuer = ? AND subject = ?)
			AND NOT EXISTS (SELECT FROM audit_log WHERE action = ? AND user_id = ?)`,
			a.who.Email, a.issuer, a.who.Subject, models.ActionAdminRefused.String(), userID).Scan(&news).Error
	}
	if err != nil {
		return fmt.Errorf("pin an admin's right: %w", err)
	}
	if !news {
		return nil
	}
	return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionAdminRefused, UserID: userID,
		Detail: map[string]any{"provider": a.provider, "issuer": a.issuer}})
}

// Right is what an identity's address gives it.
type Right int

// The rights.
const (
	NoRight       Right = iota // the address is no admin's
	HoldsIt                    // this identity is the admin
	HeldElsewhere              // another identity showed the address first
)

// RightOf says what the addresses of identities give each of them, in their order.
func (s *Service) RightOf(ctx context.Context, identities []models.Identity) ([]Right, error) {
	rights := make([]Right, len(identities))
	var pins []models.AdminIdentity
	if err := s.db.WithContext(ctx).Raw(`SELECT email, issuer, subject, created_at FROM admin_identities`).Scan(&pins).Error; err != nil {
		return nil, fmt.Errorf("read admins' rights: %w", err)
	}
	for i, identity := range identities {
		if !identity.EmailVerified || !slices.Contains(s.admins, identity.Email) {
			continue
		}
		rights[i] = HeldElsewhere
		if slices.ContainsFunc(pins, func(p models.AdminIdentity) bool {
			return p.Email == identity.Email && p.Issuer == identity.Issuer && p.Subject == identity.Subject
		}) {
			rights[i] = HoldsIt
		}
	}
	return rights, nil
}

// MoveRight gives the right of an admin's address to another identity that shows it: the admin knows that it is the
// address's owner, as after Relink.
//
// Errors: fault.NotFound when the user has no such identity, or its address is no admin's.
func (s *Service) MoveRight(ctx context.Context, by ByAdmin) error {
	return postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		var rows []models.Identity
		err := tx.Raw(`SELECT issuer, subject, email FROM identities WHERE user_id = ? AND email_verified AND email IN ? FOR UPDATE`,
			by.UserID, s.adminList()).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("identities of user %d: %w", by.UserID, err)
		}
		i := slices.IndexFunc(rows, func(row models.Identity) bool { return IdentityID(row) == by.Identity })
		if i < 0 {
			return fault.New(fault.NotFound, nil)
		}
		err = tx.Exec(`INSERT INTO admin_identities (email, issuer, subject, created_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (email) DO UPDATE SET issuer = EXCLUDED.issuer, subject = EXCLUDED.subject, created_at = EXCLUDED.created_at`,
			rows[i].Email, rows[i].Issuer, rows[i].Subject, s.now()).Error
		if err != nil {
			return fmt.Errorf("move an admin's right: %w", err)
		}
		return models.AppendAudit(tx, models.AuditEvent{ActorID: by.ActorID, Action: models.ActionAdminMove, UserID: by.UserID, RequestID: by.RequestID,
			Detail: map[string]any{"issuer": rows[i].Issuer, "note": by.Note}})
	})
}

// ReleaseRight takes the right of an admin's address from the identity that has it: the next one that shows the address
// gets it. For an operator on the command line, when the admin's account at the provider was made anew. Until the provider
// says it again, the identity's word about the address counts no more: the right would return to it as the older one,
// and the sign-in that is meant would be refused, because an account has its address. It reports whether an identity had
// the right.
//
// Locks: the address, the identity, its user.
func ReleaseRight(ctx context.Context, db *gorm.DB, email string) (released bool, err error) {
	email = address.Parse(email)
	err = postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if err := ledger.LockAddress(tx, email); err != nil {
			return err
		}
		done := tx.Exec(`DELETE FROM admin_identities WHERE email = ?`, email)
		if released = done.RowsAffected > 0; done.Error != nil || !released {
			return done.Error
		}
		var users []int64
		err := tx.Raw(`UPDATE identities SET email_verified = false WHERE email = ? AND email_verified RETURNING user_id`, email).Scan(&users).Error
		if err != nil {
			return err
		}
		slices.Sort(users)
		for _, userID := range slices.Compact(users) {
			if err := settleAddress(tx, userID, models.Now()); err != nil {
				return err
			}
		}
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionAdminRelease})
	})
	if err != nil {
		return false, fmt.Errorf("release an admin's right: %w", err)
	}
	return released, nil
}

// AdminIdentities lists who holds the right of which address.
func AdminIdentities(ctx context.Context, db *gorm.DB) ([]models.AdminIdentity, error) {
	var pins []models.AdminIdentity
	if err := db.WithContext(ctx).Raw(`SELECT email, issuer, subject, created_at FROM admin_identities ORDER BY email`).Scan(&pins).Error; err != nil {
		return nil, fmt.Errorf("read admins' rights: %w", err)
	}
	return pins, nil
}
