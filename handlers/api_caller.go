package handlers

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/spend"
)

// access says who may make a call.
type access struct {
	session bool
	scope   string     // what a service key must be allowed; empty when no key may
	limit   limit.Rule // of a session; a key has a limit of its own for all calls
}

// The ways to prove who one is, by their names in the document.
const (
	schemeSession = "session"
	schemeKey     = "serviceKey"
)

// identifyKey finds out which service calls. Whoever sends a key is no browser: their cookies are not looked at, and
// no other site can make them call. A key that is not good is nobody, whatever else is sent with it.
func (h *Handler) identifyKey(c *fiber.Ctx) error {
	scheme, presented, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return c.Next()
	}
	if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
		return fault.Because(fault.Unauthenticated, fault.CallerUnknown)
	}
	key, err := h.Keys.Verify(c.UserContext(), strings.TrimSpace(presented), limit.Address(h.sender(c)))
	if fault.Is(err, fault.Unauthenticated) {
		err = fault.Because(fault.Unauthenticated, fault.CallerUnknown)
	}
	if err != nil {
		return err
	}
	c.Locals(localVisitor, &visitor{key: &key})
	return c.Next()
}

// admit lets those in who may make the call.
// Errors: fault.Unauthenticated when nobody is known to call, fault.Forbidden when somebody else may.
func (a access) admit(c *fiber.Ctx) error {
	v := currentVisitor(c)
	switch {
	case v.key == nil && v.account == nil:
		return fault.Because(fault.Unauthenticated, fault.CallerUnknown)
	case v.key == nil && !a.session:
		return fault.Because(fault.Forbidden, fault.KeyNeeded)
	case v.key != nil && a.scope == "":
		return fault.Because(fault.Forbidden, fault.SessionNeeded)
	case v.key != nil && !v.key.Allows(a.scope):
		return fault.Because(fault.Forbidden, fault.ScopeMissing)
	}
	return nil
}

// describe writes it into the document.
func (a access) describe(op *huma.Operation) {
	if a.scope != "" {
		op.Security = append(op.Security, map[string][]string{schemeKey: {}})
		op.Description += " With a service key it needs the scope `" + a.scope + "`."
		if a.scope == models.ScopeRead {
			op.Description = strings.TrimSuffix(op.Description, ".") + ", which `" + models.ScopeSpend + "` includes."
		}
	}
	if a.session {
		op.Security = append(op.Security, map[string][]string{schemeSession: {}})
	}
}

// NamedUser says whose credits a service's call is about. huma wants what is embedded to be exported.
type NamedUser struct {
	UserID int64  `json:"userId,omitempty" query:"userId" minimum:"1" doc:"Our id of the user whose credits this is about. With a service key exactly one of userId and email; with a session neither."`
	Email  string `json:"email,omitempty" query:"email" minLength:"1" maxLength:"320" doc:"The e-mail address of that user instead, in any case of its letters."`
}

// caller is the service that calls; zero for a user's own session.
func caller(c *fiber.Ctx) uuid.UUID {
	if key := currentVisitor(c).key; key != nil {
		return key.ID
	}
	return uuid.Nil
}

// requestOf says who asks, and for whom: with a session always the one who is signed in.
// Errors: fault.Invalid when a service does not name exactly one user, or a session names one at all.
func requestOf(c *fiber.Ctx, named NamedUser, create bool) (spend.Request, error) {
	v := currentVisitor(c)
	if v.key == nil {
		switch {
		case named.UserID != 0:
			return spend.Request{}, fault.Field("userId", fault.UserNamed)
		case named.Email != "":
			return spend.Request{}, fault.Field("email", fault.UserNamed)
		case create:
			return spend.Request{}, fault.Field("createUser", fault.UserNamed)
		}
		return spend.Request{UserID: v.account.ID}, nil
	}
	if (named.UserID != 0) == (named.Email != "") {
		return spend.Request{}, fault.Field("userId", fault.UserNotNamed)
	}
	if create && named.Email == "" {
		return spend.Request{}, fault.Field("email", fault.FieldMissing)
	}
	return spend.Request{Caller: v.key.ID, UserID: named.UserID, Email: named.Email, Create: create}, nil
}

// subject is the user whom a call that changes nothing is about.
// Errors: those of requestOf; fault.NotFound for an unknown user.
func (h *Handler) subject(c *fiber.Ctx, named NamedUser) (int64, error) {
	r, err := requestOf(c, named, false)
	if err != nil {
		return 0, err
	}
	return h.Spend.Account(c.UserContext(), r.UserID, r.Email, false)
}

// requireKey wants a service to say what it would do again if it got no answer.
func requireKey(c *fiber.Ctx, key string) error {
	if key == "" && currentVisitor(c).key != nil {
		return fault.Because(fault.Malformed, fault.KeyRequired)
	}
	return nil
}
