package handlers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/seal"
)

// Sessions are the browsers that are signed in or signing in: their cookies, and the tokens of their forms. The rows are
// in PostgreSQL, so any server knows them and any can end them.
type Sessions struct {
	rows    *auth.Sessions
	secrets seal.Secrets
	secure  bool
	prefix  string // of our cookies' names
}

// NewSessions returns sessions kept in rows. The cookies' names pin them to our host when we are reached over https.
func NewSessions(rows *auth.Sessions, secrets seal.Secrets, secure bool) *Sessions {
	s := &Sessions{rows: rows, secrets: secrets, secure: secure}
	if secure {
		s.prefix = "__Host-"
	}
	return s
}

// cookie is the name of the session's cookie.
func (s *Sessions) cookie() string {
	if s == nil { // a server for Stripe's events alone, as in a test
		return "session"
	}
	return s.prefix + "session"
}

// setCookie gives the browser a cookie that only we read. Lax, because a provider's answer comes from another site.
func (s *Sessions) setCookie(c *fiber.Ctx, name, value string, seconds int) {
	c.Cookie(&fiber.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Secure: s.secure})
}

// current returns the live session of this browser, nil without one.
func (s *Sessions) current(c *fiber.Ctx) (*models.Session, error) {
	return s.rows.Load(c.UserContext(), c.Cookies(s.cookie()))
}

// signIn opens a session under a new key in place of the one that this browser had: a key that somebody planted, and
// one that somebody copied, are worth nothing afterwards.
func (s *Sessions) signIn(ctx context.Context, c *fiber.Ctx, in auth.SignIn) error {
	if err := s.endHere(c); err != nil {
		return err
	}
	key, err := s.rows.Open(ctx, in, auth.Device(c.Get(fiber.HeaderUserAgent)))
	if err != nil {
		return err
	}
	s.setCookie(c, s.cookie(), key, int(auth.SessionMax.Seconds()))
	return nil
}

// end signs this browser out.
func (s *Sessions) end(c *fiber.Ctx) error {
	if err := s.endHere(c); err != nil {
		return err
	}
	s.setCookie(c, s.cookie(), "", -1)
	return nil
}

// endHere ends the session of this browser, if it has one.
func (s *Sessions) endHere(c *fiber.Ctx) error {
	session, err := s.current(c)
	if err != nil || session == nil {
		return err
	}
	return s.rows.End(c.UserContext(), session.UserID, session.KeyHash)
}

// token is the CSRF token of a session: bound to it, good on every server, and stored nowhere. It is written differently
// each time, so that the size of a compressed page tells nothing of it.
// Source: https://www.breachattack.com
func (s *Sessions) token(session *models.Session) string {
	mask := make([]byte, sha256.Size, 2*sha256.Size)
	rand.Read(mask) // never fails: the program would have ended
	return base64.RawURLEncoding.EncodeToString(append(mask, xor(s.secrets.Sum(csrfText(session)), mask)...))
}

// goodToken reports whether a form's token is the session's.
func (s *Sessions) goodToken(session *models.Session, token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 2*sha256.Size {
		return false
	}
	return s.secrets.Verify(csrfText(session), xor(raw[sha256.Size:], raw[:sha256.Size]))
}

func csrfText(session *models.Session) string { return "csrf:" + session.Key }

// purposeToken goes into the address that sends somebody who is signed in to a provider. Without it another site could
// begin that for them. It is bound to their session as the CSRF token is, and is of no other use.
func (s *Sessions) purposeToken(session *models.Session, purpose auth.FlowKind) string {
	return base64.RawURLEncoding.EncodeToString(s.secrets.Sum(purposeText(session, purpose)))
}

func (s *Sessions) goodPurposeToken(session *models.Session, purpose auth.FlowKind, token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && s.secrets.Verify(purposeText(session, purpose), raw)
}

func purposeText(session *models.Session, purpose auth.FlowKind) string {
	return string(purpose) + ":" + session.Key
}

// sameText compares without telling how much was right. An empty text is never right.
func sameText(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func xor(text, mask []byte) []byte {
	out := make([]byte, len(text))
	subtle.XORBytes(out, text, mask)
	return out
}
