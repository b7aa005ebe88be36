package webhook

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/purchase"
)

// Limits of a counter.
const counterBatch = 32 // events booked in one transaction

// tellers is how many transactions of a counter run at once: enough to keep the processors busy while one of them waits
// for the disk.
var tellers = max(2, runtime.NumCPU())

// counter books together the paid sessions that come at the same time: few transactions run at once, and what comes
// meanwhile waits for the next. A burst of events costs one write to the disk for many of them.
//
// It changes nothing in what is decided: which of them may be booked so is up to purchase.BookTogether, and the others
// are stored for a transaction of their own.
type counter struct {
	mu      sync.Mutex
	busy    int // transactions that run
	waiting []*arrival
}

// arrival is one event at the counter.
type arrival struct {
	event   models.StripeEvent
	session purchase.Completed

	fate   fate
	result outcome
	turn   chan []*arrival // the arrivals that it is to lead; nil: its fate is known
}

// fate is what became of an arrival.
type fate int

const (
	fateUndone  fate = iota // nothing was written
	fateBooked              // stored and booked
	fateStored              // stored, to be booked by itself
	fateAlready             // another delivery was faster
)

// do books an arrival with others and says what became of it.
func (c *counter) do(ctx context.Context, a *arrival, book func(context.Context, []*arrival) error) fate {
	a.turn = make(chan []*arrival, 1)
	batch := c.enter(a)
	if batch == nil {
		select {
		case batch = <-a.turn:
		case <-ctx.Done():
			if c.leave(a) {
				return fateUndone
			}
			batch = <-a.turn // it is being booked: the transaction has an end of its own
		}
	}
	if batch != nil {
		c.lead(ctx, batch, book)
	}
	return a.fate
}

// enter lets a lead the next transaction, or has it wait and returns nil.
func (c *counter) enter(a *arrival) []*arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy < tellers {
		c.busy++
		return []*arrival{a}
	}
	c.waiting = append(c.waiting, a)
	return nil
}

// leave takes a out of those that wait.
func (c *counter) leave(a *arrival) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, a)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// lead books the arrivals, tells the others, and lets the first of those that wait lead them all.
func (c *counter) lead(ctx context.Context, batch []*arrival, book func(context.Context, []*arrival) error) {
	finished := false
	defer func() { // also after a panic: nobody must wait for ever, or be told of what was undone
		for i, a := range batch {
			if !finished {
				a.fate = fateUndone
			}
			if i > 0 {
				a.turn <- nil
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		n := min(len(c.waiting), counterBatch)
		if n == 0 {
			c.busy--
			return
		}
		next := slices.Clone(c.waiting[:n])
		c.waiting = slices.Delete(c.waiting, 0, n)
		next[0].turn <- next
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inlineBudget)
	defer cancel()
	finished = book(ctx, batch) == nil
}

// sessionOf reads the session of an event that a counter may book: one that was paid, in our mode.
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
