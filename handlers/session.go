package handlers

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"

	"github.com/resume-matcher/credits/services/auth"
)

// How long a session lasts: signed in, and on the way through a provider.
const (
	sessionLife = 14 * 24 * time.Hour
	flowLife    = 10 * time.Minute
)

// proofLife is for how long somebody who has shown a provider who they are may do what cannot be undone.
const proofLife = 15 * time.Minute

const (
	keyUser  = "user_id"
	keyFlow  = "flow"
	keyProof = "proved_at" // when they last came from their provider, in seconds since 1970
)

// Sessions are the browsers that are signed in or signing in. They live in PostgreSQL, so any replica knows them and
// any can end them; only ids are kept, never money or rights.
type Sessions struct {
	store  *session.Store
	rows   *auth.Sessions
	secret []byte
	secure bool
	name   string // of the cookie
}

// NewSessions returns sessions kept in rows. The cookie's name pins it to our host when we are reached over https.
func NewSessions(rows *auth.Sessions, secret []byte, secure bool) *Sessions {
	name := "session"
	if secure {
		name = "__Host-session"
	}
	store := session.New(session.Config{
		Storage: rows, Expiration: sessionLife, KeyLookup: "cookie:" + name, KeyGenerator: randomKey,
		CookiePath: "/", CookieHTTPOnly: true, CookieSecure: secure, CookieSameSite: "Lax",
	})
	return &Sessions{store: store, rows: rows, secret: secret, secure: secure, name: name}
}

// cookie is the name of the session's cookie.
func (s *Sessions) cookie() string {
	if s == nil { // a server for Stripe's events alone, as in a test
		return "session"
	}
	return s.name
}

// randomKey is 256 bits that nobody guesses. crypto/rand.Read never fails: the program would have ended.
func randomKey() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// current returns the signed-in user's id, or 0, and the CSRF token of their session.
func (s *Sessions) current(c *fiber.Ctx) (int64, string, error) {
	sess, err := s.store.Get(c)
	if err != nil {
		return 0, "", fmt.Errorf("read session: %w", err)
	}
	if sess.Fresh() {
		return 0, "", nil
	}
	userID, _ := sess.Get(keyUser).(int64)
	return userID, s.token(sess.ID()), nil
}

// token is the CSRF token of a session: bound to it, good on every replica, and stored nowhere. It is written differently
// each time, so that the size of a compressed page tells nothing of it.
// Source: https://www.breachattack.com
func (s *Sessions) token(id string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("csrf:" + id))
	mask := make([]byte, sha256.Size, 2*sha256.Size)
	rand.Read(mask) // never fails: the program would have ended
	return base64.RawURLEncoding.EncodeToString(append(mask, xor(mac.Sum(nil), mask)...))
}

// sameText compares without telling how much was right. An empty text is never right.
func sameText(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// purposeToken goes into the address that sends somebody who is signed in to a provider. Without it another site could
// begin that for them. It is bound to their session as the CSRF token is, and is of no other use.
func (s *Sessions) purposeToken(csrf string, purpose auth.Purpose) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write(append([]byte(purpose+":"), unmask(csrf)...))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// proved reports whether this browser's user has lately come from their provider.
func (s *Sessions) proved(c *fiber.Ctx) (bool, error) {
	sess, err := s.store.Get(c)
	if err != nil {
		return false, fmt.Errorf("read session: %w", err)
	}
	at, _ := sess.Get(keyProof).(int64)
	return time.Since(time.Unix(at, 0)) < proofLife, nil
}

// prove notes that this browser's user has just come from their provider.
func (s *Sessions) prove(c *fiber.Ctx) error {
	sess, err := s.store.Get(c)
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	if sess.Get(keyUser) == nil { // ended meanwhile
		return nil
	}
	sess.Set(keyProof, time.Now().Unix())
	return sess.Save()
}

// sameToken compares what two tokens stand for, without telling how much was right. What is no token is never right.
func sameToken(a, b string) bool {
	left, right := unmask(a), unmask(b)
	return left != nil && subtle.ConstantTimeCompare(left, right) == 1
}

// unmask is what a token stands for; nil of what is no token.
func unmask(token string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 2*sha256.Size {
		return nil
	}
	return xor(raw[sha256.Size:], raw[:sha256.Size])
}

func xor(text, mask []byte) []byte {
	out := make([]byte, len(text))
	subtle.XORBytes(out, text, mask)
	return out
}

// begin remembers a sign-in on its way to the provider. One with a purpose goes beside the user's session, which stays.
func (s *Sessions) begin(c *fiber.Ctx, flow auth.Flow) error {
	sess, err := s.store.Get(c)
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	text, err := json.Marshal(flow)
	if err != nil {
		return fmt.Errorf("keep sign-in: %w", err)
	}
	if flow.Purpose == "" {
		if err := sess.Regenerate(); err != nil { // an id that somebody planted is worth nothing
			return fmt.Errorf("renew session: %w", err)
		}
		sess.SetExpiry(flowLife)
	}
	sess.Set(keyFlow, string(text))
	return sess.Save()
}

// landing is a sign-in that came back from its provider.
type landing struct {
	auth.Flow
	userID int64            // who began it, when it has a purpose
	sess   *session.Session // to sign in with, when it has none
	rows   *auth.Sessions
}

// land returns the sign-in that this browser began and ends it: a second answer from the provider finds nothing.
func (s *Sessions) land(c *fiber.Ctx) (*landing, error) {
	sess, err := s.store.Get(c)
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	l := &landing{sess: sess, rows: s.rows}
	text, _ := sess.Get(keyFlow).(string)
	if text == "" {
		return l, nil
	}
	if err := json.Unmarshal([]byte(text), &l.Flow); err != nil {
		return nil, fmt.Errorf("read sign-in: %w", err)
	}
	sess.Delete(keyFlow)
	if l.Purpose != "" {
		l.userID, _ = sess.Get(keyUser).(int64)
		if err := sess.Save(); err != nil {
			return nil, fmt.Errorf("end a sign-in: %w", err)
		}
		return l, nil
	}
	if err := sess.Regenerate(); err != nil { // removes the row under the old id
		return nil, fmt.Errorf("renew session: %w", err)
	}
	return l, nil
}

// signIn makes the session the user's, under the new id.
func (l *landing) signIn(ctx context.Context, userID int64, device string) error {
	if err := l.rows.Bind(ctx, l.sess.ID(), userID, device); err != nil {
		return err
	}
	l.sess.Set(keyUser, userID)
	l.sess.Set(keyProof, time.Now().Unix())
	if err := l.sess.Save(); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

// end signs this browser out.
func (s *Sessions) end(c *fiber.Ctx) error {
	sess, err := s.store.Get(c)
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	return sess.Destroy()
}
