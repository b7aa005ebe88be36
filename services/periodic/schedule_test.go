package periodic_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/periodic"
)

const workSQL = `(SELECT min(at) FROM work)` // when the tests' jobs are due

// newWork returns the address of a database with a table of due times.
func newWork(t *testing.T) string {
	t.Helper()
	db := dbtest.New(t)
	if err := db.Exec(`CREATE TABLE work (at timestamptz)`).Error; err != nil {
		t.Fatal(err)
	}
	return dbtest.URLOf(db)
}

func open(t *testing.T, address string) *gorm.DB {
	t.Helper()
	db, err := postgres.Open(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// due is a job that does the work, and counts it.
func due(db *gorm.DB, done *atomic.Int64) periodic.Job {
	return periodic.Job{Name: "work", Due: workSQL, Work: func(ctx context.Context) error {
		deleted := db.WithContext(ctx).Exec(`DELETE FROM work WHERE at <= now()`)
		done.Add(deleted.RowsAffected)
		return deleted.Error
	}}
}

// The database's clock stands still here, while an hour of the schedule's passes.
func TestScheduleSleepsWhileTheDatabaseIsNotInUse(t *testing.T) {
	t.Parallel()
	direct := newWork(t)
	wire, address := dbtest.NewWire(t, direct)
	synctest.Test(t, func(t *testing.T) {
		db, aside := open(t, address), open(t, direct)
		var done, sweeps, looks atomic.Int64
		s := &periodic.Schedule{DB: db, Log: slog.New(slog.DiscardHandler),
			OnActivity: func(noted func()) { postgres.OnActivity(db, noted) }, Jobs: []periodic.Job{due(db, &done), {
				Name: "sweep", Pause: 10 * time.Second, Work: func(context.Context) error { sweeps.Add(1); return nil },
			}, {
				Name: "look", Outside: true, Pause: 5 * time.Minute,
				Work: func(context.Context) error { looks.Add(1); panic("nothing to see") },
			}, {
				Name: "hang", Outside: true, Work: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			}}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		// pgx pings before it uses a connection that was idle for a second.
		asked := func(what string, d time.Duration, least, most int, leastSweeps, mostSweeps int64) {
			t.Helper()
			wire.Reset()
			sweeps.Store(0)
			time.Sleep(d)
			synctest.Wait()
			if got, _ := wire.Reset(); len(got) < least || len(got) > most || sweeps.Load() < leastSweeps ||
				sweeps.Load() > mostSweeps {
				t.Errorf("%s: %d statements, want %d to %d, and %d sweeps, want %d to %d:\n%s", what, len(got), least, most,
					sweeps.Load(), leastSweeps, mostSweeps, strings.Join(got, "\n"))
			}
		}
		asked("the first minute", time.Minute+time.Second, 30, 62, 5, 7)
		looks.Store(0)
		asked("an hour without work", time.Hour, 2, 2, 0, 0)
		if looks.Load() != 12 {
			t.Errorf("%d looks outside the database in an hour, want 12, though each panics", looks.Load())
		}
		exec := func(db *gorm.DB, sql string) {
			t.Helper()
			if err := db.WithContext(t.Context()).Exec(sql).Error; err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		exec(db, `INSERT INTO work VALUES (now() + interval '20 minutes')`)
		asked("the minute after a statement", time.Minute+time.Second, 30, 64, 5, 7)
		asked("before the work is due", 15*time.Minute, 0, 0, 0, 0)
		exec(aside, `UPDATE work SET at = now()`)
		if time.Sleep(6 * time.Minute); done.Load() != 1 {
			t.Errorf("%d rows of work done, want 1", done.Load())
		}
		asked("the hour after the work", time.Hour, 2, 3, 0, 0)
		asked("the day after", 24*time.Hour, 48, 49, 1, 1)
		stop()
		<-ended
		if err := errors.Join(postgres.Close(db), postgres.Close(aside)); err != nil {
			t.Error(err)
		}
	})
}

// A server that sleeps is notified that another uses the database, and finds the work that it left.
func TestServersWakeEachOther(t *testing.T) {
	t.Parallel()
	address := newWork(t)
	var done atomic.Int64
	start := func(jobs func(*gorm.DB) []periodic.Job) (*periodic.Schedule, *gorm.DB) {
		db := open(t, address)
		t.Cleanup(func() { _ = postgres.Close(db) })
		s := &periodic.Schedule{DB: db, Log: slog.New(slog.DiscardHandler), Jobs: jobs(db),
			OnActivity: func(noted func()) { postgres.OnActivity(db, noted) }}
		s.SetPace(time.Millisecond, time.Hour, 50*time.Millisecond)
		s.Listen = func(ctx context.Context, ready func(), received func(string)) error {
			return postgres.Listen(ctx, address, periodic.Channel, ready, received)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		t.Cleanup(func() { stop(); <-ended })
		return s, db
	}
	sleeper, _ := start(func(db *gorm.DB) []periodic.Job { return []periodic.Job{due(db, &done)} })
	_, other := start(func(*gorm.DB) []periodic.Job { return nil })
	for i := range int64(3) {
		dbtest.Eventually(t, "the server sleeps", sleeper.Asleep)
		// Here, unlike in production, a commit may take longer than a server stays awake, so a statement follows it.
		if err := errors.Join(other.Exec(`INSERT INTO work VALUES (now())`).Error, other.Exec(`SELECT 1`).Error); err != nil {
			t.Fatal(err)
		}
		dbtest.Eventually(t, "the other server's work is done", func() bool { return done.Load() > i })
	}
	dbtest.Eventually(t, "the server sleeps", sleeper.Asleep)
	before := done.Load()
	aside := open(t, address) // a program beside the servers
	if err := errors.Join(aside.Exec(`INSERT INTO work VALUES (now())`).Error,
		aside.Exec(`SELECT pg_notify(?, '')`, periodic.Channel).Error); err != nil {
		t.Fatal(err)
	}
	dbtest.Eventually(t, "a program's work is done", func() bool { return done.Load() > before })
}

// A server that receives no notifications, as through a pooler, keeps asking.
func TestServerThatHearsNothingStaysAwake(t *testing.T) {
	t.Parallel()
	for name, listen := range map[string]periodic.Listen{
		"it does not connect": func(context.Context, func(), func(string)) error { return errors.New("refused") },
		"nothing arrives": func(ctx context.Context, ready func(), _ func(string)) error {
			ready()
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, address := dbtest.NewWire(t, newWork(t))
			synctest.Test(t, func(t *testing.T) {
				db := open(t, address)
				var done atomic.Int64
				s := &periodic.Schedule{DB: db, Log: slog.New(slog.DiscardHandler), Listen: listen,
					Jobs: []periodic.Job{due(db, &done)}}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { s.Run(ctx); close(ended) }()
				time.Sleep(2 * time.Minute)
				wire.Reset()
				time.Sleep(time.Minute)
				if got, _ := wire.Reset(); len(got) < 29 {
					t.Errorf("%d statements in a minute, want at least 29", len(got))
				}
				stop()
				<-ended
				if err := postgres.Close(db); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
