package periodic

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// pace is how often a schedule asks.
type pace struct {
	poll  time.Duration // between two questions while the database is in use
	sleep time.Duration // between two questions while it is not
	// inUse is how long the database counts as in use after a statement. It is far longer than a transaction, so that a
	// question follows each commit.
	inUse time.Duration
}

var normal = pace{poll: 2 * time.Second, sleep: 30 * time.Minute, inUse: time.Minute}

const (
	day        = 24 * time.Hour // between two runs of a job without Due while the database is not in use
	apart      = time.Hour      // between the runs of two such jobs then
	askTimeout = 10 * time.Second
)

// Schedule runs jobs when they are due. One statement asks the database for all of them: every two seconds while any
// server uses the database, and otherwise when the first job is due, or after half an hour. A statement that serves a
// request wakes every server, so whatever it stores is found within two seconds, even if its server dies.
type Schedule struct {
	DB   *gorm.DB
	Jobs []Job
	// OnActivity sets the function that is called before each statement whose context is not InBackground; nil if there
	// are none.
	OnActivity func(noted func())
	Listen     Listen // receives the notifications of the other servers; nil when there are none
	Log        *slog.Logger

	pace     pace
	id       string    // of this server among those that share the database
	began    time.Time // of the clock behind instant
	used     instant   // the last statement here
	roused   instant   // the last news of another server
	asleep   atomic.Bool
	wake     chan struct{} // ends the sleep
	recheck  chan struct{} // the time until which to sleep has changed
	finished chan int      // indexes of jobs that ended
	peers    peers

	asked    time.Time
	failures int       // to ask, in a row
	cleaned  time.Time // the last start of a job without Due
	states   []state
}

// state is what the schedule knows of a job.
type state struct {
	started  time.Time
	due      time.Time // zero: no work
	running  bool
	failures int // in a row
}

// instant is a point in time that goroutines share, in nanoseconds since the schedule began.
type instant struct{ atomic.Int64 }

func (s *Schedule) mark(i *instant) { i.Store(int64(time.Since(s.began))) }

// within reports whether an instant is less than d ago.
func (s *Schedule) within(i *instant, d time.Duration) bool {
	return time.Since(s.began)-time.Duration(i.Load()) < d
}

// Run runs the jobs until ctx ends, and returns when all have ended. Any number of servers may run the same jobs.
func (s *Schedule) Run(ctx context.Context) {
	outside := ctx
	ctx = Background(ctx)
	s.id, s.began, s.pace = rand.Text(), time.Now(), cmp.Or(s.pace, normal)
	s.wake, s.recheck, s.peers.reconnect = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	s.states, s.finished = make([]state, len(s.Jobs)), make(chan int, len(s.Jobs))
	var running sync.WaitGroup
	defer running.Wait()
	if s.Listen != nil {
		s.peers.pending.Store(true) // not received yet
		running.Go(func() { s.listen(ctx) })
	}
	if s.OnActivity != nil {
		s.OnActivity(func() { s.rouse(&s.used) })
	}
	for _, j := range s.Jobs {
		if j.Outside {
			running.Go(func() { j.repeat(outside, s.Log, cmp.Or(j.Pause, s.pace.poll)) })
		}
	}
	for ctx.Err() == nil {
		s.failures = Job{Name: "look for work", Work: s.ask}.once(ctx, s.Log, s.failures)
		if s.failures > 0 {
			s.mark(&s.roused) // asks again soon
		}
		s.startDue(ctx, &running)
		s.wait(ctx)
	}
}

// rouse notes that the database is in use.
func (s *Schedule) rouse(since *instant) {
	s.mark(since)
	if s.asleep.Load() {
		signal(s.wake)
	}
}

type backgroundKey struct{}

// Background marks work that does not keep the database awake: a schedule's jobs, and monitoring.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// InBackground reports whether ctx is marked by Background.
func InBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // already signaled
	}
}

// ask tells the other servers that this one uses the database, and asks when each job is due.
func (s *Schedule) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	s.asked = time.Now()
	if err := s.notify(ctx); err != nil {
		return err
	}
	query, args := s.agenda()
	if query == "" {
		return nil
	}
	var rows []struct {
		Job     int
		Seconds float64
	}
	if err := s.DB.WithContext(ctx).Raw(query, args...).Scan(&rows).Error; err != nil {
		return fmt.Errorf("read when background jobs are due: %w", err)
	}
	answered := time.Now() // later than the database's now(), so that a job that is due finds its work
	for i := range s.states {
		s.states[i].due = time.Time{}
	}
	for _, r := range rows {
		s.states[r.Job].due = answered.Add(time.Duration(min(r.Seconds, day.Seconds()) * float64(time.Second)))
	}
	signal(s.peers.reconnect)
	return nil
}

// agenda returns the statement that asks for every job with a Due, and its arguments.
func (s *Schedule) agenda() (query string, args []any) {
	var due []string
	named := map[string]any{}
	for i, j := range s.Jobs {
		if j.Due != "" {
			due = append(due, fmt.Sprintf("(%d, CAST(%s AS timestamptz))", i, j.Due))
			maps.Copy(named, j.Args)
		}
	}
	if due == nil {
		return "", nil
	}
	if len(named) > 0 { // GORM refuses an empty map
		args = []any{named}
	}
	return `SELECT job, extract(epoch FROM due - now())::float8 AS seconds FROM (VALUES ` + strings.Join(due, ", ") +
		`) AS agenda (job, due) WHERE due IS NOT NULL`, args
}

// startDue starts the jobs that are due and do not run.
func (s *Schedule) startDue(ctx context.Context, running *sync.WaitGroup) {
	for i, j := range s.Jobs {
		state := &s.states[i]
		if next, ok := s.next(i); state.running || !ok || time.Now().Before(next) {
			continue
		}
		state.running, state.started = true, time.Now()
		if j.Due == "" {
			s.cleaned = state.started
		}
		running.Go(func() {
			state.failures = j.once(ctx, s.Log, state.failures)
			s.finished <- i
		})
	}
}

// next returns the earliest start of a job; ok is false if it has no work here.
func (s *Schedule) next(job int) (at time.Time, ok bool) {
	j, state := s.Jobs[job], &s.states[job]
	at = state.started.Add(cmp.Or(j.Pause, s.pace.poll))
	switch {
	case j.Outside:
		return at, false
	case j.Due == "" && s.inUse():
		return at, true
	case j.Due == "":
		return later(state.started.Add(day), s.cleaned.Add(apart)), true
	}
	return later(at, state.due), !state.due.IsZero()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// inUse reports whether a server has used the database lately or since the last question, or this one must still tell
// the others that it has, or cannot receive that they have.
func (s *Schedule) inUse() bool {
	last := time.Duration(max(s.used.Load(), s.roused.Load()))
	return time.Since(s.began)-last < s.pace.inUse || last > s.asked.Sub(s.began) ||
		s.Listen != nil && (!s.peers.receiving() || s.unannounced())
}

// wait returns when it is time to ask again.
func (s *Schedule) wait(ctx context.Context) {
	for {
		timer := time.NewTimer(time.Until(s.askNext()))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.wake:
		case <-s.recheck:
			timer.Stop()
			continue
		case i := <-s.finished:
			timer.Stop()
			s.states[i].running = false
			continue
		}
		timer.Stop()
		s.asleep.Store(false)
		return
	}
}

// askNext returns when to ask again if no server uses the database until then.
func (s *Schedule) askNext() time.Time {
	s.asleep.Store(true) // before the look, so that no statement after it goes unnoticed
	inUse, pause := s.inUse(), s.pace.sleep
	if inUse {
		s.asleep.Store(false)
		pause = s.pace.poll
	}
	at := s.asked.Add(pause)
	for i, j := range s.Jobs {
		next, ok := s.next(i)
		if ok && !s.states[i].running && next.Before(at) && (inUse || j.Due != "") { // cleaning up can wait for a question
			at = next
		}
	}
	return at
}
