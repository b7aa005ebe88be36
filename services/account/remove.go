package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// Sweep completes deletions over time: it reduces payloads of old events and of later events about erased accounts,
// retries deleting customers at Stripe, and removes accounts whose retention has ended. It returns how many accounts
// it removed.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	if err := s.reducePayloads(ctx, eventsSQL(erasedUsers), 0); err != nil {
		return 0, err
	}
	if err := s.reducePayloads(ctx, oldEventsSQL, 0); err != nil {
		return 0, err
	}
	failed := errors.Join(s.eraseWithdrawals(ctx), s.Purchase.CloseAtStripe(ctx), s.Purchase.ForgetForeign(ctx))
	removed, err := s.removeDue(ctx)
	return removed, errors.Join(failed, err)
}

// removeDue deletes the accounts whose retention has ended, each in one transaction with all its rows, so that
// balance and entries disappear together. The bare row of an account that acted as an admin stays, because the audit
// log references it.
func (s *Service) removeDue(ctx context.Context) (int64, error) {
	var users []int64
	err := s.DB.WithContext(ctx).Raw(`SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NOT NULL
		AND delete_after < (now() AT TIME ZONE 'UTC')::date
		AND NOT EXISTS (SELECT FROM credit_transactions WHERE user_id = users.id AND created_at >= now() - interval '8 years')
		AND NOT EXISTS (SELECT FROM audit_log WHERE actor_id = users.id) AND NOT EXISTS (SELECT FROM api_keys WHERE created_by = users.id)
		AND NOT EXISTS (SELECT FROM refund_requests WHERE actor_id = users.id)
		AND NOT EXISTS (SELECT FROM gate_users WHERE user_id = users.id AND deletion_due_at IS NOT NULL)
		AND NOT EXISTS (SELECT FROM stripe_customers WHERE user_id = users.id AND deleted_at IS NULL) ORDER BY id LIMIT ?`, eraseBatch).Scan(&users).Error
	if err != nil {
		return 0, fmt.Errorf("find accounts to remove: %w", err)
	}
	var removed int64
	for _, id := range users {
		err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
			if err := ledger.Remove(tx, id); err != nil {
				return err
			}
			for _, statement := range removeSQL {
				if err := tx.Exec(statement, id).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return removed, fmt.Errorf("remove account %d: %w", id, err)
		}
		s.Log.InfoContext(ctx, "account removed", "user_id", id)
		removed++
	}
	return removed, nil
}

// removeSQL deletes the remaining rows of an account after its entries.
var removeSQL = []string{
	`DELETE FROM refund_requests WHERE purchase_id IN (SELECT id FROM purchases WHERE user_id = ?)`,
	`DELETE FROM stripe_events e USING purchases p WHERE p.user_id = ?
		AND (e.object_id IN (p.checkout_session_id, p.recovered_from) OR e.payment_ref = p.payment_intent_id)`,
	`DELETE FROM stripe_refunds r USING purchases p WHERE p.user_id = ? AND r.payment_ref = p.payment_intent_id`,
	`DELETE FROM stripe_disputes d USING purchases p WHERE p.user_id = ? AND d.payment_ref = p.payment_intent_id`,
	`DELETE FROM stripe_charges c USING purchases p WHERE p.user_id = ? AND c.payment_ref = p.payment_intent_id`,
	`DELETE FROM withdrawals WHERE user_id = ?`,
	`DELETE FROM letters WHERE user_id = ?`,
	`DELETE FROM purchases WHERE user_id = ?`,
	`DELETE FROM stripe_customers WHERE user_id = ?`,
	`DELETE FROM gate_users WHERE user_id = ?`,
	`DELETE FROM sessions WHERE user_id = ?`,
	`SELECT remove_audit(?)`,
	`DELETE FROM users WHERE id = ?`,
}
