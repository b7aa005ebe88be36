package admin

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

// waitingSQL selects every open review. An event or finding that is decided with its purchase is listed with the
// purchase only. A dispute is decided with its purchase too, but listed with its event. A refund that a buyer asked
// for is listed once Stripe has refused it, or if it failed after the account was deleted, until an admin refunds
// again.
// The planner cannot know how few refunds these are: LIMIT 1 stops it from reading all purchases and users.
// Resumes are listed once their deletion has failed, or if no server works on it.
const waitingSQL = `WITH waiting AS (
	SELECT 'purchase' AS kind, p.id::text AS id, p.cause, coalesce(p.paid_at, p.created_at) AS since, p.id AS purchase_id, '' AS object_id
		FROM purchases p WHERE p.status = 'review'
	UNION ALL SELECT 'event', e.event_id, e.last_error, e.received_at,
			(SELECT p.id FROM purchases p LEFT JOIN stripe_charges c ON c.payment_ref = p.payment_intent_id AND c.charge_id = e.payment_ref
				WHERE p.checkout_session_id = e.object_id OR p.payment_intent_id = e.payment_ref OR c.charge_id IS NOT NULL LIMIT 1),
			e.object_id
		FROM stripe_events e WHERE e.status = 'review'
			AND NOT (e.last_error IN @causes AND EXISTS (SELECT FROM purchases p WHERE p.checkout_session_id = e.object_id))
	UNION ALL SELECT 'finding', f.id::text, f.note, f.created_at, coalesce(f.purchase_id, p.id), f.object_id
		FROM reconciliation_findings f LEFT JOIN stripe_disputes d ON d.dispute_id = f.object_id LEFT JOIN purchases p ON p.payment_intent_id = d.payment_ref
		WHERE f.kind = 'review' AND f.closed_at IS NULL AND d.share IS NULL
			AND NOT EXISTS (SELECT FROM purchases p WHERE p.checkout_session_id = f.object_id)
			AND NOT EXISTS (SELECT FROM stripe_events e WHERE e.object_id = f.object_id AND e.object_id <> '')
	UNION ALL SELECT 'refund', r.id::text, coalesce(nullif(r.last_error, ''), CASE r.status WHEN 'sent' THEN 'refund_failed' ELSE 'no_answer' END),
			r.created_at, r.purchase_id, coalesce(r.refund_id, '')
		FROM (SELECT * FROM refund_requests r WHERE r.status = 'pending' AND r.created_at < now() - interval '1 hour'
			OR r.goodwill AND (r.status = 'refused' OR EXISTS (
					SELECT FROM stripe_refunds f WHERE f.refund_id = r.refund_id AND f.` + models.RefundFailedSQL + `))
				AND NOT EXISTS (SELECT FROM refund_requests later WHERE later.purchase_id = r.purchase_id AND later.created_at > r.created_at)) r
		CROSS JOIN LATERAL (SELECT * FROM purchases WHERE id = r.purchase_id LIMIT 1) p
		CROSS JOIN LATERAL (SELECT deleted_at FROM users WHERE id = p.user_id LIMIT 1) u
		WHERE r.status = 'pending' OR p.credits_refunded + p.credits_disputed < p.credits_granted
			AND (r.status = 'refused' OR u.deleted_at IS NOT NULL)
	UNION ALL SELECT 'resumes', g.user_id::text, g.deletion_cause, u.deleted_at, NULL, g.tenant_id
		FROM gate_users g JOIN users u ON u.id = g.user_id
		WHERE g.deletion_attempts > 0 OR g.deletion_due_at < now() - interval '1 hour'
)`

// Waiting lists open reviews, oldest first, and counts all of them.
func (s *Service) Waiting(ctx context.Context, limit int) (rows []models.Waiting, total int64, err error) {
	db := s.DB.WithContext(ctx)
	err = db.Raw(waitingSQL+` SELECT * FROM waiting ORDER BY since, id LIMIT @limit`,
		sql.Named("causes", models.PaymentCauses()), sql.Named("limit", limit)).Scan(&rows).Error
	if err != nil {
		return nil, 0, fmt.Errorf("list open reviews: %w", err)
	}
	if len(rows) < limit {
		return rows, int64(len(rows)), nil
	}
	total, err = countWaiting(db)
	return rows, total, err
}

// countWaiting counts the open reviews.
func countWaiting(db *gorm.DB) (n int64, err error) {
	err = db.Raw(waitingSQL+` SELECT count(*) FROM waiting`, sql.Named("causes", models.PaymentCauses())).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count open reviews: %w", err)
	}
	return n, nil
}

// knownSQL tells, for the kinds of items that have pages of their own, whether there is such an item. Resumes are known
// by their user, because nothing else is left of them.
var knownSQL = map[models.WaitingKind]string{
	models.WaitingEvent:   `SELECT EXISTS (SELECT FROM stripe_events WHERE event_id = @id)`,
	models.WaitingFinding: `SELECT EXISTS (SELECT FROM reconciliation_findings WHERE kind = 'review' AND id = @number)`,
	models.WaitingResumes: `SELECT EXISTS (SELECT FROM users WHERE deleted_at IS NOT NULL AND id = @number)`,
}

// WaitingItem returns one item under review.
// Errors: fault.NotFound, with fault.ReviewOver when it is not under review any more.
func (s *Service) WaitingItem(ctx context.Context, kind models.WaitingKind, id string) (models.Waiting, error) {
	var w models.Waiting
	if !models.Storable(id) {
		return w, fault.New(fault.NotFound, nil)
	}
	err := s.DB.WithContext(ctx).Raw(waitingSQL+` SELECT * FROM waiting WHERE kind = @kind AND id = @id`,
		sql.Named("causes", models.PaymentCauses()), sql.Named("kind", string(kind)), sql.Named("id", id)).Take(&w).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return w, notWaiting(s.DB.WithContext(ctx), kind, id)
	}
	return w, postgres.Found(err, "look up the review of %s %s", kind, id)
}

// notWaiting returns the error for an item that is not under review: fault.NotFound, with fault.ReviewOver if it is
// known.
func notWaiting(db *gorm.DB, kind models.WaitingKind, id string) error {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		number = 0 // no row has it
	}
	known := false
	err = db.Raw(knownSQL[kind], map[string]any{"id": id, "number": number}).Scan(&known).Error
	switch {
	case err != nil:
		return fmt.Errorf("look up %s %s: %w", kind, id, err)
	case known:
		return fault.Because(fault.NotFound, fault.ReviewOver)
	}
	return fault.New(fault.NotFound, nil)
}
