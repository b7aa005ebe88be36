package account

import (
	"context"
	"fmt"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/periodic"
)

// sweeps complete deletions over time. They are separate jobs, so that an idle server spreads them over a day.
func (s *Service) sweeps() []periodic.Job {
	reduce := func(query string) func(context.Context) error {
		return func(ctx context.Context) error { return s.reducePayloads(ctx, query, 0) }
	}
	return []periodic.Job{
		{Name: "reduce events of erased accounts", Pause: time.Hour, Work: reduce(eventsSQL(erasedUsers))},
		{Name: "reduce old events", Pause: time.Hour, Work: reduce(oldEventsSQL)},
		{Name: "erase withdrawals of deleted accounts", Pause: time.Hour, Work: s.eraseWithdrawals},
		{Name: "erase anonymous letters", Pause: time.Hour, Work: s.eraseAnonymous},
		{Name: "close deleted accounts at Stripe", Pause: time.Hour, Work: s.Purchase.CloseAtStripe},
		{Name: "forget foreign objects", Pause: time.Hour, Work: s.Purchase.ForgetForeign},
		{Name: "remove accounts", Pause: time.Hour, Work: func(ctx context.Context) error {
			_, err := s.RemoveDue(ctx)
			return err
		}},
	}
}

// RemoveDue deletes the accounts whose retention has ended, each in one transaction with all its rows, so that
// balance and entries disappear together, and returns how many. The bare row of an account that acted as an admin
// stays, because the audit log references it.
func (s *Service) RemoveDue(ctx context.Context) (int64, error) {
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
