package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/views/components"
)

// Limits of the bodies on their way to Resume Matcher.
const (
	uploadTimeout  = 120 * time.Second // to send a body of more than formLimit
	uploadBytes    = 128 << 20         // of all bodies in flight
	networkUploads = 64 << 20          // of those, per IPv6 /48 network, which may be a whole university
	userUploads    = 24 << 20          // of those, per user, from however many networks
)

// gatePolicy is the Content-Security-Policy of Resume Matcher's pages, which have inline scripts and styles.
const gatePolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; " +
	"frame-ancestors 'none'; base-uri 'self'; form-action 'self'"

// maxLoggedPath is how much of a path without a rule is logged, in bytes.
const maxLoggedPath = 200

// localRule is the request's rule in the gate's table.
const localRule = "gate_rule"

// newGate returns the server of every path that belongs to Resume Matcher.
func (h *Handler) newGate(config fiber.Config) *fiber.App {
	h.uploads = &transport.Budget{Total: uploadBytes, Share: networkUploads, UserShare: userUploads}
	app := fiber.New(config)
	h.useFirst(app, 0)
	app.Use(h.secureGate, refuseUpgrade, refuseEncoded, h.matchRule, h.admitVisitor, h.admitOrigin, h.awaitReady,
		h.readUpload, h.forward)
	return app
}

// ownSegments are the first segments of our own paths; all others belong to Resume Matcher.
var ownSegments = append([]string{"auth", "credits", "dev", "healthz", "logout", "metrics", "readyz",
	"robots.txt", "static"},
	components.Languages()...)

// ownCalls are the second segments of our own API.
var ownCalls = []string{"checkout", "credits", "docs", "features", "openapi.json", "packages", "stripe"}

// isOwn reports whether a path is ours while the gate is on.
func isOwn(path string) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "api" {
		call, _, _ := strings.Cut(rest, "/")
		return slices.Contains(ownCalls, call)
	}
	return slices.Contains(ownSegments, first)
}

// inGate reports whether a request is for Resume Matcher.
func (h *Handler) inGate(c *fiber.Ctx) bool { return h.forGate(hostOf(c), c.Path()) }

// canonicalPath replaces the request's target by its one accepted spelling, which is then routed and forwarded.
func canonicalPath(r *fasthttp.RequestCtx) error {
	path, query, err := routes.Canonical(string(r.Request.Header.RequestURI()))
	if err != nil {
		return err
	}
	target := string(path)
	if query != "" {
		target += "?" + query
	}
	r.Request.SetRequestURI(target)
	return nil
}

// uploadTime gives large bodies more time to arrive.
func (h *Handler) uploadTime(header *fasthttp.RequestHeader) (limits fasthttp.RequestConfig) {
	if header.IsGet() {
		return limits // it has no body
	}
	path, _, err := routes.Canonical(string(header.RequestURI()))
	if err != nil || !h.forGate(string(header.Host()), string(path)) {
		return limits
	}
	if rule, err := h.Gate.Routes.Match(string(header.Method()), path); err == nil && rule.BodyLimit > formLimit {
		limits.ReadTimeout = uploadTimeout
	}
	return limits
}

// secureGate sets the headers of everything that Resume Matcher answers.
func (h *Handler) secureGate(c *fiber.Ctx) error {
	h.writeSecurityHeaders(c)
	c.Set(fiber.HeaderContentSecurityPolicy, gatePolicy)
	return c.Next()
}

// refuseUpgrade refuses WebSockets and the like, which nothing behind the gate speaks.
func refuseUpgrade(c *fiber.Ctx) error {
	if c.Get(fiber.HeaderUpgrade) != "" {
		return fault.New(fault.Malformed, nil)
	}
	return c.Next()
}

// matchRule finds the request's rule in the table.
func (h *Handler) matchRule(c *fiber.Ctx) error {
	rule, err := h.Gate.Routes.Match(c.Method(), routes.Path(c.Path()))
	if errors.Is(err, routes.ErrUnlisted) && isAPI(c) {
		h.Site.Log.WarnContext(c.UserContext(), "route of Resume Matcher has no rule", "method", c.Method(),
			"path", c.Path()[:min(len(c.Path()), maxLoggedPath)])
	}
	if err != nil {
		return err
	}
	c.Locals(localRule, rule)
	return c.Next()
}

func ruleOf(c *fiber.Ctx) *routes.Rule {
	rule, _ := c.Locals(localRule).(*routes.Rule)
	return rule
}

// admitVisitor requires a session, or an admin's, as the rule says.
func (h *Handler) admitVisitor(c *fiber.Ctx) error {
	rule := ruleOf(c)
	if rule.Kind == routes.Open && !h.Gate.PerTenant() {
		return c.Next()
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), requestBudget)
	c.SetUserContext(ctx)
	err := h.identifyVisitor(c)
	cancel()
	c.SetUserContext(context.WithoutCancel(c.UserContext())) // what follows has limits of its own
	if err != nil {
		return err
	}
	switch v := currentVisitor(c); {
	case v.account != nil && (v.account.Admin || rule.Kind != routes.Operator):
		return c.Next()
	case v.account != nil:
		return fault.Because(fault.Forbidden, fault.OperatorOnly)
	case isAPI(c) || prefetches(c):
		return fault.New(fault.Unauthenticated, nil)
	case h.atGate(c):
		return h.askForCode(c, c.OriginalURL())
	case c.Path() == "/": // a newcomer first reads what this is
		return h.pickLocale(c)
	}
	h.ensureLocale(c) // Resume Matcher's paths name none
	return redirect(c, h.signInPage(c))
}

// admitOrigin requires the page's own origin for everything but reading: a browser sends it, and a cookie alone may be
// abused by a page of another site.
func (h *Handler) admitOrigin(c *fiber.Ctx) error {
	if c.Method() == fiber.MethodGet || h.ownOrigin(c.Get(fiber.HeaderOrigin), hostOf(c)) {
		return c.Next()
	}
	return fault.Because(fault.Forbidden, fault.CrossSite)
}

// awaitReady refuses while Resume Matcher is closed. It runs after admitVisitor, so a stranger makes us ask only by an
// open route, and AddOn bounds how often.
func (h *Handler) awaitReady(c *fiber.Ctx) error {
	tenant := ""
	if account := currentVisitor(c).account; account != nil {
		tenant = account.TenantID
	}
	if err := h.Gate.Ready(c.UserContext(), tenant); err != nil {
		h.recordOutcome(c, nil, err)
		return err
	}
	return c.Next()
}

// readUpload reads the body, now that its sender is known.
func (h *Handler) readUpload(c *fiber.Ctx) error {
	return h.readBodyInto(c, h.uploads, ruleOf(c).BodyLimit)
}

// gateEnvelope is an API error as Resume Matcher's pages read it: they show detail, or the first 200 bytes.
type gateEnvelope struct {
	Detail string `json:"detail"`
	envelope
}

// answerGate sends the error of a request to Resume Matcher. Next.js prefetches pages and does not read what it cannot
// use, so that a body would keep the connection busy.
func (h *Handler) answerGate(c *fiber.Ctx, f *fault.Error, status int) error {
	switch {
	case f.Code == fault.InsufficientCredits && c.Get("Sec-Fetch-Mode") == "navigate": // a form without scripts
		c.Set(fiber.HeaderContentSecurityPolicy, h.Site.policy)
		return h.renderShortage(c, f, status)
	case isAPI(c):
		e := h.envelope(c.UserContext(), requestID(c), f)
		return c.JSON(gateEnvelope{Detail: e.Error.Message, envelope: e})
	case prefetches(c):
		return nil
	}
	c.Set(fiber.HeaderContentSecurityPolicy, h.Site.policy)
	return h.renderError(c, f, status)
}

// prefetches reports whether Next.js asks for the data of a page, for now or for later.
func prefetches(c *fiber.Ctx) bool { return c.Context().QueryArgs().Has("_rsc") }

// requestHeader copies the headers of the request that reach Resume Matcher.
func requestHeader(c *fiber.Ctx) http.Header {
	header := http.Header{}
	for name, value := range c.Request().Header.All() {
		if gate.Upward(string(name)) {
			header.Add(string(name), string(value))
		}
	}
	return header
}
