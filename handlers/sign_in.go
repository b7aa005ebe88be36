package handlers

import (
	"errors"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/views/pages"
)

// showLogin is GET /{locale}/login.
func (h *Handler) showLogin(c *fiber.Ctx) error {
	back := h.returnTo(c.Query("return_to"))
	if currentVisitor(c).account != nil {
		return redirect(c, h.afterSignIn(back, pageLocale(c)))
	}
	data := pages.LoginData{Locale: pageLocale(c), ReturnTo: back}
	for _, p := range h.Auth.Providers() {
		data.Providers = append(data.Providers, pages.LoginProvider{Name: p.Name, Label: p.Label})
	}
	return h.render(c, fiber.StatusOK, "login.title", pages.Login(data))
}

// startSignIn is GET /auth/{provider}: it seals a flow into a cookie and redirects to the provider. A kind of flow
// links an identity or reauthenticates the signed-in user.
func (h *Handler) startSignIn(c *fiber.Ctx) error {
	// goth reads these from the query string; honest callers never send them.
	for _, name := range []string{"state", "code", "provider", "redirect_uri", "nonce", "code_verifier"} {
		if c.Context().QueryArgs().Has(name) {
			return fault.Because(fault.Malformed, fault.SignInFailed)
		}
	}
	h.ensureLocale(c)
	back := h.returnTo(c.Query("return_to"))
	kind, err := h.parseFlowKind(c)
	if err != nil {
		return err
	}
	if kind == auth.KindLink && !h.reauthenticated(c) {
		return redirect(c, confirmPath(c, "/"+signInLocale(c)+"/account"))
	}
	waiting, joins := h.joinFlow(c)
	if joins {
		kind, back = auth.KindPending, waiting.ReturnTo
	}
	if currentVisitor(c).account != nil && kind == "" {
		return redirect(c, h.afterSignIn(back, pageLocale(c)))
	}
	target, flow, err := h.Auth.Begin(c.UserContext(), c.Params("provider"), signInLocale(c), kind)
	if err != nil {
		return err
	}
	flow.ReturnTo, flow.Pending = back, waiting.Pending
	if kind != "" && !joins {
		flow.Session = h.Sessions.flowToken(currentVisitor(c).session, kind)
	}
	if err := h.storeFlow(c, flow); err != nil {
		return err
	}
	return c.Redirect(target, fiber.StatusFound)
}

// finishSignIn is GET /auth/{provider}/callback. It claims the flow before any check, so that each flow is tried
// once. A repeated callback (back button, reload, double click) redirects to the requested page.
func (h *Handler) finishSignIn(c *fiber.Ctx) error {
	flow, ok := h.callbackFlow(c)
	if !ok {
		if currentVisitor(c).account != nil {
			return redirect(c, h.afterSignIn("", h.preferredLocale(c)))
		}
		return fault.Because(fault.Malformed, fault.SignInExpired)
	}
	first, err := h.Auth.UseFlow(c.UserContext(), flow)
	if err != nil {
		return err
	}
	if !first {
		return redirect(c, h.flowTarget(flow))
	}
	if flow.Kind != "" && flow.Kind != auth.KindPending {
		return h.finishUserFlow(c, flow)
	}
	if c.Query("error") == "access_denied" { // the user canceled
		return h.redirectWithFlash(c, "/"+flow.Locale+"/login?return_to="+url.QueryEscape(flow.ReturnTo), "sign_in_canceled")
	}
	query, err := callbackQuery(c)
	if err != nil {
		return err
	}
	in, err := h.Auth.Complete(c.UserContext(), flow, query)
	if held, ok := errors.AsType[*auth.AddressInUseError](err); ok {
		return h.showHeldSignIn(c, flow, held)
	}
	if err != nil {
		return err
	}
	if err := h.Sessions.signIn(c.UserContext(), c, in); err != nil {
		return err
	}
	h.Site.Log.InfoContext(c.UserContext(), "signed in", "user_id", in.ID, "provider", flow.Provider)
	if flow.Pending != nil {
		return h.redirectAfter(c, h.flowTarget(flow), h.Auth.LinkPending(c.UserContext(), in, *flow.Pending), "linked")
	}
	return redirect(c, h.flowTarget(flow))
}

// showHeldSignIn explains why a sign-in opened no account. When its owner can sign in the old way, the page links
// there and the identity waits in the flow.
func (h *Handler) showHeldSignIn(c *fiber.Ctx, flow auth.Flow, held *auth.AddressInUseError) error {
	h.setLocale(c, flow.Locale)
	data := pages.HeldData{Locale: flow.Locale, Email: held.Pending.Email, Provider: h.providerLabel(flow.Provider)}
	if len(held.Providers) > 0 {
		flow.Pending = &held.Pending
		if err := h.storeFlow(c, flow); err != nil {
			return err
		}
	}
	for _, p := range held.Providers {
		query := url.Values{"locale": {flow.Locale}, "join": {flow.State}}
		data.Providers = append(data.Providers, pages.Linkable{Name: p.Name, Label: p.Label,
			URL: "/auth/" + p.Name + "?" + query.Encode()})
	}
	return h.render(c, fiber.StatusConflict, "held.title", pages.Held(data))
}

// flowTarget returns the page on which a flow ends.
func (h *Handler) flowTarget(flow auth.Flow) string {
	if page, ok := flowPages[flow.Kind]; ok && flow.ReturnTo == "" {
		return "/" + flow.Locale + page
	}
	return h.afterSignIn(flow.ReturnTo, flow.Locale)
}

// callbackQuery returns the provider's callback parameters.
func callbackQuery(c *fiber.Ctx) (url.Values, error) {
	query, err := url.ParseQuery(string(c.Context().QueryArgs().QueryString()))
	if err != nil {
		return nil, fault.Because(fault.Malformed, fault.SignInFailed)
	}
	return query, nil
}

// afterSignIn returns where a sign-in leads: to the page back, by way of handOver if the gate's own host has it.
func (h *Handler) afterSignIn(back, locale string) string {
	switch {
	case back == "":
		return "/" + locale + "/billing"
	case h.Site.gateHost != "" && h.gatePage(back) != "":
		return gate.HandoverPath + "?return_to=" + url.QueryEscape(back)
	}
	return back
}

// signInLocale returns the language of the page that started the sign-in.
func signInLocale(c *fiber.Ctx) string {
	if locale := c.Query("locale"); models.KnownLocale(locale) {
		return locale
	}
	return pageLocale(c)
}
