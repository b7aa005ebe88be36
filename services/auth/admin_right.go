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
	"github.com/resume-matcher/credits/services/user"
)

// rightsSQL is an array of the addresses whose right an identity of the user holds. The identity must still show that
// address, verified.
const rightsSQL = `ARRAY(SELECT a.email FROM identities AS i JOIN admin_identities AS a ON a.issuer = i.issuer AND a.subject = i.subject
	WHERE i.user_id = users.id AND i.email_verified AND i.email = a.email)`

// holdsOne reports whether one of a user's rights is that of an address in the list.
func holdsOne(rights, list []string) bool {
	return slices.ContainsFunc(rights, func(email string) bool { return slices.Contains(list, email) })
}

// grantAdminRight gives the right of an address in ADMIN_EMAILS or SUPPORT_EMAILS to the first identity that shows it,
// verified. Later ones get nothing, because an address can change hands; the audit log records that once per user.
func (a attempt) grantAdminRight(tx models.Tx, userID int64) error {
	if !a.profile.EmailVerified || !slices.Contains(a.staff, a.profile.Email) {
		return nil
	}
	err := tx.Exec(
		`INSERT INTO admin_identities (email, issuer, subject, created_at) SELECT email, issuer, subject, ?::timestamptz FROM identities
		WHERE email_verified AND email = ? ORDER BY created_at, issuer, subject LIMIT 1 ON CONFLICT DO NOTHING`, a.now, a.profile.Email).Error
	var refused bool
	if err == nil {
		err = tx.Raw(`SELECT NOT EXISTS (SELECT FROM admin_identities WHERE email = ? AND issuer = ? AND subject = ?)
			AND NOT EXISTS (SELECT FROM audit_log WHERE action = ? AND user_id = ?)`,
			a.profile.Email, a.issuer, a.profile.Subject, models.ActionAdminRefused.String(), userID).Scan(&refused).Error
	}
	if err != nil {
		return fmt.Errorf("grant an admin's right: %w", err)
	}
	if !refused {
		return nil
	}
	return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionAdminRefused, UserID: userID,
		Detail: map[string]any{"provider": a.provider, "issuer": a.issuer}})
}

// AdminRight says whether an identity holds the right of its address, an admin's or a helper's.
type AdminRight int

// The values.
const (
	NoRight        AdminRight = iota // the address is in neither list
	HoldsRight                       // this identity holds the right
	RightElsewhere                   // another identity holds the right
)

// AdminRights returns the right of each identity, in their order.
func (s *Service) AdminRights(ctx context.Context, identities []models.Identity) ([]AdminRight, error) {
	rights := make([]AdminRight, len(identities))
	var holders []models.AdminIdentity
	if err := s.db.WithContext(ctx).Raw(`SELECT email, issuer, subject, created_at FROM admin_identities`).Scan(&holders).
		Error; err != nil {
		return nil, fmt.Errorf("read admins' rights: %w", err)
	}
	for i, identity := range identities {
		if !identity.EmailVerified || !slices.Contains(s.staff(), identity.Email) {
			continue
		}
		rights[i] = RightElsewhere
		if slices.ContainsFunc(holders, func(p models.AdminIdentity) bool {
			return p.Email == identity.Email && p.Issuer == identity.Issuer && p.Subject == identity.Subject
		}) {
			rights[i] = HoldsRight
		}
	}
	return rights, nil
}

// MoveAdminRight gives the right of an address in ADMIN_EMAILS or SUPPORT_EMAILS to another identity that shows it, as
// after Relink.
//
// Errors: fault.NotFound if the user has no such identity, or its address is in neither list.
func (s *Service) MoveAdminRight(ctx context.Context, by ByAdmin) error {
	return postgres.Transaction(ctx, s.db, func(tx models.Tx) error {
		var rows []models.Identity
		err := tx.Raw(
			`SELECT issuer, subject, email FROM identities WHERE user_id = ? AND email_verified AND email IN ? FOR UPDATE`,
			by.UserID, listed(s.staff())).Scan(&rows).Error
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
		return models.AppendAudit(tx, models.AuditEvent{
			ActorID: by.ActorID, Action: models.ActionAdminMove, UserID: by.UserID, RequestID: by.RequestID,
			Detail: map[string]any{"issuer": rows[i].Issuer, "note": by.Note},
		})
	})
}

// ReleaseAdminRight takes the right of an address from its identity, so that the next one that shows the address gets
// it. Operators need it when an admin has a new account at the provider. The address of the old identity counts as
// unverified until its provider verifies it again: otherwise the old identity, as the older one, would get the right
// back, and the new one would be refused because an account has its address. released reports whether an identity had
// the right.
//
// Locks: the address, the identity, its user.
func ReleaseAdminRight(ctx context.Context, db *gorm.DB, email string) (released bool, err error) {
	email = address.Parse(email)
	err = postgres.Transaction(ctx, db, func(tx models.Tx) error {
		if err := user.LockAddress(tx, email); err != nil {
			return err
		}
		done := tx.Exec(`DELETE FROM admin_identities WHERE email = ?`, email)
		if released = done.RowsAffected > 0; done.Error != nil || !released {
			return done.Error
		}
		var users []int64
		err := tx.Raw(`UPDATE identities SET email_verified = false WHERE email = ? AND email_verified RETURNING user_id`,
			email).Scan(&users).Error
		if err != nil {
			return err
		}
		slices.Sort(users)
		for _, userID := range slices.Compact(users) {
			if err := user.AssignAddress(tx, userID, models.Now()); err != nil {
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

// AdminIdentities lists the identities that hold the right of an address.
func AdminIdentities(ctx context.Context, db *gorm.DB) ([]models.AdminIdentity, error) {
	var rights []models.AdminIdentity
	if err := db.WithContext(ctx).Raw(`SELECT email, issuer, subject, created_at FROM admin_identities ORDER BY email`).
		Scan(&rights).Error; err != nil {
		return nil, fmt.Errorf("read admins' rights: %w", err)
	}
	return rights, nil
}
