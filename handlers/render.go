package handlers

import (
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/layouts"
)

// render sends a page: the whole document to browsers, its content and the balance to htmx. It renders into the
// response's own buffer, which fasthttp reuses; a failing template leaves no half page there.
func (h *Handler) render(c *fiber.Ctx, status int, title string, content templ.Component) error {
	h.ensureLocale(c)
	return h.renderTitled(c, status, locales.T(c.UserContext(), title), content)
}

// renderTitled is render with a title that is not a key, so that open tabs of one kind of page differ.
func (h *Handler) renderTitled(c *fiber.Ctx, status int, title string, content templ.Component) error {
	page := h.page(c, title)
	// An error page needs no database, so the notice waits for the next page.
	if session := currentVisitor(c).session; session != nil && session.ElsewhereAt != nil && !page.Partial &&
		status < fiber.StatusBadRequest {
		page.Elsewhere = &layouts.Elsewhere{At: *session.ElsewhereAt, Device: session.ElsewhereDevice}
		if err := h.Sessions.rows.ClearElsewhere(c.UserContext(), session); err != nil {
			return err
		}
	}
	res := c.Response()
	res.ResetBody()
	ctx := components.WithHelp(c.UserContext(), h.helpAddress(c, status))
	if err := layouts.Base(page).Render(templ.WithChildren(ctx, content), res.BodyWriter()); err != nil {
		res.ResetBody()
		return fmt.Errorf("render the page: %w", err) // titles name people
	}
	c.Status(status).Vary("HX-Request", fiber.HeaderAcceptEncoding)
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	if body := res.Body(); len(body) > gzipMinimum && acceptsGzip(c) {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		packed := make([]byte, 0, len(body)/4) // what most pages take
		res.SetBodyRaw(fasthttp.AppendGzipBytesLevel(packed, body, fasthttp.CompressDefaultCompression))
	}
	return nil
}

// acceptsGzip reports whether the client accepts gzip. A client that sends no Accept-Encoding may not.
func acceptsGzip(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderAcceptEncoding) != "" && c.AcceptsEncodings("gzip") == "gzip"
}

// gzipMinimum is the size in bytes that fits into one packet; compressing less gains nothing.
const gzipMinimum = 1400

// page returns what every document needs.
func (h *Handler) page(c *fiber.Ctx, title string) layouts.Page {
	locale := pageLocale(c)
	path, query := pagePath(c, locale)
	p := layouts.Page{
		Title: title, Now: time.Now(), Origin: h.Site.AppURL, Locale: locale, Path: path,
		Query: query, Sandbox: h.Site.Sandbox, Dashboard: h.Site.Dashboard, Mailbox: h.Site.Mailbox, Control: h.Site.Control,
		RequestID: requestID(c), Legal: h.legalLinks(locale),
		Flash: h.popFlash(c), Partial: wantsFragment(c),
	}
	p.Silent = p.Flash == nil && c.Get("HX-Target") != "content"
	if v := currentVisitor(c); v.account != nil && !h.atGate(c) { // a script may read what stands there
		p.User, p.Available, p.Staff, p.CSRF = &v.account.User, v.account.Available(), v.account.Staff(), v.csrf()
	}
	return p
}

// pagePath returns the page that a response belongs to, for the link to the other language: the page itself, the page
// with the posted form, or the start page.
func pagePath(c *fiber.Ctx, locale string) (path, query string) {
	path, ok := strings.CutPrefix(c.Path(), "/"+locale)
	switch {
	case c.Path() == docsPath:
		return docsPath, ""
	case !ok:
		return "", ""
	case c.Method() == fiber.MethodGet:
		return path, string(c.Context().QueryArgs().QueryString())
	case path == "/purchase":
		return path, orderQuery(c)
	}
	if strings.HasPrefix(path, "/admin/events/") && strings.HasSuffix(path, "/retry") || path == "/admin/reconcile" {
		return "/admin/events", ""
	}
	if strings.HasPrefix(path, "/account/") && path != "/account/delete" {
		return "/account", ""
	}
	for _, list := range []string{"/admin/keys", "/admin/letters", "/admin/webhooks", "/admin/withdrawals"} {
		if strings.HasPrefix(path, list+"/") {
			return list, ""
		}
	}
	if !strings.HasPrefix(path, "/admin/") {
		return path, ""
	}
	for _, action := range []string{"/grant", "/check", "/refund", "/move", "/book", "/foreign", "/share",
		"/relink", "/right", "/sessions", "/retry", "/close"} {
		path = strings.TrimSuffix(path, action)
	}
	return path, ""
}

// wantsFragment reports whether htmx requests a part of the current page.
func wantsFragment(c *fiber.Ctx) bool {
	return c.Get("HX-Request") == "true" && c.Get("HX-Boosted") != "true" && c.Get("HX-History-Restore-Request") != "true"
}

// redirect answers a successful POST with 303.
func redirect(c *fiber.Ctx, to string) error { return c.Redirect(to, fiber.StatusSeeOther) }

// redirectWithFlash redirects to a page that shows a message.
func (h *Handler) redirectWithFlash(c *fiber.Ctx, to, flash string) error {
	h.setFlash(c, flash)
	return redirect(c, to)
}

// redirectAfter redirects to a page that shows how an action ended: with the message done or, when err is a fault whose
// problem is the name of a message, with that one. It returns every other error.
func (h *Handler) redirectAfter(c *fiber.Ctx, to string, err error, done string) error {
	if f := fault.Of(err); f != nil && flashes[string(f.Problem)] != "" {
		return h.redirectWithFlash(c, to, string(f.Problem))
	}
	if err != nil {
		return err
	}
	return h.redirectWithFlash(c, to, done)
}
