// Package health finds the problems of a server, for the load balancers and monitors that ask /readyz.
package health

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/postgres"
)

// Problem names what does not work. Programs read it in the answer of /readyz.
type Problem string

// The problems.
const (
	Draining         Problem = "draining"           // the server is about to stop
	DatabaseAway     Problem = "database_away"      // no answer in time
	DatabaseReadOnly Problem = "database_read_only" // as a standby is
	DatabaseFull     Problem = "database_full"      // a write has just failed for want of disk space
	DatabaseSchema   Problem = "database_schema"    // does not fit this program
	DatabaseSettings Problem = "database_settings"  // values do not survive a round trip
	EventsOverdue    Problem = "events_overdue"     // Stripe events have been due for overdueAfter
	ClockDiffers     Problem = "clock_differs"      // from the database's by more than maxOffset
)

// Problems lists every problem that Check finds: all but Draining, which the server itself knows.
func Problems() []Problem {
	return []Problem{DatabaseAway, DatabaseReadOnly, DatabaseFull, DatabaseSchema, DatabaseSettings, EventsOverdue,
		ClockDiffers}
}

// Fatal reports whether requests should go to other replicas. The others are for a person: they concern every replica,
// or it is not known which clock is wrong, and taking all replicas away would only add to the damage.
func (p Problem) Fatal() bool { return p != EventsOverdue && p != ClockDiffers }

const (
	checkTimeout = 1500 * time.Millisecond // monitors give up after seconds
	fresh        = time.Second             // how long a result is given again, however many ask
	fullFor      = 30 * time.Second        // how long a failed write counts
	overdueAfter = "5 minutes"
	maxOffset    = time.Minute // Stripe's events are refused from five minutes on
)

// Service checks the database on a connection of its own, so that it answers while the pool is used up.
type Service struct {
	DB     *gorm.DB // a pool of one connection
	Schema *postgres.SchemaCheck
	Now    func() time.Time
	Log    *slog.Logger

	mu         sync.Mutex
	last       []Problem
	freshUntil time.Time
	fullUntil  time.Time
}

// NoteFull tells that a write has just failed for want of disk space, which cannot be seen by reading.
func (s *Service) NoteFull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fullUntil, s.freshUntil = s.Now().Add(fullFor), time.Time{}
}

// Check returns the problems. It logs one line when that changes. Concurrent calls share one check.
func (s *Service) Check(ctx context.Context) []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Now().Before(s.freshUntil) {
		return s.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	found, err := s.check(ctx)
	if s.Now().Before(s.fullUntil) {
		found = append(found, DatabaseFull)
	}
	switch {
	case len(found) > 0 && !slices.Equal(found, s.last):
		s.Log.ErrorContext(ctx, "health check failed", "problems", found, "err", err)
	case len(found) == 0 && len(s.last) > 0:
		s.Log.InfoContext(ctx, "health check succeeds again", "after", s.last)
	}
	s.last, s.freshUntil = found, s.Now().Add(fresh)
	return found
}

// check asks the database.
func (s *Service) check(ctx context.Context) (found []Problem, err error) {
	if err := s.Schema.Run(ctx); err != nil {
		if errors.Is(err, postgres.ErrSchema) {
			return []Problem{DatabaseSchema}, err
		}
		return []Problem{DatabaseAway}, err
	}
	if err := postgres.CheckReading(ctx, s.DB); err != nil {
		if errors.Is(err, postgres.ErrUnreadable) {
			return []Problem{DatabaseSettings}, err
		}
		return []Problem{DatabaseAway}, err
	}
	var state struct {
		ReadOnly, Overdue bool
		Clock             time.Time
	}
	began := s.Now()
	err = s.DB.WithContext(ctx).Raw(`SELECT current_setting('transaction_read_only') = 'on' AS read_only,
		EXISTS (SELECT FROM stripe_events WHERE status IN ('received', 'deferred', 'failed')
			AND next_attempt_at < now() - interval '` + overdueAfter + `') AS overdue, clock_timestamp() AS clock`).Scan(&state).Error
	ended := s.Now()
	if err != nil {
		return []Problem{DatabaseAway}, err
	}
	if state.ReadOnly {
		found = append(found, DatabaseReadOnly)
	}
	if state.Overdue {
		found = append(found, EventsOverdue)
	}
	if state.Clock.Before(began.Add(-maxOffset)) || state.Clock.After(ended.Add(maxOffset)) {
		found = append(found, ClockDiffers)
	}
	return found, nil
}
