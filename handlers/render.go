package handlers

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/layouts"
	"github.com/resume-matcher/credits/views/pages"
)

// render sends a page: the whole document to browsers, its content and the balance to htmx.
// It renders into a buffer first: a template that fails must not leave half a page before the error page.
func (h *Handler) render(c *fiber.Ctx, status int, title string, content templ.Component) error {
	h.ensureLocale(c)
	page := h.page(c, title)
	if session := currentVisitor(c).session; session != nil && session.ElsewhereAt != nil && !page.Partial {
		page.Elsewhere = &layouts.Elsewhere{At: *session.ElsewhereAt, Device: session.ElsewhereDevice}
		if err := h.Sessions.rows.Told(c.UserContext(), session); err != nil {
			return err
		}
	}
	var body bytes.Buffer
	if err := layouts.Base(page).Render(templ.WithChildren(c.UserContext(), content), &body); err != nil {
		return fmt.Errorf("render %s: %w", title, err)
	}
	c.Vary("HX-Request", fiber.HeaderAcceptEncoding)
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	if body.Len() > onePacket && takesGzip(c) {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Status(status).Send(fasthttp.AppendGzipBytesLevel(nil, body.Bytes(), fasthttp.CompressBestSpeed))
	}
	return c.Status(status).Send(body.Bytes())
}

// takesGzip reports whether the client says that it unpacks; one that says nothing may not.
func takesGzip(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderAcceptEncoding) != "" && c.AcceptsEncodings("gzip") == "gzip"
}

// onePacket is how many bytes travel together; what fits into it gains nothing by being smaller.
const onePacket = 1400

// page is what every document needs.
func (h *Handler) page(c *fiber.Ctx, title string) layouts.Page {
	locale := pageLocale(c)
	path, query := ownerPath(c, locale)
	p := layouts.Page{
		Title: locales.T(c.UserContext(), title, nil), Origin: h.Site.AppURL, Locale: locale, Path: path,
		Query: query, Sandbox: h.Site.Sandbox, Dashboard: h.Site.Dashboard, RequestID: requestID(c), Legal: h.Site.Legal, Flash: h.takeFlash(c), Partial: wantsFragment(c),
	}
	p.Silent = p.Flash == nil && c.Get("HX-Target") != "content"
	if v := currentVisitor(c); v.account != nil {
		p.User, p.Available, p.Admin, p.CSRF = &v.account.User, v.account.Available(), v.account.Admin, v.token
	}
	return p
}

// ownerPath is the page that an answer belongs to, for the link to the other language: the page itself, the page with
// the form that was posted, or, outside the pages, the start page.
func ownerPath(c *fiber.Ctx, locale string) (path, query string) {
	path, ok := strings.CutPrefix(c.Path(), "/"+locale)
	switch {
	case c.Path() == docsPath:
		return docsPath, ""
	case !ok:
		return "", ""
	case c.Method() == fiber.MethodGet:
		return path, string(c.Context().QueryArgs().QueryString())
	case path == "/purchase":
		return path, chosenQuery(c)
	}
	if strings.HasPrefix(path, "/admin/events/") || path == "/admin/reconcile" {
		return "/admin/events", ""
	}
	if strings.HasPrefix(path, "/admin/withdrawals/") {
		return "/admin/withdrawals", ""
	}
	if strings.HasPrefix(path, "/account/") && path != "/account/delete" {
		return "/account", ""
	}
	if strings.HasPrefix(path, "/admin/keys/") {
		return "/admin/keys", ""
	}
	for _, action := range []string{"/spend", "/grant", "/check", "/refund", "/move", "/book", "/foreign", "/share", "/relink", "/right", "/sessions"} {
		path = strings.TrimSuffix(path, action)
	}
	return path, ""
}

// keepContent has htmx swap a page that is sent with an error's status as the page it is, rather than as a message.
func keepContent(c *fiber.Ctx) {
	if wantsFragment(c) {
		c.Set("HX-Retarget", "#content")
		c.Set("HX-Reswap", "innerHTML show:top")
	}
}

// wantsFragment reports whether htmx asks for a part of the page it already shows.
func wantsFragment(c *fiber.Ctx) bool {
	return c.Get("HX-Request") == "true" && c.Get("HX-Boosted") != "true" && c.Get("HX-History-Restore-Request") != "true"
}

// renderError sends the page of an error. It needs neither the database nor a user. Into a page that htmx keeps, it
// sends the message alone, for the flash region; running out of credits takes the page's place, because it has a way out.
// What else it could say, such as the package that covers the rest, it leaves out when the database is away.
func (h *Handler) renderError(c *fiber.Ctx, f *fault.Error, status int) error {
	if wantsFragment(c) {
		if f.Code != fault.InsufficientCredits {
			return h.renderFlash(c, status, h.message(c.UserContext(), f))
		}
		keepContent(c)
	}
	return h.render(c, status, "errors.title."+string(f.Code), pages.Error(h.wayOut(c, f, status)))
}

// renderFlash sends one message for the flash region of the page that htmx keeps.
func (h *Handler) renderFlash(c *fiber.Ctx, status int, text string) error {
	var body bytes.Buffer
	message := layouts.FlashMessage(layouts.Flash{Kind: layouts.FlashFault, Text: text + " (" + requestID(c) + ")"})
	if err := message.Render(c.UserContext(), &body); err != nil {
		return fmt.Errorf("render message: %w", err)
	}
	c.Set("HX-Retarget", "#flash")
	c.Set("HX-Reswap", "innerHTML show:none") // the region keeps to the top of the window while it tells of a fault
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Status(status).Send(body.Bytes())
}

// leave sends the browser on after something worked.
func leave(c *fiber.Ctx, to string) error { return c.Redirect(to, fiber.StatusSeeOther) }
