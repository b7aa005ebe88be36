package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"regexp"
	"time"

	"golang.org/x/oauth2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// maxGateSessions is how many keys for the gate's host one session has; the oldest ends first. A browser needs one, and
// tabs that hand over at once get one each, which may exceed the maximum until the next hand-over.
const maxGateSessions = 10

// NewVerifier returns the secret that the gate's host leaves in a browser before it asks for a code (RFC 7636). Only
// this browser can redeem the code: a code is worthless in every other, planted or stolen.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// verifierForm is what NewVerifier and Challenge return: 256 bits in Base64.
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// GoodVerifier reports whether text has the form of a verifier or a challenge.
func GoodVerifier(text string) bool { return verifierForm.MatchString(text) }

// Challenge returns what a code is issued for: the hash of the verifier, which URLs may show.
func Challenge(verifier string) string { return oauth2.S256ChallengeFromVerifier(verifier) }

// IssueCode returns a code by which the browser of a session gets a session at the gate's host and then sees the page
// returnTo there. It is valid once, for CodeLife.
//
// Errors: fault.Unauthenticated for a session that has ended.
func (s *Sessions) IssueCode(ctx context.Context, session *models.Session, challenge, returnTo string) (string,
	error) {
	code, err := randomText()
	if err != nil {
		return "", err
	}
	db, cancel := s.query(ctx)
	defer cancel()
	issued := db.Exec(`INSERT INTO gate_codes (code_hash, session_hash, challenge, return_to, expires_at)
		SELECT ?::bytea, key_hash, ?::text, ?::text, ?::timestamptz FROM sessions WHERE key_hash = ? FOR KEY SHARE`,
		codeHash(code), challenge, returnTo, s.now().Add(CodeLife), session.KeyHash)
	if issued.Error != nil {
		return "", fmt.Errorf("issue a code to user %d: %w", session.UserID, issued.Error)
	}
	if issued.RowsAffected == 0 {
		return "", fault.New(fault.Unauthenticated, nil)
	}
	return code, nil
}

func codeHash(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

// GateSession is a session at the gate's host.
type GateSession struct {
	Key       string `gorm:"-"` // the cookie's value
	ReturnTo  string // the page that the code was issued for
	ExpiresAt time.Time
}

// redeemSQL deletes the code of a live session, and opens a gate session if the browser knows the verifier. It locks
// the session first, as its end does, and ends the oldest gate sessions above the maximum.
const redeemSQL = `WITH live AS (
	SELECT key_hash, expires_at FROM sessions
	WHERE key_hash = (SELECT session_hash FROM gate_codes WHERE code_hash = @code)
		AND user_id IS NOT NULL AND expires_at > @now AND last_seen_at > @idle FOR KEY SHARE
), used AS (
	DELETE FROM gate_codes WHERE code_hash = @code AND (SELECT count(*) FROM live) = 1
	RETURNING challenge, return_to, expires_at
), opened AS (
	INSERT INTO gate_sessions (key_hash, session_hash, created_at)
	SELECT cast(@key AS text), live.key_hash, cast(@now AS timestamptz) FROM live, used
	WHERE used.challenge = @challenge AND used.expires_at > @now
	RETURNING session_hash
), ended AS (
	DELETE FROM gate_sessions WHERE key_hash IN (
		SELECT key_hash FROM gate_sessions WHERE session_hash IN (SELECT session_hash FROM opened)
		ORDER BY created_at DESC, key_hash OFFSET @others)
)
SELECT used.return_to, live.expires_at FROM opened, used, live`

// RedeemCode opens the session at the gate's host that a code was issued for. It uses the code up even if it refuses,
// because an address with a code is requested once. A code whose session is no longer live stays useless until Sweep.
//
// Locks: the session, then the code.
// Errors: fault.Malformed with fault.SignInExpired for a code that is unknown, used, expired, of another browser, or of
// a session that has ended.
func (s *Sessions) RedeemCode(ctx context.Context, code, verifier string) (GateSession, error) {
	key, err := randomText()
	if err != nil {
		return GateSession{}, err
	}
	db, cancel := s.query(ctx)
	defer cancel()
	now := s.now()
	var opened []GateSession
	err = db.Raw(redeemSQL, map[string]any{
		"code": codeHash(code), "challenge": Challenge(verifier), "key": s.gateKeyHashes(key)[0],
		"now": now, "idle": now.Add(-SessionIdle), "others": maxGateSessions - 1,
	}).Scan(&opened).Error
	if err != nil {
		return GateSession{}, fmt.Errorf("redeem a code: %w", err)
	}
	if len(opened) == 0 {
		return GateSession{}, fault.Because(fault.Malformed, fault.SignInExpired)
	}
	opened[0].Key = key
	return opened[0], nil
}

// LoadGate is Load by a key for the gate's own host. The session in its result has no Key: nothing that is derived from
// it, such as a CSRF token, is for that host.
func (s *Sessions) LoadGate(ctx context.Context, key string) (*SignedIn, error) {
	if key == "" {
		return nil, nil
	}
	return s.find(ctx, &s.gateLoads, loadGateSQL, s.gateKeyHashes(key))
}

// gateKeyHashes is keyHashes of a key for the gate's host. The prefix makes them differ from those of a session's key,
// so that neither key opens what the other does.
func (s *Sessions) gateKeyHashes(key string) []string { return s.keyHashes("gate:" + key) }
