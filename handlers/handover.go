package handlers

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/views/pages"
)

// A sign-in at our host is handed over to the gate's own host by a code:
//
//	gate's host  a page without a session: leaves a verifier in a cookie, redirects with its challenge (askForCode)
//	our host     gate.HandoverPath: signs in if need be, redirects with a code for this challenge (handOver)
//	gate's host  gate.SessionPath: redeems the code with the verifier, sets the cookie, redirects to the page (openGateSession)
//
// The code is in an address once: it is used up when it arrives, no page is shown there that could send it on as a
// Referer, no log has query strings, and a browser keeps no redirect in its history.

// Cookies of the gate's own host.
const (
	gateCookie     = "gate"     // the key of a session there
	verifierCookie = "verifier" // what a code is issued for
)

// gatePage returns address when it is one of Resume Matcher's pages, and "" otherwise.
func (h *Handler) gatePage(address string) string {
	address = h.returnTo(address)
	if path, _, _ := strings.Cut(address, "?"); isOwn(path) {
		return ""
	}
	return address
}

// askForCode redirects a visitor of the gate's own host to ours, and back to one of Resume Matcher's pages.
func (h *Handler) askForCode(c *fiber.Ctx, page string) error {
	name := h.Sessions.cookieName(verifierCookie)
	verifier := c.Cookies(name)
	if !auth.GoodVerifier(verifier) { // tabs share it
		verifier = auth.NewVerifier()
	}
	h.Sessions.setCookie(c, name, verifier, int(auth.FlowLife.Seconds()))
	query := url.Values{"challenge": {auth.Challenge(verifier)}, "return_to": {cmp.Or(h.gatePage(page), "/")}}
	return redirect(c, h.Site.AppURL+gate.HandoverPath+"?"+query.Encode())
}

// handOver is GET /auth/resume-matcher at our host: it redirects to the gate's, with a code if that has asked for one.
func (h *Handler) handOver(c *fiber.Ctx) error {
	h.ensureLocale(c)
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	page, challenge := h.gatePage(c.Query("return_to")), c.Query("challenge")
	v := currentVisitor(c)
	switch {
	case page == "" || challenge != "" && !auth.GoodVerifier(challenge):
		return fault.Because(fault.Malformed, fault.SignInFailed)
	case challenge == "":
		return h.showLeave(c, h.gateAddress(page))
	case v.account == nil && page == "/": // as without a host of its own
		return h.pickLocale(c)
	case v.account == nil:
		return redirect(c, pages.SignInAndBack(pageLocale(c), page))
	}
	code, err := h.Sessions.rows.IssueCode(c.UserContext(), v.session, challenge, page)
	if err != nil {
		return err
	}
	return redirect(c, h.gateAddress(gate.SessionPath+"?code="+code))
}

// showLeave leads to Resume Matcher after a sign-in. A redirect would not do: browsers hold it against the form-action
// of the provider's form, which knows our host only.
func (h *Handler) showLeave(c *fiber.Ctx, address string) error {
	c.Set("Refresh", "0; url="+address)
	return h.render(c, fiber.StatusOK, "leave.title", pages.Leave(address))
}

// openGateSession is GET /credits/session at the gate's own host: it redeems a code, or asks for one.
func (h *Handler) openGateSession(c *fiber.Ctx) error {
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	code := c.Query("code")
	if code == "" {
		return h.askForCode(c, c.Query("return_to"))
	}
	opened, err := h.Sessions.rows.RedeemCode(c.UserContext(), code, c.Cookies(h.Sessions.cookieName(verifierCookie)))
	if fault.Is(err, fault.Malformed) && currentVisitor(c).account != nil { // the back button
		return redirect(c, "/")
	}
	if err != nil {
		return err
	}
	h.Sessions.setCookie(c, h.Sessions.cookieName(gateCookie), opened.Key, int(time.Until(opened.ExpiresAt).Seconds()))
	return redirect(c, opened.ReturnTo)
}

// loadSession returns the live session of this browser at this host, and its user's account; nil without one.
func (h *Handler) loadSession(c *fiber.Ctx) (*auth.SignedIn, error) {
	if h.atGate(c) {
		return h.Sessions.rows.LoadGate(c.UserContext(), c.Cookies(h.Sessions.cookieName(gateCookie)))
	}
	return h.Sessions.rows.Load(c.UserContext(), c.Cookies(h.Sessions.cookie()))
}
