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

// sessionFixture is a service and its sessions, with their own database.
type sessionFixture struct {
	fixture
	*Sessions
}

func newSessionFixture(t *testing.T) sessionFixture {
	t.Helper()
	f := newFixture(t)
	return sessionFixture{f, f.Service.Sessions()}
}

// openSession signs a user in and opens a session.
func (f sessionFixture) openSession(t *testing.T, subject, device string) (key string, userID int64) {
	t.Helper()
	user := f.signInAs(t, profile{Subject: subject})
	key, err := f.Open(t.Context(), SignIn{User: user, Issuer: "https://id.example.com", Subject: subject,
		Reauthenticated: true}, device)
	if err != nil {
		t.Fatalf("open a session: %v", err)
	}
	return key, user.ID
}

// wantLive checks whether a session is live.
func wantLive(t *testing.T, s *Sessions, key string, want bool) *models.Session {
	t.Helper()
	found, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if (found != nil) != want {
		t.Errorf("session %.6s…: got live %v, want %v", key, found != nil, want)
	}
	if found == nil {
		return nil
	}
	return &found.Session
}

func TestSessionLifetimes(t *testing.T) {
	t.Parallel()
	t.Run("an unused session ends", func(t *testing.T) {
		t.Parallel()
		f := newSessionFixture(t)
		key, user := f.openSession(t, "a", "Firefox, Linux")
		f.clock.Add(SessionIdle - time.Second)
		session := wantLive(t, f.Sessions, key, true)
		if session.UserID != user || session.Device != "Firefox, Linux" || session.Subject != "a" || session.Key != key {
			t.Errorf("got session %+v", session)
		}
		f.clock.Add(time.Second)
		wantLive(t, f.Sessions, key, false)
		if list, err := f.List(t.Context(), user); err != nil || len(list) != 0 {
			t.Errorf("got sessions %v, %v, want none", list, err)
		}
	})
	t.Run("a used session ends at its maximum", func(t *testing.T) {
		t.Parallel()
		f := newSessionFixture(t)
		key, _ := f.openSession(t, "a", "")
		for age := time.Duration(0); age < SessionMax; age += 24 * time.Hour {
			if err := f.Touch(t.Context(), wantLive(t, f.Sessions, key, true)); err != nil {
				t.Fatal(err)
			}
			f.clock.Add(24 * time.Hour)
		}
		wantLive(t, f.Sessions, key, false)
	})
	t.Run("a reauthentication ends before the session", func(t *testing.T) {
		t.Parallel()
		f := newSessionFixture(t)
		key, _ := f.openSession(t, "a", "")
		f.clock.Add(ReauthLife - time.Second)
		if !f.Reauthenticated(wantLive(t, f.Sessions, key, true)) {
			t.Error("fresh sign-in: got not reauthenticated, want reauthenticated")
		}
		f.clock.Add(time.Second)
		session := wantLive(t, f.Sessions, key, true)
		if f.Reauthenticated(session) {
			t.Error("after ReauthLife: got reauthenticated, want not")
		}
		if err := f.MarkReauthenticated(t.Context(), session.KeyHash); err != nil {
			t.Fatal(err)
		}
		if !f.Reauthenticated(wantLive(t, f.Sessions, key, true)) || f.Reauthenticated(nil) {
			t.Error("after MarkReauthenticated: got not reauthenticated, or reauthenticated without a session")
		}
	})
}

func TestSessionKeyIsNotInTheTable(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, _ := f.openSession(t, "a", "")
	var row struct{ KeyHash, Everything string }
	if err := f.fixture.db.Raw("SELECT key_hash, sessions::text AS everything FROM sessions").Scan(&row).
		Error; err != nil {
		t.Fatal(err)
	}
	if len(row.KeyHash) != 64 || strings.Contains(row.Everything, key) {
		t.Errorf("got row %s, want the hash and not the key", row.Everything)
	}
	wantLive(t, f.Sessions, row.KeyHash, false)
	wantLive(t, f.Sessions, "", false)
}

func TestRotatingTheSecretKeepsSessions(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, user := f.openSession(t, "a", "")
	unused, _ := f.openSession(t, "a", "")
	f.Service.secrets = seal.Secrets{otherSecret, testSecret}
	rotated := f.Service.Sessions()
	var live atomic.Int64
	dbtest.Concurrently(20, func(int) {
		if found, err := rotated.Load(t.Context(), key); err == nil && found != nil && found.Account.ID == user {
			live.Add(1)
		}
	})
	if live.Load() != 20 {
		t.Errorf("during rotation: got the session in %d of 20 requests, want 20", live.Load())
	}
	f.Service.secrets = seal.Secrets{otherSecret}
	done := f.Service.Sessions()
	wantLive(t, done, key, true)
	wantLive(t, done, unused, false)
}

func TestEndEndsOnlySessionsOfTheUser(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	here, user := f.openSession(t, "a", "")
	there, _ := f.openSession(t, "a", "")
	theirs, _ := f.openSession(t, "b", "")
	if err := f.End(t.Context(), user, f.KeyHash(theirs)); err != nil {
		t.Error(err)
	}
	wantLive(t, f.Sessions, theirs, true)
	if err := f.End(t.Context(), user, f.KeyHash(there)); err != nil {
		t.Error(err)
	}
	wantLive(t, f.Sessions, there, false)
	wantLive(t, f.Sessions, here, true)
	if err := f.EndAll(t.Context(), user); err != nil {
		t.Error(err)
	}
	wantLive(t, f.Sessions, here, false)
	wantLive(t, f.Sessions, theirs, true)
}

func TestSessionsAreListedLastUsedFirst(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	here, user := f.openSession(t, "a", "Firefox, Linux")
	f.clock.Add(time.Second)
	f.openSession(t, "a", "Safari, iPhone")
	f.clock.Add(seenEvery)
	if err := f.Touch(t.Context(), wantLive(t, f.Sessions, here, true)); err != nil {
		t.Fatal(err)
	}
	list, err := f.List(t.Context(), user)
	if err != nil || len(list) != 2 || list[0].KeyHash != f.KeyHash(here) || !list[0].LastSeenAt.Equal(f.clock.Now()) ||
		list[0].Device != "Firefox, Linux" {
		t.Errorf("got sessions %v, %v, want two, the last used first", list, err)
	}
}

func TestAnEndedSessionIsNotRevived(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, user := f.openSession(t, "a", "")
	session := wantLive(t, f.Sessions, key, true)
	f.clock.Add(seenEvery)
	if err := f.EndAll(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context) error{
		"touched":         func(ctx context.Context) error { return f.Touch(ctx, session) },
		"reauthenticated": func(ctx context.Context) error { return f.MarkReauthenticated(ctx, session.KeyHash) },
	} {
		if err := do(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantLive(t, f.Sessions, key, false)
	}
}

func TestOpenRefusesASignInWithoutItsIdentity(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	_, user := f.openSession(t, "a", "")
	_, other := f.openSession(t, "b", "")
	for name, in := range map[string]SignIn{
		"an unknown identity":      {User: models.User{ID: user}, Issuer: "https://id.example.com", Subject: "gone"},
		"another user's identity":  {User: models.User{ID: other}, Issuer: "https://id.example.com", Subject: "a"},
		"another issuer's subject": {User: models.User{ID: user}, Issuer: "https://other.example.com", Subject: "a"},
		"no user":                  {Issuer: "https://id.example.com", Subject: "a"},
		"an empty sign-in":         {},
	} {
		_, err := f.Open(t.Context(), in, "")
		if got := fault.Of(err); got == nil || got.Problem != fault.SignInFailed {
			t.Errorf("%s: got %v, want %s", name, err, fault.SignInFailed)
		}
	}
}

func TestSweepDeletesInBatches(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	db := f.fixture.db
	live, _ := f.openSession(t, "a", "")
	const many = 2*sweepBatch + 1
	now := f.clock.Now()
	must := func(query string, args ...any) {
		t.Helper()
		if err := db.Exec(query, args...).Error; err != nil {
			t.Fatal(err)
		}
	}
	must(`INSERT INTO used_flows SELECT sha256(n::text::bytea), ? FROM generate_series(1, ?) n`, now, many)
	must(`INSERT INTO used_flows VALUES (sha256('later'), ?)`, now.Add(time.Second))
	must(`INSERT INTO sessions (key_hash, expires_at, last_seen_at) VALUES ('over', ?, ?), ('idle', ?, ?)`, now, now,
		now.Add(time.Hour), now.Add(-SessionIdle))
	if n, err := f.Sessions.Sweep(t.Context()); err != nil || n != many+2 {
		t.Errorf("got %d swept rows, %v, want %d", n, err, many+2)
	}
	wantLive(t, f.Sessions, live, true)
	if n := count(t, db, `SELECT count(*) FROM used_flows`); n != 1 {
		t.Errorf("got %d flows left, want 1", n)
	}
}

func count(t *testing.T, db *gorm.DB, query string) (n int64) {
	t.Helper()
	if err := db.Raw(query).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOtherSessionsShowASignInOnce(t *testing.T) {
	t.Parallel()
	f := newSessionFixture(t)
	key, _ := f.openSession(t, "a", "Firefox, Linux")
	another, _ := f.openSession(t, "b", "")
	if s := wantLive(t, f.Sessions, key, true); s.ElsewhereAt != nil {
		t.Errorf("first session: got notice of %q, want none", s.ElsewhereDevice)
	}
	later, _ := f.openSession(t, "a", "Chrome, Android")
	session := wantLive(t, f.Sessions, key, true)
	if session.ElsewhereAt == nil || session.ElsewhereDevice != "Chrome, Android" {
		t.Fatalf("got session %+v, want a notice of the sign-in on Android", session)
	}
	for name, key := range map[string]string{"the new session": later, "another user's": another} {
		if s := wantLive(t, f.Sessions, key, true); s.ElsewhereAt != nil {
			t.Errorf("%s: got notice of %q, want none", name, s.ElsewhereDevice)
		}
	}
	if err := f.ClearElsewhere(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	if s := wantLive(t, f.Sessions, key, true); s.ElsewhereAt != nil {
		t.Errorf("after ClearElsewhere: got notice of %q, want none", s.ElsewhereDevice)
	}
}
