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

// Sessions manages the cookies of signed-in browsers and the tokens of their forms. PostgreSQL stores the sessions,
// so every server knows them.
type Sessions struct {
	rows    *auth.Sessions
	secrets seal.Secrets
	secure  bool
}

// NewSessions returns sessions kept in rows; secure says that browsers reach us over https.
func NewSessions(rows *auth.Sessions, secrets seal.Secrets, secure bool) *Sessions {
	return &Sessions{rows: rows, secrets: secrets, secure: secure}
}

// cookie returns the name of the session cookie.
func (s *Sessions) cookie() string { return s.cookieName("session") }

// cookieName returns the full name of a cookie of ours. Over https its prefix pins the cookie to our host, so that no
// other host of the domain can set it.
func (s *Sessions) cookieName(name string) string {
	if s == nil || !s.secure { // nil in a test server that only receives events
		return name
	}
	return "__Host-" + name
}

// setCookie sets an HTTP-only cookie by its full name. Lax, because a provider's callback is a cross-site navigation.
func (s *Sessions) setCookie(c *fiber.Ctx, name, value string, seconds int) {
	c.Cookie(&fiber.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HTTPOnly: true,
		SameSite: fiber.CookieSameSiteLaxMode, Secure: s.secure})
}

// signIn replaces this browser's session by a new one, which makes a planted or copied key worthless.
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

// endHere ends this browser's session, if it has one.
func (s *Sessions) endHere(c *fiber.Ctx) error {
	session := currentVisitor(c).session
	if session == nil {
		return nil
	}
	return s.rows.End(c.UserContext(), session.UserID, session.KeyHash)
}

// token returns a session's CSRF token: bound to the session, valid on every server, stored nowhere. It is masked
// anew each time, so that the size of a compressed page reveals nothing about it.
// Source: https://www.breachattack.com
func (s *Sessions) token(session *models.Session) string {
	mask := make([]byte, sha256.Size, 2*sha256.Size)
	rand.Read(mask) // never fails; it would end the program
	return base64.RawURLEncoding.EncodeToString(append(mask, xor(s.secrets.Sum(csrfText(session)), mask)...))
}

// goodToken reports whether a form's token belongs to the session.
func (s *Sessions) goodToken(session *models.Session, token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 2*sha256.Size {
		return false
	}
	return s.secrets.Verify(csrfText(session), xor(raw[sha256.Size:], raw[:sha256.Size]))
}

func csrfText(session *models.Session) string { return "csrf:" + session.Key }

// flowToken returns the token of the address that starts a signed-in user's flow. It is bound to the session and to the
// kind of flow, so that another site cannot start one.
func (s *Sessions) flowToken(session *models.Session, kind auth.FlowKind) string {
	return base64.RawURLEncoding.EncodeToString(s.secrets.Sum(flowText(session, kind)))
}

// goodFlowToken reports whether the token belongs to the session and the kind of flow.
func (s *Sessions) goodFlowToken(session *models.Session, kind auth.FlowKind, token string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	return err == nil && s.secrets.Verify(flowText(session, kind), raw)
}

func flowText(session *models.Session, kind auth.FlowKind) string {
	return string(kind) + ":" + session.Key
}

// equalSecret compares in constant time. An empty text never matches.
func equalSecret(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func xor(text, mask []byte) []byte {
	out := make([]byte, len(text))
	subtle.XORBytes(out, text, mask)
	return out
}
