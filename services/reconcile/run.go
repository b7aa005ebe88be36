// Package reconcile compares payments, refunds, disputes and balances with Stripe and the ledger every hour, and
// books whatever no event has brought.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/purchase"
)

const (
	// reach is how far back Checkout Sessions are read: Stripe keeps events for 30 days.
	reach = 30 * 24 * time.Hour
	// lateReach is how far back refunds and disputes are read: 120 days, because they change long after creation.
	lateReach = purchase.ForeignMemory - reach
	// interval is the time between two runs.
	interval = time.Hour
	// lease is how long a process may hold a run without renewing it; one page takes less.
	lease = 5 * time.Minute
	// releaseTimeout bounds the statement that releases the lease.
	releaseTimeout = 2 * time.Second
)

// ErrRunning reports that another process is reconciling.
var ErrRunning = errors.New("another process is reconciling")

// Service compares our records with Stripe's and corrects ours.
type Service struct {
	DB       *gorm.DB
	Purchase *purchase.Service // reaches Stripe and books
	Now      func() time.Time
	Log      *slog.Logger

	// OnEventMissing is called for each payment that Sweep finds and whose event should have come; nil: nothing is.
	OnEventMissing func()
}

// Report is the result of one run.
type Report struct {
	models.Reconciliation
	Findings []models.Finding // one page
	Found    int64            // total number of findings
	Next     int64            // last finding of the page; 0 on the last page
}

// Once reads Checkout Sessions of the last 30 days and refunds and disputes of the last 120 days from Stripe, books
// whatever their events have not brought, and then compares every balance with its entries. One process runs at a
// time. It resumes an interrupted run where that stopped.
//
// Locks: none across the network; per object those of booking it.
// Idempotent: a booked object is not a finding again, and a review is reported once.
// Errors: ErrRunning; fault.Unavailable when Stripe does not answer, and the next call resumes the run.
func (s *Service) Once(ctx context.Context) (Report, error) {
	return s.run(ctx, 0)
}

// dueSQL is when an unfinished run may be claimed or, without one, when the next is due.
const dueSQL = `coalesce((SELECT greatest(leased_until, 'epoch') FROM reconciliations WHERE finished_at IS NULL),
	(SELECT started_at + cast(@reconcile_seconds AS float8) * interval '1 second' FROM reconciliations
		ORDER BY id DESC LIMIT 1), now())`

// Jobs reconcile every hour and when Begin requests it, and sweep while a purchase waits for its payment. Any number of
// replicas may run them.
func (s *Service) Jobs() []periodic.Job {
	return []periodic.Job{s.sweepJob(), {Name: "reconcile", Due: dueSQL, Args: map[string]any{"reconcile_seconds": interval.Seconds()},
		Work: func(ctx context.Context) error {
			_, err := s.run(ctx, interval)
			if errors.Is(err, ErrRunning) {
				return nil
			}
			return err
		}}}
}

// Begin requests a run on any server now, and returns without waiting for it.
func (s *Service) Begin(ctx context.Context) error {
	err := postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		return models.AppendAudit(tx, models.AuditEvent{Action: models.ActionReconcileStart})
	})
	if err != nil {
		return err
	}
	return s.requestRun(ctx)
}

// run resumes the unfinished run, or begins one unless the last began less than every ago.
func (s *Service) run(ctx context.Context, every time.Duration) (Report, error) {
	r, err := s.claimRun(ctx, every)
	if err != nil {
		return Report{}, err
	}
	for r.FinishedAt == nil && err == nil {
		err = s.runPage(ctx, r)
	}
	if err != nil {
		s.releaseRun(context.WithoutCancel(ctx), r, err)
		return Report{}, err
	}
	report, err := s.report(ctx, *r, 0, maxFindings)
	if err == nil {
		s.Log.InfoContext(ctx, "reconciled", "checked", r.Checked, "findings", report.Found)
	}
	return report, err
}

// runPage compares one page of the current step and saves the run's progress.
func (s *Service) runPage(ctx context.Context, r *models.Reconciliation) error {
	compare := map[models.ReconcileStep]func(context.Context, *models.Reconciliation) (page, error){
		models.ReconcileSessions: s.compareSessions, models.ReconcileRefunds: s.compareRefunds,
		models.ReconcileDisputes: s.compareDisputes, models.ReconcileBalances: s.compareBalances,
	}[r.Step]
	p, err := compare(ctx, r)
	if errors.Is(err, errCursorGone) { // restart the step: booking is idempotent
		r.Cursor = ""
		return s.saveRun(ctx, r)
	}
	switch {
	case err != nil && s.transient(ctx, err):
		return err
	case err != nil: // a permanent error must not block the other steps
		if err := s.review(ctx, r, "list of "+string(r.Step), err); err != nil {
			return err
		}
		p = page{}
	}
	r.Checked += p.checked
	r.Cursor = p.last
	if !p.more {
		r.Cursor = ""
		switch r.Step {
		case models.ReconcileSessions:
			r.Step = models.ReconcileRefunds
		case models.ReconcileRefunds:
			r.Step = models.ReconcileDisputes
		case models.ReconcileDisputes:
			r.Step = models.ReconcileBalances
		default:
			now := s.Now()
			r.FinishedAt = &now
		}
	}
	if p.checked == 0 && r.FinishedAt == nil { // an empty list takes no time; the next page saves the step
		return nil
	}
	return s.saveRun(ctx, r)
}

// page is the progress of one page of a step.
type page struct {
	last    string // id of the page's last object
	checked int64  // objects compared
	more    bool   // more pages exist
}

// requestRun inserts a run that any server may claim, unless one is unfinished.
func (s *Service) requestRun(ctx context.Context) error {
	now := s.Now()
	err := s.DB.WithContext(ctx).Exec(`INSERT INTO reconciliations (since, started_at) VALUES (?, ?)
		ON CONFLICT ((true)) WHERE finished_at IS NULL DO NOTHING`, now.Add(-reach), now).Error
	if err != nil {
		return fmt.Errorf("request reconciliation: %w", err)
	}
	return nil
}

// claimSQL leases the unfinished run or, without one, a new run, unless the last began lately. Neither part sees what
// the other writes. The lease is a column rather than an advisory lock, so that it works behind a pooler and expires
// when the process dies.
const claimSQL = `WITH claimed AS (
	UPDATE reconciliations SET holder = @holder, leased_until = @until
	WHERE finished_at IS NULL AND leased_until <= @now RETURNING *
), begun AS (
	INSERT INTO reconciliations (since, started_at, holder, leased_until)
	SELECT cast(@since AS timestamptz), cast(@now AS timestamptz), cast(@holder AS uuid), cast(@until AS timestamptz)
	WHERE NOT EXISTS (SELECT FROM reconciliations WHERE finished_at IS NULL OR started_at > @recent)
	ON CONFLICT ((true)) WHERE finished_at IS NULL DO NOTHING RETURNING *
)
SELECT * FROM claimed UNION ALL SELECT * FROM begun`

// claimRun leases the unfinished run, or begins one unless the last began less than every ago.
// Errors: ErrRunning, also when none is due.
func (s *Service) claimRun(ctx context.Context, every time.Duration) (*models.Reconciliation, error) {
	var r models.Reconciliation
	now := s.Now()
	err := s.DB.WithContext(ctx).Raw(claimSQL, map[string]any{"holder": uuid.New(), "now": now, "until": now.Add(lease),
		"since": now.Add(-reach), "recent": now.Add(-every)}).Scan(&r).Error
	if err != nil {
		return nil, fmt.Errorf("claim reconciliation: %w", err)
	}
	if r.ID == 0 {
		return nil, ErrRunning
	}
	return &r, nil
}

// saveRun saves the run's progress and renews the lease.
// Errors: ErrRunning when the lease was lost.
func (s *Service) saveRun(ctx context.Context, r *models.Reconciliation) error {
	saved := s.DB.WithContext(ctx).Exec(`UPDATE reconciliations
		SET step = ?, cursor = ?, checked = ?, finished_at = ?, last_error = '', leased_until = ?
		WHERE id = ? AND holder = ?`, r.Step, r.Cursor, r.Checked, r.FinishedAt, s.Now().Add(lease), r.ID, r.Holder)
	if saved.Error != nil {
		return fmt.Errorf("save reconciliation %d: %w", r.ID, saved.Error)
	}
	if saved.RowsAffected == 0 {
		return ErrRunning
	}
	return nil
}

// releaseRun releases the lease after a failure, so that any process can resume the run.
func (s *Service) releaseRun(ctx context.Context, r *models.Reconciliation, cause error) {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	err := s.DB.WithContext(ctx).
		Exec(`UPDATE reconciliations SET leased_until = 'epoch', last_error = ? WHERE id = ? AND holder = ?`,
			stopReason(cause), r.ID, r.Holder).Error
	if err != nil { // the lease expires anyway
		s.Log.WarnContext(ctx, "release reconciliation failed", "err", err)
	}
}

// stopReason returns the code that is stored for the error that stopped a run.
func stopReason(err error) models.Cause {
	switch {
	case errors.As(err, new(models.Cause)):
		return models.CauseOf(err)
	case errors.Is(err, context.Canceled):
		return models.CauseInterrupted
	case postgres.Away(err):
		return models.CauseDatabase
	}
	return models.CauseUnknown.Of(err.Error())
}

// Last returns the newest run with up to limit findings whose id is above after; nil before the first run.
func (s *Service) Last(ctx context.Context, after int64, limit int) (*Report, error) {
	var r models.Reconciliation
	// An unclaimed run has a lease of -infinity, which time.Time cannot hold.
	err := s.DB.WithContext(ctx).Raw(`SELECT id, since, step, cursor, checked, holder,
		greatest(leased_until, 'epoch') AS leased_until, last_error, started_at, finished_at FROM reconciliations ORDER BY id DESC LIMIT 1`).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last reconciliation: %w", err)
	}
	report, err := s.report(ctx, r, after, limit)
	return &report, err
}

// maxFindings is how many findings the report of Once lists.
const maxFindings = 1000

// report reads one page of the findings of a run.
func (s *Service) report(ctx context.Context, r models.Reconciliation, after int64, limit int) (Report, error) {
	report, db := Report{Reconciliation: r}, s.DB.WithContext(ctx)
	err := db.Where("reconciliation_id = ? AND id > ?", r.ID, after).Order("id").Limit(limit + 1).Find(&report.Findings).
		Error
	report.Found = int64(len(report.Findings))
	if err == nil && (after > 0 || len(report.Findings) > limit) { // this page is not all
		err = db.Model(&models.Finding{}).Where("reconciliation_id = ?", r.ID).Count(&report.Found).Error
	}
	if err != nil {
		return report, fmt.Errorf("read findings of reconciliation %d: %w", r.ID, err)
	}
	if len(report.Findings) > limit {
		report.Findings = report.Findings[:limit]
		report.Next = report.Findings[limit-1].ID
	}
	return report, nil
}
