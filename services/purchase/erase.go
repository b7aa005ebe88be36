package purchase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/ledger"
)

const (
	eraseBatch    = 200                 // accounts, events or customers at a time
	payloadMaxAge = 90 * 24 * time.Hour // after which nobody needs to know what else an event said
)

// OpenDispute reports whether a bank is examining a payment of the user.
func OpenDispute(tx *gorm.DB, userID int64) (bool, error) {
	var open bool
	err := tx.Raw(`SELECT EXISTS (SELECT FROM purchases p JOIN stripe_disputes d ON d.payment_ref = p.payment_intent_id
		WHERE p.user_id = ? AND d.status IN ('warning_needs_response', 'warning_under_review', 'needs_response', 'under_review'))`, userID).Scan(&open).Error
	if err != nil {
		return false, fmt.Errorf("disputes of user %d: %w", userID, err)
	}
	return open, nil
}

// Awaiting returns how many payments of a user are under way: ordered, and not arrived.
func Awaiting(tx *gorm.DB, userID int64) (int64, error) {
	var n int64
	err := tx.Raw(`SELECT count(*) FROM purchases WHERE user_id = ? AND status = 'awaiting_payment'`, userID).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("payments under way of user %d: %w", userID, err)
	}
	return n, nil
}

// afterDeletion hands to a person what was paid for an account that had been deleted by then: the credits are booked, and
// nobody is there to spend them. It stays so until the money is back.
//
// Errors: ReviewError.
func afterDeletion(tx *gorm.DB, p *models.Purchase, booked bool) error {
	if p.Status != models.PurchasePaid {
		return nil
	}
	var gone []models.Credits // the balance, of a deleted account alone
	err := tx.Raw(`SELECT credits_balance FROM users WHERE id = ? AND deleted_at IS NOT NULL`, p.UserID).Scan(&gone).Error
	if err != nil {
		return fmt.Errorf("account of purchase %s: %w", p.ID, err)
	}
	if len(gone) == 0 || !booked && (gone[0] <= 0 || p.CreditsRefunded+p.CreditsDisputed >= p.CreditsGranted) {
		return nil
	}
	if err := eraseAgain(tx, p.UserID); err != nil {
		return err
	}
	return ReviewError(models.CauseDeleted)
}

// eraseAgain has EraseDue look at a deleted account once more: an event has come that may name the person. What it booked
// is of this year, and so is how long that must be kept.
func eraseAgain(tx *gorm.DB, userID int64) error {
	err := tx.Exec(`UPDATE users SET erased_at = NULL, delete_after = greatest(delete_after, (
			SELECT `+models.KeepUntil+` FROM credit_transactions WHERE user_id = users.id AND created_at >= users.deleted_at LIMIT 1))
		WHERE id = ? AND deleted_at IS NOT NULL`, userID).Error
	if err != nil {
		return fmt.Errorf("erase account %d again: %w", userID, err)
	}
	return nil
}

// EraseDue takes what still tells of a person out of the rows of accounts that were deleted: texts in the ledger, keys
// of orders, notes of admins, and what Stripe's events said beside what we read of them.
//
// Locks: the rows that it changes, in transactions of their own. Idempotent; any number of replicas may call it.
func (s *Service) EraseDue(ctx context.Context) error {
	var users []int64
	err := s.DB.WithContext(ctx).Raw(`SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NULL ORDER BY id LIMIT ?`, eraseBatch).Scan(&users).Error
	if err != nil {
		return fmt.Errorf("accounts to erase: %w", err)
	}
	var failed error
	for _, id := range users {
		if err := s.erase(ctx, id); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		s.Log.InfoContext(ctx, "account erased", "user_id", id)
	}
	if len(users) > 0 {
		failed = errors.Join(failed, s.eraseWithdrawals(ctx), s.leaveStripe(ctx))
	}
	return failed
}

func (s *Service) erase(ctx context.Context, userID int64) error {
	for after := int64(0); ; {
		err := models.Transaction(ctx, s.DB, func(tx *gorm.DB) (err error) {
			after, err = ledger.Erase(tx, userID, after)
			return err
		})
		if err != nil {
			return err
		}
		if after == 0 {
			break
		}
	}
	db := s.DB.WithContext(ctx)
	for _, statement := range []string{
		`UPDATE purchases SET idempotency_key = 'erased:' || id, checkout_url = '' WHERE user_id = ? AND (checkout_url <> '' OR NOT starts_with(idempotency_key, 'erased:'))`,
		`UPDATE refund_requests SET note = '' WHERE note <> '' AND purchase_id IN (SELECT id FROM purchases WHERE user_id = ?)`,
		`UPDATE audit_log SET detail = detail - 'note' WHERE user_id = ? AND jsonb_exists(detail, 'note')`,
	} {
		if err := db.Exec(statement, userID).Error; err != nil {
			return fmt.Errorf("erase what was written of user %d: %w", userID, err)
		}
	}
	if err := s.reduceEvents(ctx, eventsOfSQL, userID); err != nil {
		return err
	}
	if err := db.Exec(`UPDATE users SET erased_at = now() WHERE id = ? AND deleted_at IS NOT NULL`, userID).Error; err != nil {
		return fmt.Errorf("note that user %d is erased: %w", userID, err)
	}
	return nil
}

// eraseWithdrawals takes the words out of the withdrawals of deleted accounts. One that nobody has handled yet keeps them
// until then: who declared it is owed an answer.
func (s *Service) eraseWithdrawals(ctx context.Context) error {
	err := s.DB.WithContext(ctx).Exec(`UPDATE withdrawals w SET name = '', email = '', contract = '' FROM users u
		WHERE u.id = w.user_id AND u.deleted_at IS NOT NULL AND w.handled_at IS NOT NULL AND (w.name, w.email, w.contract) <> ('', '', '')`).Error
	if err != nil {
		return fmt.Errorf("erase the withdrawals of deleted accounts: %w", err)
	}
	return nil
}

// eventsOfSQL finds the events about a user's sessions, payments and customers.
const eventsOfSQL = `WITH bought AS (
	SELECT checkout_session_id AS ref FROM purchases WHERE user_id = @user AND checkout_session_id IS NOT NULL
	UNION SELECT payment_intent_id FROM purchases WHERE user_id = @user AND payment_intent_id IS NOT NULL
), known AS (
	SELECT ref FROM bought
	UNION SELECT c.charge_id FROM stripe_charges c JOIN bought ON c.payment_ref = bought.ref
	UNION SELECT customer_id FROM stripe_customers WHERE user_id = @user
)
SELECT event_id, payload FROM stripe_events WHERE event_id IN (
	SELECT e.event_id FROM known JOIN stripe_events e ON e.object_id = known.ref AND e.object_id <> ''
	UNION SELECT e.event_id FROM known JOIN stripe_events e ON e.payment_ref = known.ref AND e.payment_ref <> ''
) AND NOT reduced LIMIT @batch`

// oldEventsSQL finds events that are done with and whose payload is old.
const oldEventsSQL = `SELECT event_id, payload FROM stripe_events
	WHERE NOT reduced AND status IN ('done', 'ignored') AND received_at < @before LIMIT @batch`

// reduceEvents cuts the payloads of the events that a query finds down to what we read.
func (s *Service) reduceEvents(ctx context.Context, query string, userID int64) error {
	for {
		var rows []models.StripeEvent
		err := s.DB.WithContext(ctx).Raw(query, map[string]any{"user": userID, "before": s.Now().Add(-payloadMaxAge), "batch": eraseBatch}).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("events to reduce: %w", err)
		}
		for _, e := range rows {
			err := s.DB.WithContext(ctx).Exec(`UPDATE stripe_events SET payload = ?, reduced = true WHERE event_id = ?`, reducePayload(e.Payload), e.EventID).Error
			if err != nil {
				return fmt.Errorf("reduce event %s: %w", e.EventID, err)
			}
		}
		if len(rows) < eraseBatch {
			return nil
		}
	}
}

// keptFields are what package webhook reads of an object. Values that may be objects of their own are cut to their id.
var keptFields = []string{"id", "object", "mode", "status", "payment_status", "client_reference_id", "payment_intent", "customer", "charge", "product",
	"currency", "amount", "amount_refunded", "amount_subtotal", "amount_total", "failure_reason"}

// reducePayload leaves of an event what booking it again would read, and nothing of who paid. What cannot be read is
// left out altogether.
func reducePayload(payload []byte) []byte {
	var event struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			Object map[string]json.RawMessage `json:"object"`
		} `json:"data"`
	}
	if json.Unmarshal(payload, &event) != nil {
		return []byte(`{}`)
	}
	kept := map[string]any{}
	for _, name := range keptFields {
		if value, ok := event.Data.Object[name]; ok {
			kept[name] = onlyID(value)
		}
	}
	for name, fields := range map[string][]string{"metadata": {"credits", "purchase_id", "userId"}, "currency_conversion": {"source_currency", "amount_subtotal"}} {
		var inner map[string]json.RawMessage
		if json.Unmarshal(event.Data.Object[name], &inner) != nil || inner == nil {
			continue
		}
		part := map[string]any{}
		for _, field := range fields {
			if value, ok := inner[field]; ok {
				part[field] = value
			}
		}
		kept[name] = part
	}
	reduced, err := json.Marshal(map[string]any{"id": event.ID, "type": event.Type, "data": map[string]any{"object": kept}})
	if err != nil { // of texts that were JSON a moment ago
		return []byte(`{}`)
	}
	return reduced
}

func onlyID(value json.RawMessage) any {
	var object struct {
		ID string `json:"id"`
	}
	if len(value) > 0 && value[0] == '{' {
		if json.Unmarshal(value, &object) != nil {
			return nil
		}
		return object.ID
	}
	return value
}

// leaveStripe ends what deleted accounts have at Stripe: Checkouts that could still be paid, and then the customers,
// with name and address. Payments and receipts stay there, for as long as Stripe must keep them.
//
// A customer whose payment is under way waits for it. Errors: those of single calls, after all were tried.
func (s *Service) leaveStripe(ctx context.Context) error {
	db := s.DB.WithContext(ctx)
	var sessions, customers []string
	err := db.Raw(`SELECT p.checkout_session_id FROM purchases p JOIN users u ON u.id = p.user_id
		WHERE u.deleted_at IS NOT NULL AND p.status = 'pending' AND p.checkout_session_id IS NOT NULL LIMIT ?`, eraseBatch).Scan(&sessions).Error
	if err != nil {
		return fmt.Errorf("open Checkouts of deleted accounts: %w", err)
	}
	var failed error
	for _, id := range sessions {
		failed = errors.Join(failed, s.endCheckout(ctx, id))
	}
	err = db.Raw(`SELECT c.customer_id FROM stripe_customers c JOIN users u ON u.id = c.user_id WHERE u.deleted_at IS NOT NULL AND c.deleted_at IS NULL
		AND NOT EXISTS (SELECT FROM purchases p WHERE p.user_id = u.id AND p.status IN ('pending', 'awaiting_payment') AND p.checkout_session_id IS NOT NULL)
		LIMIT ?`, eraseBatch).Scan(&customers).Error
	if err != nil {
		return fmt.Errorf("customers of deleted accounts: %w", err)
	}
	for _, id := range customers {
		params := &stripe.CustomerParams{}
		params.Context = ctx
		if _, err := s.Stripe.Customers.Del(id, params); err != nil && missingParam(err) == "" {
			failed = errors.Join(failed, stripeFault(err))
			continue
		}
		err := db.Exec(`UPDATE stripe_customers SET deleted_at = coalesce(deleted_at, now()) WHERE customer_id = ?`, id).Error
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("note that a customer is deleted: %w", err))
		}
	}
	return failed
}

// endCheckout keeps a session from being paid. One that is over already says so when it is read.
func (s *Service) endCheckout(ctx context.Context, sessionID string) error {
	params := &stripe.CheckoutSessionExpireParams{}
	params.Context = ctx
	_, _ = s.Stripe.CheckoutSessions.Expire(sessionID, params) // what has become of it is read below
	session, err := s.fetchCheckout(ctx, sessionID)
	switch {
	case errors.Is(err, ErrNotOurs): // Stripe no longer knows it
		return nil
	case err != nil:
		return err
	}
	_, err = s.bookFound(ctx, s.bookFetched(session))
	if errors.As(err, new(ReviewError)) { // its event says so, too
		s.Log.ErrorContext(ctx, "a Checkout of a deleted account needs a person", "session", sessionID, "reason", err)
		return nil
	}
	return err
}

// Sweep is EraseDue for what came after: events about deleted accounts, Stripe's customers that could not be deleted,
// payloads that nobody needs any more, and accounts that need not be kept. It says how many accounts it removed.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	var deleted []int64
	err := s.DB.WithContext(ctx).Raw(`SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NOT NULL ORDER BY id`).Scan(&deleted).Error
	if err != nil {
		return 0, fmt.Errorf("deleted accounts: %w", err)
	}
	for _, id := range deleted {
		if err := s.reduceEvents(ctx, eventsOfSQL, id); err != nil {
			return 0, err
		}
	}
	if err := s.reduceEvents(ctx, oldEventsSQL, 0); err != nil {
		return 0, err
	}
	failed := errors.Join(s.eraseWithdrawals(ctx), s.leaveStripe(ctx))
	removed, err := s.removeDue(ctx)
	return removed, errors.Join(failed, err)
}

// removeDue removes the accounts that need not be kept any more, each with all its rows at once: balance and ledger go
// together. One that has acted as an admin stays as a number, because the audit log names it.
func (s *Service) removeDue(ctx context.Context) (int64, error) {
	var users []int64
	err := s.DB.WithContext(ctx).Raw(`SELECT id FROM users WHERE deleted_at IS NOT NULL AND erased_at IS NOT NULL AND delete_after < (now() AT TIME ZONE 'UTC')::date
		AND NOT EXISTS (SELECT FROM credit_transactions WHERE user_id = users.id AND created_at >= now() - interval '8 years')
		AND NOT EXISTS (SELECT FROM audit_log WHERE actor_id = users.id) AND NOT EXISTS (SELECT FROM api_keys WHERE created_by = users.id)
		AND NOT EXISTS (SELECT FROM refund_requests WHERE actor_id = users.id)
		AND NOT EXISTS (SELECT FROM stripe_customers WHERE user_id = users.id AND deleted_at IS NULL) ORDER BY id LIMIT ?`, eraseBatch).Scan(&users).Error
	if err != nil {
		return 0, fmt.Errorf("accounts that need not be kept: %w", err)
	}
	var removed int64
	for _, id := range users {
		err := models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
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

var removeSQL = []string{
	`SELECT 1 FROM users WHERE id = ? FOR UPDATE`,
	`DELETE FROM refund_requests WHERE purchase_id IN (SELECT id FROM purchases WHERE user_id = ?)`,
	`DELETE FROM credit_transactions WHERE user_id = ?`,
	`DELETE FROM holds WHERE user_id = ?`,
	`DELETE FROM stripe_events e USING purchases p WHERE p.user_id = ? AND (e.object_id = p.checkout_session_id OR e.payment_ref = p.payment_intent_id)`,
	`DELETE FROM stripe_refunds r USING purchases p WHERE p.user_id = ? AND r.payment_ref = p.payment_intent_id`,
	`DELETE FROM stripe_disputes d USING purchases p WHERE p.user_id = ? AND d.payment_ref = p.payment_intent_id`,
	`DELETE FROM stripe_charges c USING purchases p WHERE p.user_id = ? AND c.payment_ref = p.payment_intent_id`,
	`DELETE FROM withdrawals WHERE user_id = ?`,
	`DELETE FROM purchases WHERE user_id = ?`,
	`DELETE FROM stripe_customers WHERE user_id = ?`,
	`DELETE FROM sessions WHERE user_id = ?`,
	`DELETE FROM audit_log WHERE user_id = ?`,
	`DELETE FROM users WHERE id = ?`,
}
