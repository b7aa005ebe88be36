package health

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func open(t *testing.T, address string) *gorm.DB {
	t.Helper()
	db, err := postgres.OpenSized(address, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	return db
}

func newService(db *gorm.DB) *Service {
	return &Service{DB: db, Schema: &postgres.SchemaCheck{DB: db, Now: models.Now}, Now: models.Now,
		Log: slog.New(slog.DiscardHandler)}
}

// answered is Check once the database answers within the check's time limit, which a busy machine may delay.
func answered(t *testing.T, s *Service) (found []Problem) {
	t.Helper()
	dbtest.Eventually(t, "an answer of the database", func() bool {
		s.freshUntil = time.Time{}
		found = s.Check(t.Context())
		return !slices.Contains(found, DatabaseAway)
	})
	return found
}

func TestCheckNamesWhatIsIll(t *testing.T) {
	t.Parallel()
	const late = `INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe,
		next_attempt_at) VALUES ('evt_1', 'charge.refunded', '', false, '{}', 'failed', 0, now() - interval '6 minutes')`
	readOnly := `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
		current_database()); END $$`
	for _, c := range []struct {
		name   string
		before string
		offset time.Duration // of our clock
		want   []Problem
		fatal  bool
	}{
		{"nothing", `SELECT 1`, 0, nil, false},
		{"a standby", readOnly, 0, []Problem{DatabaseReadOnly}, true},
		{"a missing migration", `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`,
			0, []Problem{DatabaseSchema}, true},
		{"a late event", late, 0, []Problem{EventsOverdue}, false},
		{"a clock that is ahead", `SELECT 1`, 10 * time.Minute, []Problem{ClockDiffers}, false},
		{"a clock that is behind", `SELECT 1`, -10 * time.Minute, []Problem{ClockDiffers}, false},
		{"two at once", late, time.Hour, []Problem{EventsOverdue, ClockDiffers}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			if err := db.Exec(c.before).Error; err != nil {
				t.Fatal(err)
			}
			s := newService(open(t, dbtest.URLOf(db)))
			s.Now = func() time.Time { return models.Now().Add(c.offset) }
			got := answered(t, s)
			if !slices.Equal(got, c.want) || slices.ContainsFunc(got, Problem.Fatal) != c.fatal {
				t.Errorf("problems %v, want %v (fatal: %v)", got, c.want, c.fatal)
			}
		})
	}
	t.Run("no database", func(t *testing.T) {
		t.Parallel()
		s := newService(open(t, "postgres://app@127.0.0.1:9/app?sslmode=disable"))
		if got := s.Check(t.Context()); !slices.Equal(got, []Problem{DatabaseAway}) {
			t.Errorf("problems %v, want %v", got, DatabaseAway)
		}
	})
}

// A full disk is known from the write that failed, for a while.
func TestFullDiskIsRemembered(t *testing.T) {
	t.Parallel()
	s := newService(open(t, dbtest.URL(t)))
	now := models.Now()
	s.Now = func() time.Time { return now }
	for _, step := range []struct {
		later time.Duration
		want  []Problem
	}{{0, []Problem{DatabaseFull}}, {fullFor - time.Second, []Problem{DatabaseFull}}, {2 * time.Second, nil}} {
		if step.later == 0 {
			s.NoteFull()
		}
		now = now.Add(step.later)
		if got := answered(t, s); !slices.Equal(got, step.want) {
			t.Errorf("%s after the write: problems %v, want %v", step.later, got, step.want)
		}
	}
}

// Twenty monitors at once cost one check, and a hanging database ends it.
func TestManyMonitorsShareACheck(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	lock := db.Begin()
	defer lock.Rollback()
	if err := lock.Exec(`LOCK TABLE goose_db_version`).Error; err != nil {
		t.Fatal(err)
	}
	s := newService(open(t, dbtest.URLOf(db)))
	var calls int
	now := models.Now()
	s.Now = func() time.Time { calls++; return now } // under the service's lock
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got := s.Check(context.Background()); !slices.Equal(got, []Problem{DatabaseAway}) {
				t.Errorf("problems %v, want %v", got, DatabaseAway)
			}
		})
	}
	all.Wait()
	const want = 20 + 2 // one for each monitor, two more for a check that fails
	if calls != want {
		t.Errorf("the clock is read %d times, want %d as for one check", calls, want)
	}
}
