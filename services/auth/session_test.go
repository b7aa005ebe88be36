package auth

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/seal"
)

var (
	testSecret  = []byte("a secret of the test, 32 bytes..")
	otherSecret = []byte("other secret of the test, 32 byte")
)

// lobby is a service with its sessions on a database of its own.
type lobby struct {
	fixture
	*Sessions
}

func newLobby(t *testing.T) lobby {
	t.Helper()
	f := newFixture(t)
	return lobby{f, NewSessions(f.db, seal.Secrets{testSecret}, f.clock.Now)}
}

// enter signs somebody in and opens a session.
func (l lobby) enter(t *testing.T, subject, device string) (key string, userID int64) {
	t.Helper()
	user := l.arrive(t, profile{Subject: subject})
	key, err := l.Open(t.Context(), SignIn{User: user, Issuer: "https://id.example.com", Subject: subject, Proof: true}, device)
	if err != nil {
		t.Fatalf("open a session: %v", err)
	}
	return key, user.ID
}

// wantLive checks whether a session is there.
func wantLive(t *testing.T, s *Sessions, key string, want bool) *models.Session {
	t.Helper()
	session, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if (session != nil) != want {
		t.Errorf("session %.6s… is live: %v, want %v", key, session != nil, want)
	}
	return session
}

func TestSessionLifetimes(t *testing.T) {
	t.Parallel()
	t.Run("ends when nobody uses it", func(t *testing.T) {
		t.Parallel()
		l := newLobby(t)
		key, user := l.enter(t, "a", "Firefox, Linux")
		l.clock.Add(SessionIdle - time.Second)
		session := wantLive(t, l.Sessions, key, true)
		if session.UserID != user || session.Device != "Firefox, Linux" || session.Subject != "a" || session.Key != key {
			t.Errorf("session = %+v", session)
		}
		l.clock.Add(time.Second)
		wantLive(t, l.Sessions, key, false)
		if list, err := l.List(t.Context(), user); err != nil || len(list) != 0 {
			t.Errorf("listed: %v, %v", list, err)
		}
	})
	t.Run("goes on while it is used, but not for ever", func(t *testing.T) {
		t.Parallel()
		l := newLobby(t)
		key, _ := l.enter(t, "a", "")
		for age := time.Duration(0); age < SessionMax; age += 24 * time.Hour {
			if err := l.Touch(t.Context(), wantLive(t, l.Sessions, key, true)); err != nil {
				t.Fatal(err)
			}
			l.clock.Add(24 * time.Hour)
		}
		wantLive(t, l.Sessions, key, false)
	})
	t.Run("a proof ends before the session", func(t *testing.T) {
		t.Parallel()
		l := newLobby(t)
		key, _ := l.enter(t, "a", "")
		l.clock.Add(ProofLife - time.Second)
		if !l.Proved(wantLive(t, l.Sessions, key, true)) {
			t.Error("a fresh sign-in is no proof")
		}
		l.clock.Add(time.Second)
		session := wantLive(t, l.Sessions, key, true)
		if l.Proved(session) {
			t.Error("the proof outlives its time")
		}
		if err := l.Prove(t.Context(), session.KeyHash); err != nil {
			t.Fatal(err)
		}
		if !l.Proved(wantLive(t, l.Sessions, key, true)) || l.Proved(nil) {
			t.Error("the proof was not noted")
		}
	})
}

func TestSessionKeyIsNotInTheTable(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	key, _ := l.enter(t, "a", "")
	var row struct{ KeyHash, Everything string }
	if err := l.fixture.db.Raw("SELECT key_hash, sessions::text AS everything FROM sessions").Scan(&row).Error; err != nil {
		t.Fatal(err)
	}
	if len(row.KeyHash) != 64 || strings.Contains(row.Everything, key) {
		t.Errorf("row = %s", row.Everything)
	}
	wantLive(t, l.Sessions, row.KeyHash, false)
	wantLive(t, l.Sessions, "", false)
}

func TestRotatingTheSecretSignsNobodyOut(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	db, now := l.fixture.db, l.clock.Now
	key, user := l.enter(t, "a", "")
	unused, _ := l.enter(t, "a", "")
	rotated := NewSessions(db, seal.Secrets{otherSecret, testSecret}, now)
	var live atomic.Int64
	dbtest.Concurrently(20, func(int) {
		if session, err := rotated.Load(t.Context(), key); err == nil && session != nil && session.UserID == user {
			live.Add(1)
		}
	})
	if live.Load() != 20 {
		t.Errorf("%d of 20 requests found the session while the secret was rotated", live.Load())
	}
	done := NewSessions(db, seal.Secrets{otherSecret}, now)
	wantLive(t, done, key, true)
	wantLive(t, done, unused, false)
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	here, user := l.enter(t, "a", "")
	there, _ := l.enter(t, "a", "")
	theirs, _ := l.enter(t, "b", "")
	if err := l.End(t.Context(), user, l.Name(theirs)); err != nil {
		t.Error(err)
	}
	wantLive(t, l.Sessions, theirs, true)
	if err := l.End(t.Context(), user, l.Name(there)); err != nil {
		t.Error(err)
	}
	wantLive(t, l.Sessions, there, false)
	wantLive(t, l.Sessions, here, true)
	if err := l.EndAll(t.Context(), user); err != nil {
		t.Error(err)
	}
	wantLive(t, l.Sessions, here, false)
	wantLive(t, l.Sessions, theirs, true)
}

func TestSessionsAreListedLastUsedFirst(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	here, user := l.enter(t, "a", "Firefox, Linux")
	l.clock.Add(time.Second)
	l.enter(t, "a", "Safari, iPhone")
	l.clock.Add(seenEvery)
	if err := l.Touch(t.Context(), wantLive(t, l.Sessions, here, true)); err != nil {
		t.Fatal(err)
	}
	list, err := l.List(t.Context(), user)
	if err != nil || len(list) != 2 || list[0].KeyHash != l.Name(here) || !list[0].LastSeenAt.Equal(l.clock.Now()) || list[0].Device != "Firefox, Linux" {
		t.Errorf("sessions = %v (%v), want two, the one just used first", list, err)
	}
}

func TestSessionEndedByAnotherStaysEnded(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	key, user := l.enter(t, "a", "")
	session := wantLive(t, l.Sessions, key, true)
	l.clock.Add(seenEvery)
	if err := l.EndAll(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context) error{
		"touched": func(ctx context.Context) error { return l.Touch(ctx, session) },
		"proved":  func(ctx context.Context) error { return l.Prove(ctx, session.KeyHash) },
	} {
		if err := do(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantLive(t, l.Sessions, key, false)
	}
}

func TestNoSessionWithoutItsIdentity(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	_, user := l.enter(t, "a", "")
	_, other := l.enter(t, "b", "")
	for name, in := range map[string]SignIn{
		"an identity that is gone":   {User: models.User{ID: user}, Issuer: "https://id.example.com", Subject: "gone"},
		"another user's identity":    {User: models.User{ID: other}, Issuer: "https://id.example.com", Subject: "a"},
		"another issuer's namesake":  {User: models.User{ID: user}, Issuer: "https://other.example.com", Subject: "a"},
		"a user whom nobody named":   {Issuer: "https://id.example.com", Subject: "a"},
		"a sign-in that nobody made": {},
	} {
		_, err := l.Open(t.Context(), in, "")
		if told := fault.Of(err); told == nil || told.Problem != fault.SignInFailed {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestSweepDeletesInBatches(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	db := l.fixture.db
	live, _ := l.enter(t, "a", "")
	const many = 2*sweepBatch + 1
	now := l.clock.Now()
	must := func(query string, args ...any) {
		t.Helper()
		if err := db.Exec(query, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	must(`INSERT INTO used_flows SELECT sha256(n::text::bytea), ? FROM generate_series(1, ?) n`, now, many)
	must(`INSERT INTO used_flows VALUES (sha256('later'), ?)`, now.Add(time.Second))
	must(`INSERT INTO sessions (key_hash, expires_at, last_seen_at) VALUES ('over', ?, ?), ('idle', ?, ?)`, now, now, now.Add(time.Hour), now.Add(-SessionIdle))
	if n, err := l.Sessions.Sweep(t.Context()); err != nil || n != many+2 {
		t.Errorf("swept %d, %v, want %d", n, err, many+2)
	}
	wantLive(t, l.Sessions, live, true)
	if n := count(t, db, `SELECT count(*) FROM used_flows`); n != 1 {
		t.Errorf("%d flows left, want 1", n)
	}
}

func count(t *testing.T, db *gorm.DB, query string) (n int64) {
	t.Helper()
	if err := db.Raw(query).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSignInIsToldToOtherSessions(t *testing.T) {
	t.Parallel()
	l := newLobby(t)
	key, _ := l.enter(t, "a", "Firefox, Linux")
	another, _ := l.enter(t, "b", "")
	if s := wantLive(t, l.Sessions, key, true); s.ElsewhereAt != nil {
		t.Errorf("the first session is told of %q already", s.ElsewhereDevice)
	}
	later, _ := l.enter(t, "a", "Chrome, Android")
	session := wantLive(t, l.Sessions, key, true)
	if session.ElsewhereAt == nil || session.ElsewhereDevice != "Chrome, Android" {
		t.Fatalf("session = %+v, want it to be told of the sign-in on Android", session)
	}
	for name, key := range map[string]string{"the new session": later, "another user's": another} {
		if s := wantLive(t, l.Sessions, key, true); s.ElsewhereAt != nil {
			t.Errorf("%s is told of %q", name, s.ElsewhereDevice)
		}
	}
	if err := l.Told(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	if s := wantLive(t, l.Sessions, key, true); s.ElsewhereAt != nil {
		t.Errorf("told twice, of %q", s.ElsewhereDevice)
	}
}
