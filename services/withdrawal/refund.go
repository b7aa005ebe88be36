package withdrawal

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
)

// refundBatch is how many declarations a run of the worker handles.
const refundBatch = 20

// Refund refunds what a clean declaration entitles the consumer to, and closes it once Stripe has made the refund. If
// Stripe does not answer now, the workers go on. seen is the amount on the admin's page.
//
// Locks: the payment, the purchase, the declaration; none across the network. Idempotent: one refund per declaration.
// Errors: fault.NotFound; fault.Conflict with fault.WithdrawalUnclear when a person must decide on the amount, or with
// fault.RefundedSince when another amount is due than seen.
func (s *Service) Refund(ctx context.Context, id string, seen models.Cents, actorID int64, requestID string) error {
	w, err := s.Find(ctx, id)
	if err != nil {
		return err
	}
	return s.refund(ctx, w, &seen, models.AuditEvent{ActorID: actorID, RequestID: requestID})
}

// Refundable returns an open declaration and what Refund would refund.
//
// Errors: as Refund; fault.Conflict also when it is handled, or its refund requested.
func (s *Service) Refundable(ctx context.Context, id string) (w models.Withdrawal, e models.Entitlement, err error) {
	if w, err = s.Find(ctx, id); err != nil {
		return w, e, err
	}
	if w.HandledAt != nil || w.PurchaseID == nil {
		return w, e, errUnclear
	}
	d, err := (&purchase.Service{DB: s.DB}).Detail(ctx, w.PurchaseID.String())
	if err != nil {
		return w, e, err
	}
	if e = Entitle(w, d); !e.Clean() {
		return w, e, errUnclear
	}
	return w, e, nil
}

// worker is the actor of refunds without a person.
var worker = models.Actor{RequestID: "job"}

// errUnclear says that a person must decide.
var errUnclear = fault.Because(fault.Conflict, fault.WithdrawalUnclear)

// refund stores the request for the refund before Stripe is asked, so that a crash neither loses nor repeats it. It
// refunds what is due if seen is nil.
func (s *Service) refund(ctx context.Context, w models.Withdrawal, seen *models.Cents, event models.AuditEvent) error {
	if w.PurchaseID == nil {
		return errUnclear
	}
	var request models.RefundRequest
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		request = models.RefundRequest{}
		if _, err := purchase.LockForDecision(tx, *w.PurchaseID); err != nil {
			return err
		}
		locked, err := lock(tx, w.ID)
		if err != nil || locked.HandledAt != nil || locked.RefundRequest != nil {
			return err
		}
		d, err := (&purchase.Service{DB: tx.DB}).Detail(ctx, w.PurchaseID.String())
		if err != nil {
			return err
		}
		e := Entitle(locked, d)
		switch {
		case !e.Clean():
			return errUnclear
		case seen != nil && *seen != e.Cents:
			return fault.Because(fault.Conflict, fault.RefundedSince)
		}
		request, _, _, err = purchase.RequestRefund(tx, purchase.RefundOrder{PurchaseID: d.ID, ActorID: event.ActorID,
			Cents: e.Cents, Seen: d.Refunded, Key: models.WithdrawalRefundKey + w.ID.String()}, s.Now())
		if err != nil {
			return err
		}
		err = tx.Exec(`UPDATE withdrawals SET refund_request = ? WHERE id = ?`, request.ID, w.ID).Error
		if err != nil {
			return fmt.Errorf("save the refund of withdrawal %s: %w", w.ID, err)
		}
		event.Action, event.UserID = models.ActionWithdrawalRefund, d.UserID
		event.Detail = map[string]any{"withdrawal_id": w.ID, "purchase_id": d.ID, "cents": e.Cents,
			"currency": e.Currency, "refund_request": request.ID}
		return models.AppendAudit(tx, event)
	})
	if err != nil || request.ID == uuid.Nil {
		return err
	}
	if sent, err := s.Purchases.SendRefund(ctx, request); err != nil || sent.Status != models.RefundSent {
		s.Log.WarnContext(ctx, "refund of a withdrawal is left to the worker", "withdrawal_id", w.ID, "err", err)
		return nil
	}
	return s.closeRefunded(ctx, w)
}

// RefundDue refunds the clean declarations and leaves the others to a person. Any number of replicas may call it.
func (s *Service) RefundDue(ctx context.Context) error {
	return s.each(ctx, `SELECT * FROM withdrawals WHERE handled_at IS NULL AND purchase_id IS NOT NULL AND judged_at IS NULL
		AND refund_request IS NULL ORDER BY received_at LIMIT ?`, func(w models.Withdrawal) error {
		err := s.refund(models.WithActor(ctx, worker), w, nil, models.AuditEvent{})
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		s.Log.WarnContext(ctx, "withdrawal needs a person", "withdrawal_id", w.ID, "purchase_id", *w.PurchaseID)
		return s.DB.WithContext(ctx).Exec(`UPDATE withdrawals SET judged_at = ? WHERE id = ?`, s.Now(), w.ID).Error
	})
}

// CloseRefunded closes the declarations whose refunds Stripe has made.
func (s *Service) CloseRefunded(ctx context.Context) error {
	return s.each(ctx, `SELECT w.* FROM `+refundedSQL+` ORDER BY w.received_at LIMIT ?`,
		func(w models.Withdrawal) error { return s.closeRefunded(models.WithActor(ctx, worker), w) })
}

// refundedSQL is the open declarations w whose refunds r Stripe has made.
const refundedSQL = `withdrawals w JOIN refund_requests r ON r.id = w.refund_request AND r.status = 'sent'
	WHERE w.handled_at IS NULL
		AND NOT EXISTS (SELECT FROM stripe_refunds f WHERE f.refund_id = r.refund_id AND f.` + models.RefundFailedSQL + `)`

// each passes declarations to fn, and goes on when it fails for one of them.
func (s *Service) each(ctx context.Context, query string, fn func(w models.Withdrawal) error) error {
	var rows []models.Withdrawal
	if err := s.DB.WithContext(ctx).Raw(query, refundBatch).Scan(&rows).Error; err != nil {
		return fmt.Errorf("find withdrawals to refund: %w", err)
	}
	var failed error
	for _, w := range rows {
		if err := fn(w); err != nil {
			failed = errors.Join(failed, fmt.Errorf("refund withdrawal %s: %w", w.ID, err))
		}
	}
	return failed
}

// closeRefunded closes a declaration whose refund was made. It writes no audit entry: the refund has one.
func (s *Service) closeRefunded(ctx context.Context, w models.Withdrawal) error {
	var lapsed []models.CreditTransaction
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		lapsed = nil
		p, err := purchase.LockForDecision(tx, *w.PurchaseID)
		if err != nil {
			return err
		}
		locked, err := lock(tx, w.ID)
		if err != nil || locked.HandledAt != nil {
			return err
		}
		_, lapsed, err = s.closeOf(tx, *p, locked, models.ActorOf(ctx).AdminID)
		return err
	})
	if err == nil {
		ledger.LogMoved(ctx, s.Log, lapsed)
	}
	return err
}

// closeOf closes the open declaration w of a purchase, frees what it still holds, and returns the purchase with what
// was refunded of it. What is unused lapses if the account is deleted, and is held for the rest of the withdrawal
// period if its buyer has not asked to use it before. The actor is 0 for the workers.
//
// Locks: the user, then the holds; the caller has locked the purchase and the declaration.
func (s *Service) closeOf(tx models.Tx, p models.Purchase, w models.Withdrawal, actorID int64,
) (d purchase.Detail, lapsed []models.CreditTransaction, err error) {
	if err := purchase.ReleaseWithdrawn(tx, p); err != nil {
		return d, nil, err
	}
	d, err = (&purchase.Service{DB: tx.DB}).Detail(tx.Statement.Context, p.ID.String())
	if err != nil {
		return d, nil, err
	}
	if lapsed, err = purchase.LapseWithdrawn(tx, d, w); err != nil {
		return d, nil, err
	}
	err = tx.Exec(`UPDATE withdrawals SET handled_at = ?, handled_by = nullif(CAST(? AS int), 0), refunded_cents = ?
		WHERE purchase_id = ? AND handled_at IS NULL`, s.Now(), actorID, d.Refunded, p.ID).Error
	if err != nil {
		return d, nil, fmt.Errorf("close the withdrawal from purchase %s: %w", p.ID, err)
	}
	return d, lapsed, purchase.HoldPeriod(tx, p, w.Unused(p))
}

// lock locks a declaration.
//
// Errors: fault.NotFound.
func lock(tx models.Tx, id uuid.UUID) (models.Withdrawal, error) {
	var w models.Withdrawal
	err := tx.Raw(`SELECT * FROM withdrawals WHERE id = ? FOR UPDATE`, id).Take(&w).Error
	return w, postgres.Found(err, "lock withdrawal %s", id)
}
