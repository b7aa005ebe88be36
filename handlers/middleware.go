package handlers

import (
	"context"
	"crypto/rand"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover" //nolint:predeclared // its package's name

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
	"github.com/resume-matcher/credits/services/logging"
)

// requestBudget bounds everything that a request waits for: locks, the database, Stripe. Fiber does not notice when a
// client disconnects.
const requestBudget = 9 * time.Second

const (
	localVisitor   = "visitor"
	localRequestID = "request_id"
	localLocale    = "locale"
)

// useFirst registers what every request passes first: its identity, and the containment of panics, in it and around it.
func (h *Handler) useFirst(app *fiber.App, budget time.Duration) {
	app.Use(recover.New(), h.identifyRequest(budget),
		recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: h.logPanic}))
}

// identifyRequest gives the request an id, its line in the access log and, unless budget is 0, a deadline.
func (h *Handler) identifyRequest(budget time.Duration) fiber.Handler {
	return func(c *fiber.Ctx) error {
		id := assignRequestID(c)
		ctx := models.WithActor(logging.WithRequestID(context.Background(), id),
			models.Actor{RequestID: id, Source: h.source(c)})
		ctx, span := h.startSpan(ctx, c)
		if budget > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, budget)
			defer cancel()
		}
		c.SetUserContext(ctx)

		began := time.Now()
		err := c.Next()
		if err != nil { // answered here, so that the access log knows the status
			err = h.handleError(c, err)
		}
		h.logRequest(c, routeOf(c), began)
		endSpan(c, span)
		return err
	}
}

// assignRequestID creates the request's id.
func assignRequestID(c *fiber.Ctx) string {
	// Base32 has no 0, 1, 8 and 9: Resume Matcher's pages take 401 and 429 anywhere in an error for its cause.
	id := "req_" + strings.ToLower(rand.Text())
	c.Locals(localRequestID, id)
	c.Set(fiber.HeaderXRequestID, id)
	return id
}

// requestIDs matches the whole id of a request.
var requestIDs = regexp.MustCompile(`^req_[a-z2-7]{26}$`)

// secure sets the security headers.
func (h *Handler) secure(c *fiber.Ctx) error {
	h.writeSecurityHeaders(c)
	return c.Next()
}

// contentPolicy allows resources of our own origin only. Forms may also redirect to Stripe, because browsers apply
// form-action to redirects.
func contentPolicy(formTargets []string) string {
	return strings.Join(
		append(
			[]string{"default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; img-src 'self' data:; manifest-src 'self'; " +
				"object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"}, formTargets...), " ")
}

// permissionsPolicy denies every browser feature that our pages do not use. It names only features that browsers
// know, because unknown ones print warnings.
// Source: https://github.com/w3c/webappsec-permissions-policy/blob/main/features.md
const permissionsPolicy = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), " +

	"display-capture=(), encrypted-media=(), fullscreen=(), gamepad=(), geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), " +

	"idle-detection=(), keyboard-map=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), otp-credentials=(), payment=(), " +

	"picture-in-picture=(), publickey-credentials-create=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), storage-access=(), " +

	"sync-xhr=(), usb=(), window-management=(), xr-spatial-tracking=()"

// writeSecurityHeaders also serves requests that are refused before any middleware runs.
func (h *Handler) writeSecurityHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, h.Site.policy)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "strict-origin-when-cross-origin")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderPermissionsPolicy, permissionsPolicy)
	c.Set(fiber.HeaderCacheControl, "no-store")
	if strings.HasPrefix(h.Site.AppURL, "https://") {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=63072000; includeSubDomains")
	}
}

// sameOrigin refuses requests that another site's page makes a browser send. Programs other than browsers send
// neither header and no cookies.
// Source: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
func (h *Handler) sameOrigin(c *fiber.Ctx) error {
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		return c.Next()
	}
	if currentVisitor(c).key != nil {
		return c.Next()
	}
	if site := c.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return fault.Because(fault.Forbidden, fault.CrossSite)
	}
	if origin := c.Get(fiber.HeaderOrigin); origin != "" && !h.ownOrigin(origin, string(c.Request().Host())) {
		return fault.Because(fault.Forbidden, fault.CrossSite)
	}
	return c.Next()
}

func (h *Handler) ownOrigin(origin, host string) bool {
	if origin == h.Site.AppURL && !h.Site.atGate(host) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == host
}

// loadVisitor loads the session and its user, unless a service key has identified a program.
func (h *Handler) loadVisitor(c *fiber.Ctx) error {
	if currentVisitor(c).key == nil {
		if err := h.identifyVisitor(c); err != nil {
			return err
		}
	}
	return c.Next()
}

// identifyVisitor loads the session and its user. An unknown cookie counts as anonymous.
func (h *Handler) identifyVisitor(c *fiber.Ctx) error {
	v := &visitor{}
	c.Locals(localVisitor, v)
	found, err := h.loadSession(c)
	if err != nil || found == nil {
		return err
	}
	session, account := &found.Session, &found.Account
	if account.Staff() && h.Sessions.rows.Idle(session, auth.AdminIdle) {
		return h.Sessions.rows.End(c.UserContext(), account.ID, session.KeyHash) // signed out
	}
	if err := h.Sessions.rows.Touch(c.UserContext(), session); err != nil {
		return err
	}
	v.account, v.session = account, session
	if !h.atGate(c) {
		v.forms = h.Sessions
	}
	actAs(c, func(a *models.Actor) { a.UserID = account.ID })
	return nil
}

func currentVisitor(c *fiber.Ctx) *visitor {
	if v, ok := c.Locals(localVisitor).(*visitor); ok {
		return v
	}
	return &visitor{}
}

// currentUser returns the signed-in user. Call it behind requireUser only.
func currentUser(c *fiber.Ctx) models.User { return currentVisitor(c).account.User }

// currentUserID returns 0 for anonymous visitors.
func currentUserID(c *fiber.Ctx) int64 {
	if v := currentVisitor(c); v.account != nil {
		return v.account.ID
	}
	return 0
}

func requestID(c *fiber.Ctx) string {
	id, _ := c.Locals(localRequestID).(string)
	return id
}

// requireUser redirects anonymous visitors to the sign-in page and refuses programs, such as the script in Resume
// Matcher's pages, which cannot follow a redirect to our host. answerError redirects forms and htmx.
func (h *Handler) requireUser(c *fiber.Ctx) error {
	if currentVisitor(c).account != nil {
		return c.Next()
	}
	if isAPI(c) || c.Method() != fiber.MethodGet || wantsFragment(c) || h.atGate(c) {
		return fault.New(fault.Unauthenticated, nil)
	}
	return redirect(c, h.signInPage(c))
}

// requireStaff admits admins, and helpers to what helpersMay lists. It answers 404 to users, 403 to helpers, and writes
// an audit entry for the attempt. Anonymous visitors are sent to sign in, as an admin with an expired session must be.
func (h *Handler) requireStaff(c *fiber.Ctx) error {
	v := currentVisitor(c)
	switch {
	case v.account == nil:
		return h.requireUser(c)
	case v.account.Admin:
		actAs(c, func(a *models.Actor) { a.AdminID = v.account.ID })
		return c.Next()
	case v.account.Helper && helpersMay(c):
		return c.Next()
	}
	err := h.Limits.Allow(c.UserContext(), limit.DeniedLine, limit.User(v.account.ID))
	if err == nil {
		err = h.Admin.AuditDenied(c.UserContext(), v.account.ID, c.Method(), c.Path())
	}
	switch {
	case err != nil && !fault.Is(err, fault.RateLimited):
		return err
	case v.account.Helper:
		return fault.Because(fault.Forbidden, fault.AdminsOnly)
	}
	return fault.New(fault.NotFound, nil)
}

// helpersMay reports whether helpers may send the request: they read the areas of helperAreas and change nothing.
func helpersMay(c *fiber.Ctx) bool {
	if c.Method() != fiber.MethodGet && c.Method() != fiber.MethodHead {
		return false
	}
	rest := strings.TrimPrefix(c.Path(), "/"+pageLocale(c)+"/admin")
	if rest == "" || rest == "/" {
		return true
	}
	area, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return slices.Contains(helperAreas, area)
}

// readOnly reports whether the visitor may read the admin area and change nothing.
func readOnly(c *fiber.Ctx) bool { return !currentVisitor(c).account.Admin }

// actAs updates the request's actor.
func actAs(c *fiber.Ctx, change func(*models.Actor)) {
	a := models.ActorOf(c.UserContext())
	change(&a)
	c.SetUserContext(models.WithActor(c.UserContext(), a))
}

// checkToken requires the session's CSRF token for every form.
func (h *Handler) checkToken(c *fiber.Ctx) error {
	if c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead {
		return c.Next()
	}
	v := currentVisitor(c)
	if v.account == nil {
		return fault.New(fault.Unauthenticated, nil)
	}
	sent := c.Get("X-CSRF-Token")
	if sent == "" {
		sent = formValue(c, "_csrf")
	}
	if !h.Sessions.goodToken(v.session, sent) {
		return fault.Because(fault.Forbidden, fault.TokenMissing)
	}
	return c.Next()
}

func isAPI(c *fiber.Ctx) bool { return c.Path() == "/api" || strings.HasPrefix(c.Path(), "/api/") }

func notFound(*fiber.Ctx) error { return fault.New(fault.NotFound, nil) }

func methodNotAllowed(*fiber.Ctx) error { return fault.New(fault.MethodNotAllowed, nil) }
