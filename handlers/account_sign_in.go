package handlers

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
)

// purposePath is the address that sends somebody who is signed in to a provider.
func (h *Handler) purposePath(c *fiber.Ctx, provider string, purpose auth.Purpose) string {
	query := url.Values{"purpose": {string(purpose)}, "locale": {pageLocale(c)}, "token": {h.Sessions.purposeToken(currentVisitor(c).token, purpose)}}
	return "/auth/" + provider + "?" + query.Encode()
}

// purposeOf is what a browser is sent to a provider for; "" to sign in. The address must come from a page of the very
// session that it is for: nobody else can add their own sign-in to an account, or have somebody begin to.
func (h *Handler) purposeOf(c *fiber.Ctx) (auth.Purpose, error) {
	if !c.Context().QueryArgs().Has("purpose") {
		return "", nil
	}
	v, purpose := currentVisitor(c), auth.Purpose(c.Query("purpose"))
	switch {
	case purpose != auth.Linking && purpose != auth.Confirming:
		return "", fault.Because(fault.Malformed, fault.SignInFailed)
	case v.account == nil:
		return "", fault.New(fault.Unauthenticated, nil)
	case !sameText(c.Query("token"), h.Sessions.purposeToken(v.token, purpose)):
		return "", fault.Because(fault.Forbidden, fault.TokenMissing)
	}
	return purpose, nil
}

// finishPurpose ends what somebody who is signed in went to a provider for. Whatever comes of it, they are back at
// their account and still signed in.
func (h *Handler) finishPurpose(c *fiber.Ctx, landed *landing) error {
	locale := landed.Locale
	if locale == "" {
		locale = pageLocale(c)
	}
	to := map[auth.Purpose]string{auth.Linking: "/account", auth.Confirming: "/account/delete"}[landed.Purpose]
	done, err := h.servePurpose(c, landed)
	if f := fault.Of(err); f != nil && f.Problem != "" {
		done, err = purposeFlash(f.Problem), nil
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, done)
	return leave(c, "/"+locale+to)
}

// servePurpose does it, and says what the next page tells.
func (h *Handler) servePurpose(c *fiber.Ctx, landed *landing) (flash string, err error) {
	if landed.userID == 0 || landed.userID != currentUserID(c) { // signed out meanwhile
		return "", fault.New(fault.Unauthenticated, nil)
	}
	if c.Query("error") == "access_denied" && sameText(c.Query("state"), landed.State) {
		return "sign_in_canceled", nil
	}
	query, err := answerOf(c)
	if err != nil {
		return "", err
	}
	if landed.Purpose == auth.Confirming {
		if err := h.Auth.Confirm(c.UserContext(), landed.userID, landed.Flow, query); err != nil {
			return "", err
		}
		return "confirmed", h.Sessions.prove(c)
	}
	already, err := h.Auth.Link(c.UserContext(), landed.userID, landed.Flow, query)
	if err != nil || already {
		return "already_linked", err
	}
	h.Site.Log.InfoContext(c.UserContext(), "sign-in linked", "user_id", landed.userID, "provider", landed.Provider)
	return "linked", nil
}

// purposeFlash is the message about what kept a provider's answer from being used.
func purposeFlash(problem fault.Problem) string {
	switch problem {
	case fault.IdentityTaken, fault.AddressTaken, fault.IdentityOther, fault.IdentityLimit:
		return string(problem)
	case fault.SignInExpired:
		return "purpose_expired"
	}
	return "purpose_failed"
}
