package handlers

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
)

// flowPath returns the address that starts a signed-in user's flow at a provider.
func (h *Handler) flowPath(c *fiber.Ctx, provider string, kind auth.FlowKind, back string) string {
	query := url.Values{"purpose": {string(kind)}, "locale": {pageLocale(c)},
		"token": {h.Sessions.flowToken(currentVisitor(c).session, kind)}}
	if back != "" {
		query.Set("return_to", back)
	}
	return "/auth/" + provider + "?" + query.Encode()
}

// parseFlowKind returns the requested kind of flow: link, reauthenticate, or "" for a plain sign-in. The token ties the
// address to a page of the same session, so that only its user can start linking an identity.
func (h *Handler) parseFlowKind(c *fiber.Ctx) (auth.FlowKind, error) {
	if !c.Context().QueryArgs().Has("purpose") {
		return "", nil
	}
	v, kind := currentVisitor(c), auth.FlowKind(c.Query("purpose"))
	switch {
	case kind != auth.KindLink && kind != auth.KindReauthenticate:
		return "", fault.Because(fault.Malformed, fault.SignInFailed)
	case v.account == nil:
		return "", fault.New(fault.Unauthenticated, nil)
	case !h.Sessions.goodFlowToken(v.session, kind, c.Query("token")):
		return "", fault.Because(fault.Forbidden, fault.TokenMissing)
	}
	return kind, nil
}

// flowPages are the pages to which each kind of flow returns by default.
var flowPages = map[auth.FlowKind]string{auth.KindLink: "/account", auth.KindReauthenticate: "/account/delete"}

// finishUserFlow finishes a signed-in user's flow. Whatever the result, the user stays signed in and returns to the
// account.
func (h *Handler) finishUserFlow(c *fiber.Ctx, flow auth.Flow) error {
	done, err := h.completeUserFlow(c, flow)
	return h.redirectAfter(c, h.flowTarget(flow), err, done)
}

// completeUserFlow reauthenticates the user or links the identity, and returns the name of the message.
func (h *Handler) completeUserFlow(c *fiber.Ctx, flow auth.Flow) (flash string, err error) {
	v := currentVisitor(c)
	switch {
	case v.account == nil: // signed out since
		return "", fault.New(fault.Unauthenticated, nil)
	case !h.Sessions.goodFlowToken(v.session, flow.Kind, flow.Session): // another session since
		return "purpose_session", nil
	}
	if c.Query("error") == "access_denied" {
		return "sign_in_canceled", nil
	}
	query, err := callbackQuery(c)
	if err != nil {
		return "", err
	}
	if flow.Kind == auth.KindReauthenticate {
		if err := h.Auth.Reauthenticate(c.UserContext(), v.account.ID, flow, query); err != nil {
			return "", err
		}
		return "confirmed", h.Sessions.rows.MarkReauthenticated(c.UserContext(), v.session.KeyHash)
	}
	already, err := h.Auth.Link(c.UserContext(), v.account.ID, flow, query)
	if err != nil || already {
		return "already_linked", err
	}
	h.Site.Log.InfoContext(c.UserContext(), "sign-in linked", "user_id", v.account.ID, "provider", flow.Provider)
	return "linked", nil
}
