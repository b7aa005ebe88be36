package auth

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/seal"
)

// handover is a session whose browser has asked for a code.
type handover struct {
	sessionFixture
	key, code, verifier string
	user                int64
}

func newHandover(t *testing.T) handover {
	t.Helper()
	f := newSessionFixture(t)
	o := handover{sessionFixture: f, verifier: NewVerifier()}
	o.key, o.user = f.openSession(t, "ada", "Firefox, Linux")
	o.code = o.issue(t)
	return o
}

func (o handover) issue(t *testing.T) string {
	t.Helper()
	code, err := o.IssueCode(t.Context(), wantLive(t, o.Sessions, o.key, true), Challenge(o.verifier), "/tailor?x=1")
	if err != nil {
		t.Fatalf("issue a code: %v", err)
	}
	return code
}

// redeem opens the session at the gate's host.
func (o handover) redeem(t *testing.T) GateSession {
	t.Helper()
	opened, err := o.RedeemCode(t.Context(), o.code, o.verifier)
	if err != nil {
		t.Fatalf("redeem a code: %v", err)
	}
	return opened
}

// wantGate checks whether a key is good at the gate's host.
func (o handover) wantGate(t *testing.T, what, key string, want bool) {
	t.Helper()
	found, err := o.LoadGate(t.Context(), key)
	if err != nil {
		t.Fatalf("%s: load: %v", what, err)
	}
	if (found != nil) != want {
		t.Errorf("%s: got live %v, want %v", what, found != nil, want)
	}
	if found != nil && (found.Account.ID != o.user || found.Session.KeyHash != o.KeyHash(o.key) ||
		found.Session.Key != "") {
		t.Errorf("%s: got %+v, want the session of user %d, without its key", what, found, o.user)
	}
}

// A code opens a session at the gate's host, once, and the session's two keys are good for one host each.
func TestCodeOpensASessionAtTheGate(t *testing.T) {
	t.Parallel()
	o := newHandover(t)
	opened := o.redeem(t)
	if parent := wantLive(t, o.Sessions, o.key, true); opened.ReturnTo != "/tailor?x=1" ||
		!opened.ExpiresAt.Equal(parent.ExpiresAt) {
		t.Errorf("got page %q until %s, want /tailor?x=1 until the session's end, %s", opened.ReturnTo, opened.ExpiresAt,
			parent.ExpiresAt)
	}
	o.wantGate(t, "the gate's key at the gate", opened.Key, true)
	wantLive(t, o.Sessions, opened.Key, false)
	o.wantGate(t, "the session's key at the gate", o.key, false)
	o.wantGate(t, "no key at the gate", "", false)
	if list, err := o.List(t.Context(), o.user); err != nil || len(list) != 1 {
		t.Errorf("got %d sessions in the list (%v), want 1: one browser", len(list), err)
	}
	for table, secret := range map[string]string{"gate_codes": o.issue(t), "gate_sessions": opened.Key} {
		if n := o.count(t, `SELECT count(*) FROM `+table+` t WHERE t::text LIKE '%' || ? || '%'`, secret); n != 0 {
			t.Errorf("%s contains the secret in clear, want its hash", table)
		}
	}
}

// A code that is refused is used up: no second try with the right verifier succeeds.
func TestCodeIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(o *handover, t *testing.T)
		left  int64 // codes that stay
	}{
		"the second time":            {func(o *handover, t *testing.T) { t.Helper(); o.redeem(t) }, 0},
		"after its minute":           {func(o *handover, _ *testing.T) { o.clock.Add(CodeLife) }, 0},
		"in another browser":         {func(o *handover, _ *testing.T) { o.verifier = NewVerifier() }, 0},
		"in a browser without a key": {func(o *handover, _ *testing.T) { o.verifier = "" }, 0},
		"with its own challenge":     {func(o *handover, _ *testing.T) { o.verifier = Challenge(o.verifier) }, 0},
		"when tampered with":         {func(o *handover, _ *testing.T) { o.code = o.code[:42] + "_" }, 1},
		"when its session has ended": {func(o *handover, t *testing.T) {
			t.Helper()
			if err := o.End(t.Context(), o.user, o.KeyHash(o.key)); err != nil {
				t.Fatal(err)
			}
		}, 0},
		"when its session is idle too long": {func(o *handover, t *testing.T) {
			t.Helper()
			o.update(t, `UPDATE sessions SET last_seen_at = ?`, o.clock.Now().Add(-SessionIdle))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newHandover(t)
			right := o.verifier
			c.spoil(&o, t)
			before := o.count(t, `SELECT count(*) FROM gate_sessions`)
			for _, verifier := range []string{o.verifier, right} {
				_, err := o.RedeemCode(t.Context(), o.code, verifier)
				wantProblem(t, err, fault.SignInExpired)
			}
			if got := o.count(t, `SELECT count(*) FROM gate_sessions`) - before; got != 0 {
				t.Errorf("got %d sessions opened, want 0", got)
			}
			if got := o.count(t, `SELECT count(*) FROM gate_codes`); got != c.left {
				t.Errorf("got %d codes left, want %d", got, c.left)
			}
		})
	}
}

// Just before its end a code is good; of twenty at once, over replicas, one is.
func TestOneOfTwentyRedeemsACode(t *testing.T) {
	t.Parallel()
	o := newHandover(t)
	o.clock.Add(CodeLife - time.Second)
	replicas := []*Sessions{o.Sessions, o.Service.Sessions()}
	var opened, refused atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		_, err := replicas[i%2].RedeemCode(t.Context(), o.code, o.verifier)
		switch {
		case err == nil:
			opened.Add(1)
		case fault.Is(err, fault.Malformed):
			refused.Add(1)
		default:
			t.Errorf("redeem: %v", err)
		}
	})
	if opened.Load() != 1 || refused.Load() != 19 || o.count(t, `SELECT count(*) FROM gate_sessions`) != 1 {
		t.Errorf("got %d opened and %d refused, want 1 and 19", opened.Load(), refused.Load())
	}
}

// A session that ends while its codes are redeemed leaves none at the gate, and nothing deadlocks.
func TestSessionEndsWhileCodesAreRedeemed(t *testing.T) {
	t.Parallel()
	o := newHandover(t)
	codes := make([]string, 20)
	for i := range codes {
		codes[i] = o.issue(t)
	}
	dbtest.Concurrently(20, func(i int) {
		if i == 10 {
			if err := o.End(t.Context(), o.user, o.KeyHash(o.key)); err != nil {
				t.Errorf("end: %v", err)
			}
		}
		if _, err := o.RedeemCode(t.Context(), codes[i], o.verifier); err != nil && !fault.Is(err, fault.Malformed) {
			t.Errorf("redeem: %v", err)
		}
	})
	if got := o.count(t, `SELECT (SELECT count(*) FROM gate_sessions) + (SELECT count(*) FROM gate_codes)`); got != 0 {
		t.Errorf("got %d codes and sessions of an ended session, want 0", got)
	}
}

// Whatever ends a session ends it at the gate's host too.
func TestSessionAtTheGateEndsWithItsSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(o handover, t *testing.T) error{
		"sign-out":  func(o handover, t *testing.T) error { t.Helper(); return o.End(t.Context(), o.user, o.KeyHash(o.key)) },
		"all ended": func(o handover, t *testing.T) error { t.Helper(); return o.EndAll(t.Context(), o.user) },
		"deletion of the account": func(o handover, t *testing.T) error {
			t.Helper()
			return o.Delete(t.Context(), o.user)
		},
		"idleness": func(o handover, _ *testing.T) error { o.clock.Add(SessionIdle); return nil },
		"its maximum": func(o handover, t *testing.T) error {
			t.Helper()
			o.update(t, `UPDATE sessions SET expires_at = ?`, o.clock.Now())
			return nil
		},
		"a secret that is replaced at once": func(o handover, _ *testing.T) error {
			o.Sessions.secrets = seal.Secrets{otherSecret}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newHandover(t)
			opened := o.redeem(t)
			o.wantGate(t, "before", opened.Key, true)
			if err := end(o, t); err != nil {
				t.Fatal(err)
			}
			o.wantGate(t, "after", opened.Key, false)
		})
	}
}

// A secret that is rotated keeps the session at the gate's host, in whichever order the hosts see the new one.
func TestRotatingTheSecretKeepsSessionsAtTheGate(t *testing.T) {
	t.Parallel()
	o := newHandover(t)
	opened := o.redeem(t)
	o.Service.secrets = seal.Secrets{otherSecret, testSecret}
	o.Sessions = o.Service.Sessions()
	if session, err := o.LoadGate(t.Context(), opened.Key); err != nil || session == nil {
		t.Errorf("before the session is loaded: got %v, %v, want it live", session, err)
	}
	wantLive(t, o.Sessions, o.key, true) // hashed anew
	o.wantGate(t, "after it is", opened.Key, true)
}

// Codes that were never shown are swept, and one session has few keys at the gate's host.
func TestCodesAndKeysAreFew(t *testing.T) {
	t.Parallel()
	o := newHandover(t)
	first := o.redeem(t)
	for range maxGateSessions {
		o.clock.Add(time.Second)
		o.code = o.issue(t)
		o.redeem(t)
	}
	if got := o.count(t, `SELECT count(*) FROM gate_sessions`); got != maxGateSessions {
		t.Errorf("got %d keys after %d codes, want %d", got, maxGateSessions+1, maxGateSessions)
	}
	o.wantGate(t, "the oldest key", first.Key, false)
	o.issue(t)
	o.clock.Add(CodeLife)
	if swept, err := o.Sweep(t.Context()); err != nil || swept != 1 {
		t.Errorf("swept %d rows (%v), want 1 code", swept, err)
	}
}

// A session that ended after its page was loaded gets no code.
func TestEndedSessionGetsNoCode(t *testing.T) {
	t.Parallel()
	o := newHandover(t)
	_, err := o.IssueCode(t.Context(), &models.Session{KeyHash: o.KeyHash("ended")}, Challenge(o.verifier), "/")
	if !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got error %v, want %s", err, fault.Unauthenticated)
	}
}

func (f fixture) update(t *testing.T, query string, args ...any) {
	t.Helper()
	if err := f.db.Exec(query, args...).Error; err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
