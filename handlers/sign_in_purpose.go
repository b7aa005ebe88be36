package handlers

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
)

// purposePath returns the address that sends a signed-in user to a provider.
func (h *Handler) purposePath(c *fiber.Ctx, provider string, purpose auth.FlowKind, back string) string {
	query := url.Values{"purpose": {string(purpose)}, "locale": {pageLocale(c)},
		"token": {h.Sessions.purposeToken(currentVisitor(c).session, purpose)}}
	if back != "" {
		query.Set("return_to", back)
	}
	return "/auth/" + provider + "?" + query.Encode()
}

// purposeOf returns why a signed-in user goes to a provider; "" for a plain sign-in. The token ties the address to a
// page of the same session, so that no one else can link an identity or start to.
func (h *Handler) parsePurpose(c *fiber.Ctx) (auth.FlowKind, error) {
	if !c.Context().QueryArgs().Has("purpose") {
		return "", nil
	}
	v, purpose := currentVisitor(c), auth.FlowKind(c.Query("purpose"))
	switch {
	case purpose != auth.KindLink && purpose != auth.KindReauthenticate:
		return "", fault.Because(fault.Malformed, fault.SignInFailed)
	case v.account == nil:
		return "", fault.New(fault.Unauthenticated, nil)
	case !h.Sessions.goodPurposeToken(v.session, purpose, c.Query("token")):
		return "", fault.Because(fault.Forbidden, fault.TokenMissing)
	}
	return purpose, nil
}

// purposePages are the pages on which purposes end by default.
var purposePages = map[auth.FlowKind]string{auth.KindLink: "/account", auth.KindReauthenticate: "/account/delete"}

// finishPurpose completes the purpose of a signed-in user's flow. Whatever the result, the user stays signed in and
// returns to the account.
func (h *Handler) finishPurpose(c *fiber.Ctx, flow auth.Flow) error {
	done, err := h.completePurpose(c, flow)
	if f := fault.Of(err); f != nil && f.Problem != "" {
		done, err = purposeFlash(f.Problem), nil
	}
	if err != nil {
		return err
	}
	return h.redirectWithFlash(c, flowTarget(flow), done)
}

// completePurpose carries out the purpose and returns the name of the message.
func (h *Handler) completePurpose(c *fiber.Ctx, flow auth.Flow) (flash string, err error) {
	v := currentVisitor(c)
	switch {
	case v.account == nil: // signed out since
		return "", fault.New(fault.Unauthenticated, nil)
	case !h.Sessions.goodPurposeToken(v.session, flow.Kind, flow.Session): // another session since
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

// purposeFlash returns the message for a provider's refused answer.
func purposeFlash(problem fault.Problem) string {
	switch problem {
	case fault.IdentityTaken, fault.AddressTaken, fault.IdentityOther, fault.IdentityLimit, fault.NotPresent:
		return string(problem)
	case fault.SignInExpired:
		return "purpose_expired"
	}
	return "purpose_failed"
}
