package handlers

import (
	"errors"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showLogin is GET /{locale}/login.
func (h *Handler) showLogin(c *fiber.Ctx) error {
	back := h.returnTo(c.Query("return_to"))
	if currentVisitor(c).account != nil {
		return leave(c, afterSignIn(back, pageLocale(c)))
	}
	data := pages.LoginData{Locale: pageLocale(c), ReturnTo: back}
	for _, p := range h.Auth.Providers() {
		data.Providers = append(data.Providers, pages.LoginProvider{Name: p.Name, Label: p.Label})
	}
	return h.render(c, fiber.StatusOK, "login.title", pages.Login(data))
}

// startSignIn is GET /auth/{provider}: it leaves the attempt, sealed, in this browser and sends it to the provider. With a
// purpose, somebody who is signed in goes there and comes back to their account.
func (h *Handler) startSignIn(c *fiber.Ctx) error {
	// goth's own handlers let the caller choose these; nobody who means well sends them.
	for _, name := range []string{"state", "code", "provider", "redirect_uri", "nonce", "code_verifier"} {
		if c.Context().QueryArgs().Has(name) {
			return fault.Because(fault.Malformed, fault.SignInFailed)
		}
	}
	h.ensureLocale(c)
	back := h.returnTo(c.Query("return_to"))
	purpose, err := h.purposeOf(c)
	if err != nil {
		return err
	}
	if purpose == auth.KindLink && !h.proved(c) {
		return leave(c, confirmPath(c, "/"+signInLocale(c)+"/account"))
	}
	waiting, joins := h.waitingFlow(c)
	if joins {
		purpose, back = auth.KindPending, waiting.ReturnTo
	}
	if currentVisitor(c).account != nil && purpose == "" {
		return leave(c, afterSignIn(back, pageLocale(c)))
	}
	target, flow, err := h.Auth.Begin(c.UserContext(), c.Params("provider"), signInLocale(c), purpose)
	if err != nil {
		return err
	}
	flow.ReturnTo, flow.Pending = back, waiting.Pending
	if purpose != "" && !joins {
		flow.Session = h.Sessions.purposeToken(currentVisitor(c).session, purpose)
	}
	if err := h.keepFlow(c, flow); err != nil {
		return err
	}
	return c.Redirect(target, fiber.StatusFound)
}

// finishSignIn is GET /auth/{provider}/callback. The flow's one try is taken before anything is checked. A browser that
// comes again, by the back button, a reload or a double click, is sent to the page that it wanted.
func (h *Handler) finishSignIn(c *fiber.Ctx) error {
	flow, ok := h.landedFlow(c)
	if !ok {
		if currentVisitor(c).account != nil {
			return leave(c, afterSignIn("", h.preferredLocale(c)))
		}
		return fault.Because(fault.Malformed, fault.SignInExpired)
	}
	first, err := h.Auth.UseFlow(c.UserContext(), flow)
	if err != nil {
		return err
	}
	if !first {
		return leave(c, flowTarget(flow))
	}
	if flow.Kind != "" && flow.Kind != auth.KindPending {
		return h.finishPurpose(c, flow)
	}
	if c.Query("error") == "access_denied" { // they changed their mind
		setFlash(c, h.Sessions.secure, "sign_in_canceled")
		return leave(c, "/"+flow.Locale+"/login?return_to="+url.QueryEscape(flow.ReturnTo))
	}
	query, err := answerOf(c)
	if err != nil {
		return err
	}
	in, err := h.Auth.Complete(c.UserContext(), flow, query)
	var held *auth.AddressInUseError
	if errors.As(err, &held) {
		return h.showHeld(c, flow, held)
	}
	if err != nil {
		return err
	}
	if err := h.Sessions.signIn(c.UserContext(), c, in); err != nil {
		return err
	}
	h.Site.Log.InfoContext(c.UserContext(), "signed in", "user_id", in.ID, "provider", flow.Provider)
	if flow.Pending != nil {
		if err := h.join(c, in, *flow.Pending); err != nil {
			return err
		}
	}
	return leave(c, flowTarget(flow))
}

// join adds the identity that was held back, and leaves word of what came of it.
func (h *Handler) join(c *fiber.Ctx, in auth.SignIn, join auth.PendingIdentity) error {
	flash, err := "linked", h.Auth.LinkPending(c.UserContext(), in, join)
	if f := fault.Of(err); f != nil && f.Problem == fault.IdentityOther {
		flash, err = "join_other", nil
	} else if f != nil && f.Problem != "" {
		flash, err = purposeFlash(f.Problem), nil
	}
	if err != nil {
		return err
	}
	setFlash(c, h.Sessions.secure, flash)
	return nil
}

// showHeld tells why a sign-in opened nothing. Where its owner can sign in the old way, the page leads there, and the
// identity waits in the flow meanwhile.
func (h *Handler) showHeld(c *fiber.Ctx, flow auth.Flow, held *auth.AddressInUseError) error {
	h.setLocale(c, flow.Locale)
	data := pages.HeldData{Locale: flow.Locale, Email: held.Pending.Email, Provider: h.providerLabel(flow.Provider)}
	if len(held.Providers) > 0 {
		flow.Pending = &held.Pending
		if err := h.keepFlow(c, flow); err != nil {
			return err
		}
	}
	for _, way := range held.Providers {
		query := url.Values{"locale": {flow.Locale}, "join": {flow.State}}
		data.Ways = append(data.Ways, pages.Linkable{Name: way.Name, Label: way.Label, URL: "/auth/" + way.Name + "?" + query.Encode()})
	}
	return h.render(c, fiber.StatusConflict, "held.title", pages.Held(data))
}

// flowTarget is the page on which a flow ends well.
func flowTarget(flow auth.Flow) string {
	if page, ok := purposePages[flow.Kind]; ok && flow.ReturnTo == "" {
		return "/" + flow.Locale + page
	}
	return afterSignIn(flow.ReturnTo, flow.Locale)
}

// answerOf is what a provider sent with the browser.
func answerOf(c *fiber.Ctx) (url.Values, error) {
	query, err := url.ParseQuery(string(c.Context().QueryArgs().QueryString()))
	if err != nil {
		return nil, fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return query, nil
}

func afterSignIn(back, locale string) string {
	if back != "" {
		return back
	}
	return "/" + locale + "/billing"
}

// signInLocale is the language of the page on which somebody chose to sign in.
func signInLocale(c *fiber.Ctx) string {
	if asked := c.Query("locale"); asked == "de" || asked == "en" {
		return asked
	}
	return pageLocale(c)
}
