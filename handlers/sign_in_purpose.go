package handlers

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
)

// purposePath is the address that sends somebody who is signed in to a provider.
func (h *Handler) purposePath(c *fiber.Ctx, provider string, purpose auth.FlowKind, back string) string {
	query := url.Values{"purpose": {string(purpose)}, "locale": {pageLocale(c)}, "token": {h.Sessions.purposeToken(currentVisitor(c).session, purpose)}}
	if back != "" {
		query.Set("return_to", back)
	}
	return "/auth/" + provider + "?" + query.Encode()
}

// purposeOf is what a browser is sent to a provider for; "" to sign in. The address must come from a page of the very
// session that it is for: nobody else can add their own sign-in to an account, or have somebody begin to.
func (h *Handler) purposeOf(c *fiber.Ctx) (auth.FlowKind, error) {
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

// purposePages are where those who went to a provider for something come back to.
var purposePages = map[auth.FlowKind]string{auth.KindLink: "/account", auth.KindReauthenticate: "/account/delete"}

// finishPurpose ends what somebody who is signed in went to a provider for. Whatever comes of it, they are back at
// their account and still signed in.
func (h *Handler) finishPurpose(c *fiber.Ctx, flow auth.Flow) error {
	done, err := h.servePurpose(c, flow)
	if f := fault.Of(err); f != nil && f.Problem != "" {
		done, err = purposeFlash(f.Problem), nil
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, done)
	return leave(c, flowTarget(flow))
}

// servePurpose does it, and says what the next page tells.
func (h *Handler) servePurpose(c *fiber.Ctx, flow auth.Flow) (flash string, err error) {
	v := currentVisitor(c)
	switch {
	case v.account == nil: // signed out meanwhile
		return "", fault.New(fault.Unauthenticated, nil)
	case !h.Sessions.goodPurposeToken(v.session, flow.Kind, flow.Session): // signed in anew meanwhile
		return "purpose_session", nil
	}
	if c.Query("error") == "access_denied" {
		return "sign_in_canceled", nil
	}
	query, err := answerOf(c)
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

// purposeFlash is the message about what kept a provider's answer from being used.
func purposeFlash(problem fault.Problem) string {
	switch problem {
	case fault.IdentityTaken, fault.AddressTaken, fault.IdentityOther, fault.IdentityLimit, fault.NotPresent:
		return string(problem)
	case fault.SignInExpired:
		return "purpose_expired"
	}
	return "purpose_failed"
}
