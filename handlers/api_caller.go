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
	public  bool // anybody; a wrong key is refused all the same
	session bool
	scope   string     // that a service key needs; empty when keys may not call
	limit   limit.Rule // for sessions; a key has one limit for all calls
}

// The authentication schemes, by their names in the document.
const (
	schemeSession = "session"
	schemeKey     = "serviceKey"
	anyone        = "anyone" // no scheme: a public call
)

// identifyKey authenticates a service key. A request with an Authorization header ignores cookies, so other sites
// cannot forge it, and a wrong key is never replaced by a session.
func (h *Handler) identifyKey(c *fiber.Ctx) error {
	scheme, presented, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return c.Next()
	}
	if len(c.Request().Header.PeekAll(fiber.HeaderAuthorization)) > 1 {
		return fault.Because(fault.Unauthenticated, fault.CallerUnknown)
	}
	key, err := h.Keys.Verify(c.UserContext(), strings.TrimSpace(presented), limit.Address(h.sender(c)))
	if err != nil {
		return err
	}
	c.Locals(localVisitor, &visitor{key: &key})
	return c.Next()
}

// authorize checks whether the caller may make the call.
// Errors: fault.Unauthenticated for an unknown caller, fault.Forbidden for a wrong one.
func (a access) authorize(c *fiber.Ctx) error {
	v := currentVisitor(c)
	switch {
	case a.public:
		return nil
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

// describe documents the access.
func (a access) describe(op *huma.Operation) {
	if a.public {
		op.Security = []map[string][]string{{}}
	}
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

// UserRef names the user of a service's call. huma needs embedded structs to be exported.
type UserRef struct {
	UserID int64  `json:"userId,omitempty" query:"userId" minimum:"1" doc:"The ID of the user whose credits the call is about. With a service key exactly one of userId and email; with a session neither."`
	Email  string `json:"email,omitempty" query:"email" minLength:"1" maxLength:"320" doc:"The email address of that user instead; upper and lower case are the same."`
}

// caller returns the calling service's key id; zero for a session.
func caller(c *fiber.Ctx) uuid.UUID {
	if key := currentVisitor(c).key; key != nil {
		return key.ID
	}
	return uuid.Nil
}

// requestOf returns who calls, and for which user: a session always acts for itself.
// Errors: fault.Invalid when a service does not name exactly one user, or a session names one.
func requestOf(c *fiber.Ctx, named UserRef, create bool) (spend.Request, error) {
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

// subject returns the user that a read call is about.
// Errors: those of requestOf; fault.NotFound with fault.UserUnknown.
func (h *Handler) subject(c *fiber.Ctx, named UserRef) (int64, error) {
	r, err := requestOf(c, named, false)
	if err != nil {
		return 0, err
	}
	return h.Spend.Account(c.UserContext(), r.UserID, r.Email, false)
}

// requireKey requires an idempotency key from services.
func requireKey(c *fiber.Ctx, key string) error {
	if key == "" && currentVisitor(c).key != nil {
		return fault.Because(fault.Malformed, fault.KeyRequired)
	}
	return nil
}
