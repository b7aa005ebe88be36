package handlers

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/limit"
)

// Resume Matcher's pages may have a host of their own, Site.GateURL: on ours, a script in one of them could use
// everything that its user may use. The Host header alone decides; every other host is ours.

// plainHost returns a host as browsers send it: in lower case and without its scheme's own port.
func plainHost(scheme, host string) string {
	port := ":80"
	if scheme == "https" {
		port = ":443"
	}
	return strings.TrimSuffix(strings.ToLower(host), port)
}

// findHosts parses GateURL for atGate and almostGate.
func (s *Site) findHosts() {
	if u, err := url.Parse(s.GateURL); err == nil && s.GateURL != "" {
		s.gateHost, s.gateName, s.gateScheme = plainHost(u.Scheme, u.Host), u.Hostname(), u.Scheme
	}
}

// atGate reports whether a host is the gate's own.
func (s *Site) atGate(host string) bool {
	return s.gateHost != "" && plainHost(s.gateScheme, host) == s.gateHost
}

// almostGate reports whether a host is the gate's with another port or a dot at its end. Browsers share the gate's
// cookies with the one and treat the other as a third host, so requests to both are refused.
func (s *Site) almostGate(host string) bool {
	if s.gateHost == "" || s.atGate(host) {
		return false
	}
	u := url.URL{Host: strings.ToLower(host)}
	return strings.TrimSuffix(u.Hostname(), ".") == s.gateName
}

// forGate reports whether a request is for Resume Matcher.
func (h *Handler) forGate(host, path string) bool {
	return h.Gate != nil && !isOwn(path) && (h.Site.gateHost == "" || h.Site.atGate(host))
}

// atGate reports whether a request came to the gate's own host.
func (h *Handler) atGate(c *fiber.Ctx) bool { return h.Site.atGate(hostOf(c)) }

// hostOf returns the Host header.
func hostOf(c *fiber.Ctx) string { return string(c.Request().Header.Host()) }

// gateAddress returns the address of one of Resume Matcher's pages.
func (h *Handler) gateAddress(path string) string { return h.Site.GateURL + path }

// ownAddress returns the address of one of our pages, also for a page of the gate's own host.
func (h *Handler) ownAddress(path string) string {
	if h.Site.gateHost == "" {
		return path
	}
	return h.Site.AppURL + path
}

// matcherAddress returns the address of Resume Matcher, "" if there is none.
func (h *Handler) matcherAddress() string {
	if h.Gate == nil {
		return ""
	}
	return h.gateAddress("/")
}

// redirectToGate redirects from our host to the page of Resume Matcher with this path.
func (h *Handler) redirectToGate(c *fiber.Ctx) error {
	page := h.gatePage(c.OriginalURL())
	if page == "" {
		return notFound(c)
	}
	return redirect(c, h.gateAddress(page))
}

// redirectHome redirects from the gate's own host to our page with this path, which error pages link to.
func (h *Handler) redirectHome(c *fiber.Ctx) error {
	page := h.returnTo(c.OriginalURL())
	if page == "" {
		return notFound(c)
	}
	return redirect(c, h.ownAddress(page))
}

// newGateSide returns the server of our few paths at the gate's own host: what Resume Matcher's pages embed, the end of
// a hand-over, and the links of error pages.
func (h *Handler) newGateSide(config fiber.Config) *fiber.App {
	app := fiber.New(config)
	h.useFirst(app, requestBudget)
	app.Use(h.secure)
	app.Get("/static/*", showStatic)
	app.Get(embedPath, showEmbed)
	app.Use(h.readBody(formLimit), refuseEncoded)
	app.Get(localePattern, h.redirectHome)
	app.Get(localePattern+"/*", h.redirectHome)
	app.Use(h.loadVisitor)
	app.Get(embedStatePath, h.requireUser, h.sendEmbedState)
	app.Get(gate.SessionPath, h.limit(limit.SignInReturn), h.openGateSession)
	app.Use(notFound)
	return app
}
