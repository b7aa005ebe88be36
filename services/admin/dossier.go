package admin

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

// dossierEntries is how many entries of the buyer a dossier shows.
const dossierEntries = 500

// Dossier is the evidence about one purchase: what was ordered, declared, confirmed, paid, used and returned.
type Dossier struct {
	PurchasePage
	Letters []models.Letter     // to the buyer about it, oldest first
	Since   ledger.Page         // the buyer's entries since the order, newest first
	Audit   []models.AuditEntry // what admins did about it, oldest first
	Known   People              // whom Audit names
}

// Dossier reads the evidence about one purchase.
// Errors: fault.NotFound.
func (s *Service) Dossier(ctx context.Context, id string) (d Dossier, err error) {
	if d.PurchasePage, err = s.PurchasePage(ctx, id); err != nil {
		return d, err
	}
	db := s.DB.WithContext(ctx)
	about := []string{d.ID.String()}
	if d.Withdrawal != nil {
		about = append(about, d.Withdrawal.ID.String())
	}
	err = db.Raw(`SELECT * FROM letters WHERE (user_id = ? OR user_id IS NULL) AND left(key, 36) IN ?
		AND NOT starts_with(kind, 'operator_') ORDER BY created_at, id`, d.UserID, about).Scan(&d.Letters).Error
	if err != nil {
		return d, fmt.Errorf("letters about purchase %s: %w", id, err)
	}
	err = db.Raw(`SELECT * FROM audit_log WHERE user_id = ? AND detail ->> 'purchase_id' = ? ORDER BY id`, d.UserID, id).
		Scan(&d.Audit).Error
	if err != nil {
		return d, fmt.Errorf("audit entries about purchase %s: %w", id, err)
	}
	if d.Known, err = s.Named(ctx, d.Audit); err != nil {
		return d, err
	}
	entries := &ledger.Service{DB: s.DB}
	d.Since, err = entries.Search(ctx, d.UserID, 0, dossierEntries, ledger.Filter{From: d.CreatedAt})
	return d, err
}
