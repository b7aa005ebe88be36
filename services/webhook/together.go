package webhook

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// batches is how many transactions book paid sessions at once: enough to keep the processors busy while one of them waits
// for the disk.
func (s *Service) batches() int { return cmp.Or(s.maxBatches, max(2, runtime.NumCPU())) }

// arrival is the event of a paid session, to be stored and booked with others that come at the same time: a burst of
// events costs one write to the disk for many of them.
//
// It changes nothing in what is decided: which of them may be booked so is up to purchase.BookTogether, and the others
// are stored for a transaction of their own.
type arrival struct {
	event   models.StripeEvent
	session purchase.Completed
	fate    fate
	result  outcome
}

// fate is what became of an arrival.
type fate int

const (
	fateUndone  fate = iota // nothing was written
	fateBooked              // stored and booked
	fateStored              // stored, to be booked by itself
	fateAlready             // another delivery was faster
)

// takeTogether stores and books an arrival with others. Deliveries of one event meet in the same lane.
func (s *Service) takeTogether(ctx context.Context, a *arrival) {
	number := crc32.ChecksumIEEE([]byte(a.event.EventID)) % uint32(s.batches()) //nolint:gosec // G115: a few
	_ = s.lanes.Do(ctx, int64(number), a, nil, func(batch []*arrival) {         // its only error is that ctx ended first, and nothing was done
		written := false
		defer func() { // also after a panic: nobody must be told of what was undone
			for _, a := range batch {
				if !written {
					a.fate = fateUndone
				}
			}
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inlineBudget)
		defer cancel()
		written = s.bookTogether(ctx, batch) == nil
	})
}

// sessionOf reads the session of an event that may be booked with others: one that was paid, in our mode.
func (s *Service) sessionOf(event models.StripeEvent) (purchase.Completed, bool) {
	if event.Livemode != s.Livemode || event.Type != "checkout.session.completed" {
		return purchase.Completed{}, false
	}
	o, err := objectOf(event.Payload)
	if err != nil || o.Mode != "payment" || o.PaymentStatus != "paid" {
		return purchase.Completed{}, false
	}
	return purchase.Completed{EventID: event.EventID, Checkout: o.checkout()}, true
}

// bookTogether stores the events of arrivals, and books those that can be booked together, in one transaction.
//
// Locks: the events, in one statement, then what BookTogether locks. Errors: what kept it from being committed; nothing
// is written.
func (s *Service) bookTogether(ctx context.Context, batch []*arrival) error {
	return models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		rows := make([]models.StripeEvent, len(batch))
		for i, a := range batch {
			rows[i] = s.done(a.event)
		}
		slices.SortFunc(rows, func(a, b models.StripeEvent) int { return strings.Compare(a.EventID, b.EventID) }) // or two replicas could each wait for the other
		fresh, err := insert(tx, rows...)
		if err != nil {
			return err
		}
		var sessions []purchase.Completed
		for _, a := range batch {
			waited, ok := fresh[a.event.EventID]
			if a.fate = fateAlready; !ok {
				continue
			}
			delete(fresh, a.event.EventID) // the same event may be here twice
			a.fate, a.result = fateStored, outcome{status: models.EventDone, paymentRef: a.event.PaymentRef, waited: waited}
			sessions = append(sessions, a.session)
		}
		return s.settleTogether(tx, batch, sessions)
	})
}

// settleTogether books the sessions of stored arrivals where it can, and has the others wait.
func (s *Service) settleTogether(tx *gorm.DB, batch []*arrival, sessions []purchase.Completed) (err error) {
	if len(sessions) == 0 {
		return nil
	}
	defer s.caught(tx, sessions[0].EventID, &err)
	lines, err := s.Purchase.BookTogether(tx, sessions)
	if err != nil {
		return err
	}
	var left []string
	for _, a := range batch {
		line, ok := lines[a.event.EventID]
		switch {
		case a.fate != fateStored:
		case ok:
			a.fate, a.result.rows = fateBooked, []models.CreditTransaction{line}
		default:
			left = append(left, a.event.EventID)
		}
	}
	return s.leave(tx, left)
}

// leave has events that were written as done wait to be booked.
func (s *Service) leave(tx *gorm.DB, eventIDs []string) error {
	if len(eventIDs) == 0 {
		return nil
	}
	err := tx.Exec(`UPDATE stripe_events SET status = ?, attempts = 0, next_attempt_at = ?, processed_at = NULL WHERE event_id IN ?`,
		models.EventReceived, s.Now().Add(inlineGrace), eventIDs).Error
	if err != nil {
		return fmt.Errorf("leave %d events for later: %w", len(eventIDs), err)
	}
	return nil
}
