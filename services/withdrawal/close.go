package withdrawal

import (
	"context"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// Close marks a declaration and all open ones equal to it as handled, says what was refunded of the purchase, and
// writes one audit entry. Credits that are still held are free again; those of a deleted account lapse. If two admins
// close it, the first one counts.
//
// Locks: the payment, the purchase, the declarations, the user. Idempotent.
// Errors: fault.NotFound; fault.Conflict while a refund of the declaration is on its way.
func (s *Service) Close(ctx context.Context, id string, actorID int64, requestID string) error {
	w, err := s.Find(ctx, id)
	if err != nil {
		return err
	}
	event := auditOf(w, models.ActionWithdrawalClose, actorID, requestID)
	var moved []models.CreditTransaction
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) (err error) {
		if moved = nil; w.PurchaseID != nil {
			moved, err = s.closeByHand(tx, w, event)
			return err
		}
		done := tx.Exec(`UPDATE withdrawals SET handled_at = @now, handled_by = @actor WHERE handled_at IS NULL AND id IN (
				SELECT id FROM withdrawals WHERE handled_at IS NULL AND (id = @id OR fold = @fold AND fold <> '') ORDER BY id FOR UPDATE)`,
			map[string]any{"now": s.Now(), "actor": actorID, "id": w.ID, "fold": w.Fold})
		switch {
		case done.Error != nil:
			return fmt.Errorf("close withdrawal %s: %w", w.ID, done.Error)
		case done.RowsAffected == 0:
			return nil
		}
		event.Detail["closed"] = done.RowsAffected
		return models.AppendAudit(tx, event)
	})
	if err == nil {
		ledger.LogMoved(ctx, s.Log, moved)
	}
	return err
}

// closeByHand closes the only declaration about a purchase.
func (s *Service) closeByHand(tx models.Tx, w models.Withdrawal, event models.AuditEvent,
) (lapsed []models.CreditTransaction, err error) {
	p, err := purchase.LockForDecision(tx, *w.PurchaseID)
	if err != nil {
		return nil, err
	}
	locked, err := lock(tx, w.ID)
	if err != nil || locked.HandledAt != nil {
		return nil, err
	}
	var pending bool
	err = tx.Raw(`SELECT EXISTS (SELECT FROM refund_requests WHERE id = ? AND status = 'pending')`, locked.RefundRequest).
		Scan(&pending).Error
	switch {
	case err != nil:
		return nil, fmt.Errorf("refund of withdrawal %s: %w", w.ID, err)
	case pending:
		return nil, fault.Because(fault.Conflict, fault.DecidedOtherwise)
	}
	d, lapsed, err := s.closeOf(tx, *p, locked, event.ActorID)
	if err != nil {
		return nil, err
	}
	event.Detail["closed"], event.Detail["cents"], event.Detail["currency"] = 1, d.Refunded, d.PaymentCurrency()
	return lapsed, models.AppendAudit(tx, event)
}

// Reopen undoes Close: the declarations that were closed together are open again, a person decides about them, and the
// unused credits are held again, as far as they were not spent in the meantime.
//
// Locks: the payment, the purchase, the declarations, the user. Idempotent. Errors: fault.NotFound.
func (s *Service) Reopen(ctx context.Context, id string, actorID int64, requestID string) error {
	w, err := s.Find(ctx, id)
	if err != nil {
		return err
	}
	var moved []models.CreditTransaction
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		moved = nil
		var p *models.Purchase
		if w.PurchaseID != nil {
			if p, err = purchase.LockForDecision(tx, *w.PurchaseID); err != nil {
				return err
			}
		}
		locked, err := lock(tx, w.ID)
		if err != nil || locked.HandledAt == nil {
			return err
		}
		err = tx.Exec(`UPDATE withdrawals SET handled_at = NULL, handled_by = NULL, refunded_cents = NULL, judged_at = @now
			WHERE handled_at = @handled AND (id = @id OR fold = @fold AND fold <> '')`, map[string]any{"now": s.Now(),
			"handled": *locked.HandledAt, "id": w.ID, "fold": locked.Fold}).Error
		if err != nil {
			return fmt.Errorf("reopen withdrawal %s: %w", w.ID, err)
		}
		if p != nil {
			if moved, err = purchase.RestoreLapsed(tx, *p, locked); err != nil {
				return err
			}
			if err := purchase.HoldWithdrawn(tx, *p); err != nil {
				return err
			}
		}
		return models.AppendAudit(tx, auditOf(w, models.ActionWithdrawalReopen, actorID, requestID))
	})
	if err == nil {
		ledger.LogMoved(ctx, s.Log, moved)
	}
	return err
}

// auditOf begins the audit entry of a decision about a declaration.
func auditOf(w models.Withdrawal, action models.Action, actorID int64, requestID string) models.AuditEvent {
	event := models.AuditEvent{
		ActorID: actorID, Action: action, RequestID: requestID, Detail: map[string]any{"withdrawal_id": w.ID},
	}
	if w.UserID != nil {
		event.UserID = *w.UserID
	}
	if w.PurchaseID != nil {
		event.Detail["purchase_id"] = *w.PurchaseID
	}
	return event
}
