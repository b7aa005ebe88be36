package ledger

import (
	"context"
	"fmt"
	"sync"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

const (
	exportBatch = 1000 // lines
	// maxExports is how many may be open at once: each keeps a connection for as long as its reader takes.
	maxExports = 3
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

// Export begins to read the user's whole history, or what a filter wants of it. ctx must last until it is closed.
// Errors: fault.Unavailable while too many others are open.
func (s *Service) Export(ctx context.Context, userID int64, f Filter) (*Export, error) {
	if s.exports.Add(1) > maxExports {
		s.exports.Add(-1)
		return nil, fault.New(fault.Unavailable, nil)
	}
	tx, err := models.Snapshot(ctx, s.DB)
	if err != nil {
		s.exports.Add(-1)
		return nil, fmt.Errorf("export the history of user %d: %w", userID, err)
	}
	e := &Export{tx: tx, userID: userID, filter: f, close: sync.OnceFunc(func() {
		tx.Rollback()
		s.exports.Add(-1)
	})}
	if err := e.read(0); err != nil { // what can go wrong at once does so before anything is sent
		e.Close()
		return nil, err
	}
	return e, nil
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
