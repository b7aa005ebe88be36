package auth

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

func newSessions(t *testing.T) (*Sessions, *gorm.DB, *clock) {
	t.Helper()
	db, clock := dbtest.New(t), newClock()
	return NewSessions(db, []byte("a secret of the test, 32 bytes.."), clock.Now), db, clock
}

func mustSet(t *testing.T, s *Sessions, key, data string, ttl time.Duration) {
	t.Helper()
	if err := s.Set(key, []byte(data), ttl); err != nil {
		t.Fatalf("set: %v", err)
	}
}

func wantData(t *testing.T, s *Sessions, key, want string) {
	t.Helper()
	data, err := s.Get(key)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	if string(data) != want || (want == "" && data != nil) {
		t.Errorf("session %s = %q, want %q", key, data, want)
	}
}

func newUser(t *testing.T, db *gorm.DB) int64 {
	t.Helper()
	var id int64
	if err := db.Raw("INSERT INTO users (name) VALUES ('Ada') RETURNING id").Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	return id
}

func TestSessionIsKeptUntilItExpires(t *testing.T) {
	t.Parallel()
	s, _, clock := newSessions(t)
	wantData(t, s, "k", "")
	mustSet(t, s, "k", "one", time.Hour)
	mustSet(t, s, "k", "two", time.Hour)
	wantData(t, s, "k", "two")
	wantData(t, s, "K", "")
	wantData(t, s, "", "")
	clock.Add(time.Hour)
	wantData(t, s, "k", "")
}

func TestSessionEndsAfterThirtyDaysHoweverBusy(t *testing.T) {
	t.Parallel()
	s, _, clock := newSessions(t)
	for range 30 {
		mustSet(t, s, "k", "data", 48*time.Hour)
		wantData(t, s, "k", "data")
		clock.Add(24 * time.Hour)
	}
	wantData(t, s, "k", "")
}

func TestSessionKeyIsNotInTheTable(t *testing.T) {
	t.Parallel()
	s, db, _ := newSessions(t)
	const key = "the-cookie-value"
	mustSet(t, s, key, "data", time.Hour)
	var row struct{ KeyHash, Everything string }
	if err := db.Raw("SELECT key_hash, sessions::text AS everything FROM sessions").Scan(&row).Error; err != nil {
		t.Fatal(err)
	}
	if len(row.KeyHash) != 64 || strings.Contains(row.Everything, key) {
		t.Errorf("row = %s", row.Everything)
	}
	other := NewSessions(db, []byte("another secret"), s.now)
	wantData(t, other, key, "")
}

func TestSessionIgnoresWhatIsEmpty(t *testing.T) {
	t.Parallel()
	s, db, _ := newSessions(t)
	mustSet(t, s, "", "data", time.Hour)
	mustSet(t, s, "k", "", time.Hour)
	var rows int64
	if err := db.Raw("SELECT count(*) FROM sessions").Scan(&rows).Error; err != nil || rows != 0 {
		t.Errorf("%d rows, %v, want none", rows, err)
	}
}

func TestSessionEndedIsNotWrittenBack(t *testing.T) {
	t.Parallel()
	s, db, _ := newSessions(t)
	user := newUser(t, db)
	for name, end := range map[string]func(key string) error{
		"by signing out":            s.Delete,
		"by signing out everywhere": func(string) error { return s.EndAll(t.Context(), user) },
	} {
		if err := s.Bind(t.Context(), name, user, ""); err != nil {
			t.Fatal(err)
		}
		mustSet(t, s, name, "signed in", time.Hour)
		if err := end(name); err != nil {
			t.Fatal(err)
		}
		wantData(t, s, name, "")
		mustSet(t, s, name, "a request that was under way", time.Hour)
		wantData(t, s, name, "")
		if err := s.Bind(t.Context(), name, user, ""); err == nil {
			t.Errorf("ended %s: bound again", name)
		}
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	s, db, clock := newSessions(t)
	user, other := newUser(t, db), newUser(t, db)
	boundTo := func(key string) int64 {
		var id int64
		if err := db.Raw("SELECT coalesce(user_id, 0) FROM sessions WHERE key_hash = ?", s.hash(key)).Scan(&id).Error; err != nil {
			t.Fatal(err)
		}
		return id
	}
	if err := s.Bind(t.Context(), "before", user, ""); err != nil {
		t.Fatal(err)
	}
	wantData(t, s, "before", "")
	mustSet(t, s, "before", "data", time.Hour)
	mustSet(t, s, "after", "data", time.Hour)
	if err := s.Bind(t.Context(), "after", user, ""); err != nil {
		t.Fatal(err)
	}
	mustSet(t, s, "others", "data", time.Hour)
	if err := s.Bind(t.Context(), "others", other, ""); err != nil {
		t.Fatal(err)
	}
	mustSet(t, s, "after", "more", time.Hour) // keeps the user
	if boundTo("before") != user || boundTo("after") != user {
		t.Errorf("bound to %d and %d, want %d", boundTo("before"), boundTo("after"), user)
	}
	if err := s.EndAll(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	wantData(t, s, "before", "")
	wantData(t, s, "after", "")
	wantData(t, s, "others", "data")

	clock.Add(time.Hour)
	mustSet(t, s, "others", "anonymous", time.Hour) // the old one ran out
	if boundTo("others") != 0 {
		t.Error("a session that ran out kept its user")
	}
	if err := s.Bind(t.Context(), "", user, ""); err == nil {
		t.Error("bound a session without a key")
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	s, _, clock := newSessions(t)
	mustSet(t, s, "short", "data", time.Minute)
	mustSet(t, s, "long", "data", 3*time.Hour)
	mustSet(t, s, "ended", "data", 3*time.Hour)
	if err := s.Delete("ended"); err != nil {
		t.Fatal(err)
	}
	sweep := func(want int64) {
		t.Helper()
		if n, err := s.Sweep(t.Context()); err != nil || n != want {
			t.Errorf("swept %d, %v, want %d", n, err, want)
		}
	}
	clock.Add(2 * time.Minute)
	sweep(1) // short
	mustSet(t, s, "ended", "still not", time.Hour)
	wantData(t, s, "ended", "")
	clock.Add(time.Hour)
	sweep(1) // ended
	sweep(0)
	wantData(t, s, "long", "data")
}

func TestResetSignsEverybodyOut(t *testing.T) {
	t.Parallel()
	s, _, _ := newSessions(t)
	mustSet(t, s, "a", "data", time.Hour)
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	wantData(t, s, "a", "")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSessionOfTwentyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	s, _, _ := newSessions(t)
	data := bytes.Repeat([]byte{0, 1, 0xff}, 1000)
	var running sync.WaitGroup
	for range 20 {
		running.Go(func() {
			if err := s.Set("k", data, time.Hour); err != nil {
				t.Errorf("set: %v", err)
			}
		})
	}
	running.Wait()
	if got, err := s.Get("k"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(data))
	}
}
