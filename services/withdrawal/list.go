package withdrawal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
)

const (
	// maxFlood is how many declarations of floods are kept, newest first, so that a flood cannot fill the disk. All
	// others are kept until their account is erased.
	maxFlood   = 20_000
	sweepBatch = 5000 // rows per statement of a sweep
)

// Cursor is the last declaration of a page; the zero value starts the list.
type Cursor struct {
	Handled  bool
	Priority models.WithdrawalPriority
	Received time.Time
	ID       uuid.UUID
}

// List returns a page of declarations: open ones first, then by priority, then oldest first. Equal declarations are
// one row. The number of statements does not depend on that of the rows. next is the cursor of the next page, nil at
// the end.
func (s *Service) List(
	ctx context.Context, after Cursor, limit int,
) (rows []models.ListedWithdrawal, next *Cursor, err error) {
	where, args := "true", []any{sql.Named("limit", limit+1)}
	if after != (Cursor{}) {
		where = `((w.handled_at IS NOT NULL), w.priority, w.received_at, w.id) > (@handled, @priority, @received, @id)`
		args = append(args, sql.Named("handled", after.Handled), sql.Named("priority", after.Priority),
			sql.Named("received", after.Received), sql.Named("id", after.ID))
	}
	err = s.DB.WithContext(ctx).
		Raw(`SELECT w.*, coalesce((SELECT sum(c.copies) FROM withdrawals c WHERE c.fold = w.fold AND c.fold <> ''
				AND (c.handled_at IS NULL) = (w.handled_at IS NULL)), w.copies) AS declared,
			EXISTS (SELECT FROM users u WHERE u.id = w.user_id AND u.email = w.email) AS own_address,
			coalesce((SELECT number FROM purchases p WHERE p.id = w.purchase_id), 0) AS purchase_number
		FROM withdrawals w WHERE `+where+` AND NOT EXISTS (SELECT FROM withdrawals first WHERE first.fold = w.fold AND first.fold <> ''
			AND (first.handled_at IS NULL) = (w.handled_at IS NULL) AND (first.priority, first.received_at, first.id) < (w.priority, w.received_at, w.id))
		ORDER BY (w.handled_at IS NOT NULL), w.priority, w.received_at, w.id LIMIT @limit`, args...).Scan(&rows).Error
	if err != nil {
		return nil, nil, fmt.Errorf("list withdrawals: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next = &Cursor{Handled: last.HandledAt != nil, Priority: last.Priority, Received: last.ReceivedAt, ID: last.ID}
	}
	return rows, next, s.entitle(ctx, rows)
}

// entitle adds to declarations what they entitle to or, once they are closed, the currency of what was refunded.
func (s *Service) entitle(ctx context.Context, rows []models.ListedWithdrawal) error {
	var ids []uuid.UUID
	for _, w := range rows {
		if w.PurchaseID != nil {
			ids = append(ids, *w.PurchaseID)
		}
	}
	details, err := s.Purchases.Details(ctx, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		w := &rows[i]
		e := models.Entitlement{DueOn: purchase.DueOn(w.ReceivedAt), Missing: []models.Missing{models.MissingPurchase}}
		if w.PurchaseID != nil {
			d := details[*w.PurchaseID]
			e, w.Currency = Entitle(w.Withdrawal, d), d.PaymentCurrency()
		}
		if w.HandledAt == nil {
			w.Entitlement, w.Overdue = &e, e.Overdue(s.Now())
		}
	}
	return nil
}

// OfUser lists up to limit declarations of a user, newest first.
func (s *Service) OfUser(ctx context.Context, userID int64, limit int) (rows []models.ListedWithdrawal, err error) {
	err = s.DB.WithContext(ctx).Raw(`SELECT w.*, w.copies AS declared, coalesce(p.number, 0) AS purchase_number
		FROM withdrawals w LEFT JOIN purchases p ON p.id = w.purchase_id WHERE w.user_id = ?
		ORDER BY w.received_at DESC, w.id LIMIT ?`, userID, limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("withdrawals of user %d: %w", userID, err)
	}
	return rows, s.entitle(ctx, rows)
}

// CountOpen counts the open declarations; equal declarations count once.
func (s *Service) CountOpen(ctx context.Context) (int64, error) {
	var n int64
	err := s.DB.WithContext(ctx).Raw(`SELECT count(DISTINCT coalesce(nullif(fold, ''), id::text)) FROM withdrawals
		WHERE handled_at IS NULL`).Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count open withdrawals: %w", err)
	}
	return n, nil
}

// Jobs refund clean declarations where the operator wants that, close those that were refunded, and sweep them. Any
// number of replicas may run them. Any row with a sender says when the next sweep is due, so that a flood of rows need
// not be sorted for it.
func (s *Service) Jobs() []periodic.Job {
	jobs := []periodic.Job{
		{Name: "close refunded withdrawals", Work: s.CloseRefunded,
			Due: `(SELECT min(r.updated_at) FROM ` + refundedSQL + `)`},
		{Name: "sweep withdrawals", Pause: time.Minute,
			Due: `(SELECT received_at + interval '1 hour' FROM withdrawals WHERE sender <> '' LIMIT 1)`,
			Work: func(ctx context.Context) error {
				_, err := s.Sweep(ctx)
				return err
			}},
	}
	if s.Automatic {
		jobs = append(jobs, periodic.Job{Name: "refund withdrawals", Work: s.RefundDue,
			Due: `(SELECT min(received_at) FROM withdrawals WHERE handled_at IS NULL AND purchase_id IS NOT NULL
				AND judged_at IS NULL AND refund_request IS NULL)`})
	}
	return jobs
}

// Sweep clears senders after an hour and deletes declarations of floods beyond the newest maxFlood. It returns the
// number deleted.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	db := s.DB.WithContext(ctx)
	clearSenders := func() *gorm.DB {
		return db.Exec(`UPDATE withdrawals SET sender = '' WHERE id IN (
			SELECT id FROM withdrawals WHERE sender <> '' AND received_at <= ? LIMIT ?)`, s.Now().Add(-time.Hour), sweepBatch)
	}
	if _, err := postgres.InBatches(sweepBatch, clearSenders); err != nil {
		return 0, fmt.Errorf("clear senders of withdrawals: %w", err)
	}
	purge := func() *gorm.DB {
		return db.Exec(`DELETE FROM withdrawals WHERE id IN (
			SELECT id FROM withdrawals WHERE priority = 2 ORDER BY received_at DESC, id DESC OFFSET ? LIMIT ?)`, maxFlood, sweepBatch)
	}
	deleted, err := postgres.InBatches(sweepBatch, purge)
	if err != nil {
		return deleted, fmt.Errorf("delete withdrawals of floods: %w", err)
	}
	if deleted > 0 {
		s.Log.WarnContext(ctx, "withdrawals of a flood deleted", "rows", deleted)
	}
	return deleted, nil
}
