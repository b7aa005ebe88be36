package spend_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/spend"
)

// lines is a log that tests count lines of.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends a line.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

// with returns the number of lines that contain a text.
func (l *lines) with(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// setUpLossy is setUp with a service behind a network that loses COMMITs.
func setUpLossy(t *testing.T) (s *spend.Service, network *dbtest.Lossy, log *lines, user int64) {
	t.Helper()
	_, db, user := setUp(t, 100)
	network, log = dbtest.LossyURL(t, dbtest.URLOf(db)), &lines{}
	lossy, err := postgres.Open(network.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		postgres.Close(lossy)
		dbtest.CheckLedger(t, db)
	})
	return &spend.Service{DB: lossy, Log: slog.New(slog.NewTextHandler(log, nil))}, network, log, user
}

// When the reply to COMMIT is lost, the caller gets the real answer all the same, and the log has one line.
func TestLostReplyToCommitIsAnswered(t *testing.T) {
	t.Parallel()
	s, network, log, user := setUpLossy(t)
	s.DB = postgres.ConfirmWithin(s.DB, dbtest.HangTimeout)
	request := spend.Request{UserID: user, Feature: "job_match", Key: "k"}
	network.Replies.Store(1)
	spent, err := s.Spend(t.Context(), request)
	if err != nil || spent.Replayed || spent.BalanceAfter != 95 {
		t.Errorf("spend = %+v, %v; want 95 credits left, and no repeat", spent, err)
	}
	if again, err := s.Spend(t.Context(), request); err != nil || !again.Replayed || again.ID != spent.ID {
		t.Errorf("repeat = %+v, %v; want entry %d again", again, err, spent.ID)
	}
	network.Replies.Store(1)
	held, err := s.Hold(t.Context(), spend.HoldRequest{Request: spend.Request{UserID: user, Feature: "job_match"}})
	if err != nil || held.Replayed {
		t.Fatalf("hold = %+v, %v; want a new one", held, err)
	}
	network.Replies.Store(1)
	done, err := s.Capture(t.Context(), uuid.Nil, held.ID.String(), nil)
	if err != nil || done.Replayed || done.Captured != 5 {
		t.Errorf("capture = %+v, %v; want 5 credits, and no repeat", done, err)
	}
	held, err = s.Hold(t.Context(), spend.HoldRequest{Request: spend.Request{UserID: user, Feature: "job_match"}})
	if err != nil {
		t.Fatal(err)
	}
	network.Replies.Store(1)
	if freed, err := s.Release(t.Context(), uuid.Nil, held.ID.String()); err != nil || freed.Replayed {
		t.Errorf("release = %+v, %v; want no repeat", freed, err)
	}
	for line, want := range map[string]int{"credits moved": 2, "request repeated": 1, "credits held": 2,
		"hold released": 1, "credits=-5 status=captured": 1} {
		if n := log.with(line); n != want {
			t.Errorf("%d lines %q, want %d", n, line, want)
		}
	}
}

// A COMMIT that did not arrive has written nothing, and the answer says so.
func TestLostCommitWritesNothing(t *testing.T) {
	t.Parallel()
	s, network, log, user := setUpLossy(t)
	s.DB = postgres.ConfirmWithin(s.DB, dbtest.HangTimeout)
	network.Requests.Store(1)
	_, err := s.Spend(t.Context(), spend.Request{UserID: user, Feature: "job_match", Key: "k"})
	if !postgres.Away(err) || postgres.OutcomeUnknown(err) || log.with("credits moved") != 0 {
		t.Errorf("error %v, %d lines; want a lost connection with known outcome and none", err, log.with("credits moved"))
	}
}

// While nothing can be known, the answer says that; the one log line follows when the database is back, and a repeat
// gets the entry.
func TestUnknownOutcomeIsLoggedOnceKnown(t *testing.T) {
	t.Parallel()
	s, network, log, user := setUpLossy(t)
	request := spend.Request{UserID: user, Feature: "job_match", Key: "k"}
	network.Outage.Store(true)
	network.Replies.Store(1)
	if _, err := s.Spend(t.Context(), request); !postgres.OutcomeUnknown(err) {
		t.Errorf("error %v, want an unknown outcome", err)
	}
	network.Restore()
	again, err := s.Spend(t.Context(), request)
	if err != nil || !again.Replayed || again.BalanceAfter != 95 {
		t.Errorf("repeat = %+v, %v; want the first entry with 95 credits left", again, err)
	}
	dbtest.Eventually(t, "the entry is logged", func() bool { return log.with("credits moved") > 0 })
	if n := log.with("credits moved"); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}
