package handlers

import (
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
)

// visitor is the sender of a request. loadVisitor or identifyKey stores it in the request's locals.
type visitor struct {
	account *auth.Account   // nil for anonymous visitors and service keys
	session *models.Session // nil without account
	forms   *Sessions       // makes the session's CSRF tokens; nil without a session, and at the gate's own host
	key     *models.APIKey  // of a calling program; excludes account
}

// csrf returns a CSRF token of the session; empty without one, and at the gate's own host.
func (v *visitor) csrf() string {
	if v.forms == nil {
		return ""
	}
	return v.forms.token(v.session)
}
