package handlers

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
)

// access says who may make a call.
type access struct {
	session bool
	scope   string // what a service key must be allowed; empty when no key may
}

// The ways to prove who one is, by their names in the document.
const (
	schemeSession = "session"
	schemeKey     = "serviceKey"
)

// admit lets those in who may make the call.
// Errors: fault.Unauthenticated when nobody is known to call, fault.Forbidden when somebody else may.
func (a access) admit(c *fiber.Ctx) error {
	v := currentVisitor(c)
	switch {
	case v.account == nil:
		return fault.Because(fault.Unauthenticated, fault.CallerUnknown)
	case !a.session:
		return fault.Because(fault.Forbidden, fault.KeyNeeded)
	}
	return nil
}

// describe writes it into the document.
func (a access) describe(op *huma.Operation) {
	if a.scope != "" {
		op.Security = append(op.Security, map[string][]string{schemeKey: {}})
	}
	if a.session {
		op.Security = append(op.Security, map[string][]string{schemeSession: {}})
	}
}

// The scopes of a service key; spend includes read.
const (
	scopeRead  = "read"
	scopeSpend = "spend"
)
