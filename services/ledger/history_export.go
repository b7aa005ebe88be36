package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	exportBatch = 1000            // entries
	maxExports  = 3               // open at once, each on its own connection
	exportWait  = 8 * time.Second // for a free slot
	exportRetry = 5               // seconds until a user with an open export may retry
)

// Export reads a history as it was at one moment, a batch at a time.
type Export struct {
	tx     *gorm.DB
	userID int64
	filter Filter
	page   Page // read and not returned yet
	done   bool
	close  func()
}

// Export starts to read a user's whole history, or the part that a filter selects. ctx must last until Close. Call
// Close before sending the result, so that a slow client cannot keep the export open.
//
// Locks: the user's exports on all replicas, until Close.
// Errors: fault.RateLimited while the user has another open export; fault.Unavailable when no slot is free in time.
func (s *Service) Export(ctx context.Context, userID int64, f Filter) (*Export, error) {
	slots := s.exportSlots()
	select {
	case slots <- struct{}{}:
	case <-time.After(exportWait):
		return nil, fault.New(fault.Unavailable, nil)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	tx, err := postgres.Snapshot(ctx, s.DB)
	if err != nil {
		<-slots
		return nil, fmt.Errorf("export the history of user %d: %w", userID, err)
	}
	e := &Export{tx: tx, userID: userID, filter: f, close: sync.OnceFunc(func() {
		tx.Rollback()
		<-slots
	})}
	var locked bool
	if err := tx.Raw(`SELECT pg_try_advisory_xact_lock(hashtextextended('export:' || ?::bigint, 0))`, userID).
		Scan(&locked).Error; err != nil {
		e.Close()
		return nil, fmt.Errorf("export the history of user %d: %w", userID, err)
	}
	if !locked {
		e.Close()
		return nil, fault.New(fault.RateLimited, map[string]any{"retryAfter": exportRetry})
	}
	if err := e.read(0); err != nil { // early, so that errors come before the first byte is sent
		e.Close()
		return nil, err
	}
	return e, nil
}

func (s *Service) exportSlots() chan struct{} {
	s.exportsOnce.Do(func() { s.exports = make(chan struct{}, maxExports) })
	return s.exports
}

// Next returns the next entries, newest first; none at the end.
func (e *Export) Next() ([]models.CreditTransaction, error) {
	for !e.done {
		page := e.page
		if page.Next == 0 {
			e.done = true
		} else if err := e.read(page.Next); err != nil {
			return nil, err
		}
		if len(page.Entries) > 0 {
			return page.Entries, nil
		}
	}
	return nil, nil
}

// Rewind starts again at the newest entry of the same moment.
func (e *Export) Rewind() error {
	e.done = false
	return e.read(0)
}

// Snapshot returns the export's read-only transaction, for reading other rows of the same moment.
func (e *Export) Snapshot() *gorm.DB { return e.tx }

// Close ends the export. Idempotent.
func (e *Export) Close() { e.close() }

func (e *Export) read(before int64) (err error) {
	if e.page, err = search(e.tx, e.userID, before, exportBatch, e.filter); err != nil {
		return fmt.Errorf("export the history of user %d: %w", e.userID, err)
	}
	return nil
}
