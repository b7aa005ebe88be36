package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
)

const (
	// reconcileReach is how far back Stripe is read again. Source: events can be asked for or sent again for 30 days.
	reconcileReach = 30 * 24 * time.Hour
	// reconcileLateReach is the same for refunds and disputes, which change long after they were made.
	reconcileLateReach = 120 * 24 * time.Hour
	// reconcileEvery is how often the server does it.
	reconcileEvery = time.Hour
	// reconcileTick is how often a server looks whether it is time, or whether another one has left off.
	reconcileTick = 20 * time.Second
	// reconcileLease is how long a process that says nothing is believed to be at work; a page takes less.
	reconcileLease = 5 * time.Minute
)

// ErrReconciling says that another process is reconciling at this moment.
var ErrReconciling = errors.New("another process is reconciling")

// errNotDue says that it is not time yet.
var errNotDue = errors.New("not due")

// Report is what one reconciliation came to.
type Report struct {
	models.Reconciliation
	Findings []models.Finding // a page of them
	Found    int64            // in all
	Next     int64            // the finding after which the next page begins; 0 at the end
}

// Reconcile reads the Checkout Sessions, refunds and disputes of the last 30 days from Stripe, books what their events
// have not brought, by the functions that book events, and then compares every balance with its ledger lines. One
// process does it at a time; a reading that was cut short is taken up where it stopped.
//
// Locks: none across the network; for each object those of booking it.
// Idempotent: what is booked is not found again, and what needs a person is reported once.
// Errors: ErrReconciling; fault.Unavailable when Stripe does not answer: the next call goes on from there.
func (s *Service) Reconcile(ctx context.Context) (Report, error) {
	return s.reconcile(ctx, 0)
}

// RunReconcile reconciles every hour until ctx ends. Any number of replicas may run it.
func (s *Service) RunReconcile(ctx context.Context) {
	ticker := time.NewTicker(reconcileTick)
	defer ticker.Stop()
	for {
		_, err := s.reconcile(ctx, reconcileEvery)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errNotDue) && !errors.Is(err, ErrReconciling) {
			s.Log.WarnContext(ctx, "reconciling stopped and will go on", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.wake():
		}
	}
}

// BeginReconcile asks the servers to reconcile now, and returns without waiting for it.
func (s *Service) BeginReconcile(ctx context.Context) error {
	if err := models.AppendAudit(s.DB.WithContext(ctx), models.Deed{Action: models.ActionReconcileStart}); err != nil {
		return err
	}
	if err := s.beginRun(ctx, 0); err != nil && !errors.Is(err, errNotDue) { // not due: one has ended at this very moment
		return err
	}
	select {
	case s.wake() <- struct{}{}:
	default: // told already; and should this server be busy, one looks every few seconds
	}
	return nil
}

func (s *Service) wake() chan struct{} {
	s.wakeOnce.Do(func() { s.waking = make(chan struct{}, 1) })
	return s.waking
}

// reconcile takes up the unfinished run, or begins one when the last is older than every.
func (s *Service) reconcile(ctx context.Context, every time.Duration) (Report, error) {
	if err := s.beginRun(ctx, every); err != nil {
		return Report{}, err
	}
	r, err := s.claimRun(ctx)
	if err != nil {
		return Report{}, err
	}
	for r.FinishedAt == nil && err == nil {
		err = s.reconcilePage(ctx, r)
	}
	if err != nil {
		s.leaveRun(context.WithoutCancel(ctx), r, err)
		return Report{}, err
	}
	report, err := s.report(ctx, *r, 0, maxFindings)
	if err == nil {
		s.Log.InfoContext(ctx, "reconciled", "checked", r.Checked, "findings", report.Found)
	}
	return report, err
}

// reconcilePage compares one page of what the run is reading, and writes down how far it has come.
func (s *Service) reconcilePage(ctx context.Context, r *models.Reconciliation) error {
	read := map[models.ReconcileStep]func(context.Context, *models.Reconciliation) (page, error){
		models.ReconcileSessions: s.reconcileSessions, models.ReconcileRefunds: s.reconcileRefunds,
		models.ReconcileDisputes: s.reconcileDisputes, models.ReconcileBalances: s.reconcileBalances,
	}[r.Step]
	p, err := read(ctx, r)
	if errors.Is(err, errCursorGone) { // from its beginning again: what is booked is not booked twice
		r.Cursor = ""
		return s.keepRun(ctx, r)
	}
	switch {
	case err != nil && s.passing(ctx, err):
		return err
	case err != nil: // refused, and would be again: the other steps must not wait for it
		if err := s.handOver(ctx, r, "list of "+string(r.Step), err); err != nil {
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
	return s.keepRun(ctx, r)
}

// page is how far one page of a step has come.
type page struct {
	last    string // the last object on it
	checked int64
	more    bool
}

// beginRun writes a new run unless one is unfinished, or the last one was begun less than every ago.
// Errors: errNotDue.
func (s *Service) beginRun(ctx context.Context, every time.Duration) error {
	now := s.Now()
	begun := s.DB.WithContext(ctx).Exec(`INSERT INTO reconciliations (since, started_at) SELECT @since, @now
		WHERE NOT EXISTS (SELECT 1 FROM reconciliations WHERE finished_at IS NOT NULL AND started_at > @recent)
		ON CONFLICT ((true)) WHERE finished_at IS NULL DO NOTHING`,
		map[string]any{"since": now.Add(-reconcileReach), "now": now, "recent": now.Add(-every)})
	if begun.Error != nil {
		return fmt.Errorf("begin to reconcile: %w", begun.Error)
	}
	if begun.RowsAffected == 1 {
		return nil
	}
	var unfinished int64
	if err := s.DB.WithContext(ctx).Raw(`SELECT count(*) FROM reconciliations WHERE finished_at IS NULL`).Scan(&unfinished).Error; err != nil {
		return fmt.Errorf("look for a reconciliation: %w", err)
	}
	if unfinished == 0 {
		return errNotDue
	}
	return nil
}

// claimRun takes the lease of the unfinished run. A row rather than a session's lock: it works behind a pooler, and
// what a dead process held is free again when its lease ends.
// Errors: ErrReconciling.
func (s *Service) claimRun(ctx context.Context) (*models.Reconciliation, error) {
	var r models.Reconciliation
	claimed := s.DB.WithContext(ctx).Raw(`UPDATE reconciliations SET holder = ?, leased_until = ? WHERE finished_at IS NULL AND leased_until <= ? RETURNING *`,
		uuid.New(), s.Now().Add(reconcileLease), s.Now()).Scan(&r)
	if claimed.Error != nil {
		return nil, fmt.Errorf("claim the reconciliation: %w", claimed.Error)
	}
	if r.ID == 0 {
		return nil, ErrReconciling
	}
	return &r, nil
}

// keepRun writes how far the run has come and renews the lease.
// Errors: ErrReconciling when it was lost meanwhile.
func (s *Service) keepRun(ctx context.Context, r *models.Reconciliation) error {
	kept := s.DB.WithContext(ctx).Exec(`UPDATE reconciliations SET step = ?, cursor = ?, checked = ?, finished_at = ?, last_error = '', leased_until = ?
		WHERE id = ? AND holder = ?`, r.Step, r.Cursor, r.Checked, r.FinishedAt, s.Now().Add(reconcileLease), r.ID, r.Holder)
	if kept.Error != nil {
		return fmt.Errorf("keep the reconciliation: %w", kept.Error)
	}
	if kept.RowsAffected == 0 {
		return ErrReconciling
	}
	return nil
}

// leaveRun gives the lease back after a failure, so that whoever comes next goes on.
func (s *Service) leaveRun(ctx context.Context, r *models.Reconciliation, cause error) {
	ctx, cancel := context.WithTimeout(ctx, catchUpBudget)
	defer cancel()
	err := s.DB.WithContext(ctx).Exec(`UPDATE reconciliations SET leased_until = 'epoch', last_error = ? WHERE id = ? AND holder = ?`,
		cause.Error(), r.ID, r.Holder).Error
	if err != nil { // the lease ends by itself
		s.Log.WarnContext(ctx, "reconciliation not left", "err", err)
	}
}

// LastReconciliation is how the newest run stands, with up to limit of what it found so far after a finding; nil before the
// first run.
func (s *Service) LastReconciliation(ctx context.Context, after int64, limit int) (*Report, error) {
	var r models.Reconciliation
	// A run that nobody holds has a lease that ended for ever ago, which no time.Time can tell.
	err := s.DB.WithContext(ctx).Raw(`SELECT id, since, step, cursor, checked, holder, greatest(leased_until, 'epoch') AS leased_until, last_error,
		started_at, finished_at FROM reconciliations ORDER BY id DESC LIMIT 1`).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("last reconciliation: %w", err)
	}
	report, err := s.report(ctx, r, after, limit)
	return &report, err
}

// maxFindings is how many findings the report of a run that has just ended lists.
const maxFindings = 1000

func (s *Service) report(ctx context.Context, r models.Reconciliation, after int64, limit int) (Report, error) {
	report, db := Report{Reconciliation: r}, s.DB.WithContext(ctx)
	err := db.Model(&models.Finding{}).Where("reconciliation_id = ?", r.ID).Count(&report.Found).Error
	if err == nil {
		err = db.Where("reconciliation_id = ? AND id > ?", r.ID, after).Order("id").Limit(limit + 1).Find(&report.Findings).Error
	}
	if err != nil {
		return report, fmt.Errorf("findings of reconciliation %d: %w", r.ID, err)
	}
	if len(report.Findings) > limit {
		report.Findings = report.Findings[:limit]
		report.Next = report.Findings[limit-1].ID
	}
	return report, nil
}
