package handlers

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/resume-matcher/credits/views/layouts"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/views/pages"
)

// errorData returns what the error page shows: the meaning of the fault and the way on.
func (h *Handler) errorData(c *fiber.Ctx, f *fault.Error) pages.ErrorData {
	d := pages.ErrorData{Code: f.Code, Problem: f.Problem, Message: h.message(c.UserContext(), f),
		RequestID: requestID(c), SignedIn: currentVisitor(c).account != nil}
	locale := pageLocale(c)
	path, query := pagePath(c, locale)
	address := "/" + locale + path
	if query != "" {
		address += "?" + query
	}
	switch {
	case (f.Code == fault.RateLimited || f.Problem == fault.OutcomeUnknown) && c.Method() == fiber.MethodPost:
		d.Resend = resendForm(c)
	case f.Problem == fault.ReceiptAway || slices.Contains(closedProblems, f.Problem):
		d.Retry = c.OriginalURL()
	case f.Problem == fault.SignInFailed || f.Problem == fault.SignInExpired || f.Code == fault.Unauthenticated:
		d.SignIn = "/" + locale + "/login"
	case path == "" || f.Code == fault.NotFound || f.Code == fault.MethodNotAllowed || f.Problem == fault.CrossSite:
		// a retry would fail again
	case c.Method() != fiber.MethodGet || f.Code == fault.Internal || f.Code == fault.Unavailable ||
		f.Code == fault.RateLimited:
		d.Again = address
	case query != "": // the query string is wrong
		d.Again = "/" + locale + path
	}
	if d.SignIn != "" && h.atGate(c) {
		d.SignIn = gate.SessionPath
	}
	return d
}

// retargetContent has htmx swap a page that is sent with an error's status as the page it is, rather than as a message.
func retargetContent(c *fiber.Ctx) {
	if wantsFragment(c) {
		c.Set("HX-Retarget", "#content")
		c.Set("HX-Reswap", "innerHTML show:top")
	}
}

// renderError sends the error page. It needs neither the database nor a user. htmx gets only the message for the
// flash region.
func (h *Handler) renderError(c *fiber.Ctx, f *fault.Error, status int) error {
	if wantsFragment(c) {
		text := h.message(c.UserContext(), f)
		if status >= fiber.StatusInternalServerError { // the log says more
			text += " (" + requestID(c) + ")"
		}
		return h.renderFlash(c, status, text)
	}
	data := h.errorData(c, f)
	return h.render(c, status, data.TitleKey(c.UserContext()), pages.Error(data))
}

// renderFlash sends a message for the flash region of the current page.
func (h *Handler) renderFlash(c *fiber.Ctx, status int, text string) error {
	var body bytes.Buffer
	message := layouts.FlashMessage(layouts.Flash{Kind: layouts.FlashFault, Text: text})
	if err := message.Render(c.UserContext(), &body); err != nil {
		return fmt.Errorf("render message: %w", err)
	}
	c.Set("HX-Retarget", "#flash")
	c.Set("HX-Reswap", "innerHTML show:none") // do not scroll: the region is in view
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Status(status).Send(body.Bytes())
}
