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
	exportBatch = 1000 // lines
	// maxExports is how many are read at once: each keeps a connection. Others wait for their turn, no longer than exportWait.
	maxExports = 3
	exportWait = 8 * time.Second
	// exportRetry is after how long somebody whose export is being read may ask again.
	exportRetry = 5 // seconds
)

// Export is a history as it was at one moment, read a batch at a time.
type Export struct {
	tx     *gorm.DB
	userID int64
	filter Filter
	page   Page // read and not handed out yet
	done   bool
	close  func()
}

// Export begins to read the user's whole history, or what a filter wants of it. ctx must last until it is closed; so does
// a lock that lets every user have one at a time, over all replicas. Close it before the result is sent: its reader must
// not decide how long it lasts.
//
// Errors: fault.RateLimited while another one of the user is open; fault.Unavailable when too many others are for too long.
func (s *Service) Export(ctx context.Context, userID int64, f Filter) (*Export, error) {
	turns := s.exportTurns()
	select {
	case turns <- struct{}{}:
	case <-time.After(exportWait):
		return nil, fault.New(fault.Unavailable, nil)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	tx, err := postgres.Snapshot(ctx, s.DB)
	if err != nil {
		<-turns
		return nil, fmt.Errorf("export the history of user %d: %w", userID, err)
	}
	e := &Export{tx: tx, userID: userID, filter: f, close: sync.OnceFunc(func() {
		tx.Rollback()
		<-turns
	})}
	var alone bool
	if err := tx.Raw(`SELECT pg_try_advisory_xact_lock(hashtextextended('export:' || ?::bigint, 0))`, userID).Scan(&alone).Error; err != nil {
		e.Close()
		return nil, fmt.Errorf("export the history of user %d: %w", userID, err)
	}
	if !alone {
		e.Close()
		return nil, fault.New(fault.RateLimited, map[string]any{"retryAfter": exportRetry})
	}
	if err := e.read(0); err != nil { // what can go wrong at once does so before anything is sent
		e.Close()
		return nil, err
	}
	return e, nil
}

func (s *Service) exportTurns() chan struct{} {
	s.exportsOnce.Do(func() { s.exports = make(chan struct{}, maxExports) })
	return s.exports
}

// Next returns the next lines, newest first; none at the end.
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

// Close ends the reading.
func (e *Export) Close() { e.close() }

func (e *Export) read(before int64) (err error) {
	if e.page, err = search(e.tx, e.userID, before, exportBatch, e.filter); err != nil {
		return fmt.Errorf("export the history of user %d: %w", e.userID, err)
	}
	return nil
}
