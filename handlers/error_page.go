package handlers

import (
	"bytes"
	"fmt"

	"github.com/resume-matcher/credits/views/layouts"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// wayOut is the page of an error: what it means, and where to go from here.
func (h *Handler) wayOut(c *fiber.Ctx, f *fault.Error, status int) pages.ErrorData {
	d := pages.ErrorData{Status: status, Code: f.Code, Message: h.message(c.UserContext(), f), RequestID: requestID(c),
		SignedIn: currentVisitor(c).account != nil}
	locale := pageLocale(c)
	path, query := ownerPath(c, locale)
	address := "/" + locale + path
	if query != "" {
		address += "?" + query
	}
	switch {
	case f.Code == fault.RateLimited && c.Method() == fiber.MethodPost:
		d.Resend = resendable(c)
	case f.Problem == fault.ReceiptAway:
		d.Retry = c.Path()
	case f.Code == fault.InsufficientCredits:
		d.Shortage = h.shortage(c, f)
	case f.Problem == fault.SignInFailed || f.Problem == fault.SignInExpired || f.Code == fault.Unauthenticated && path == "":
		d.SignIn = "/" + locale + "/login"
	case f.Code == fault.Unauthenticated:
		d.SignIn = pages.SignInAndBack(locale, address)
	case path == "" || f.Code == fault.NotFound || f.Code == fault.MethodNotAllowed || f.Problem == fault.CrossSite:
		// the same would be refused again
	case c.Method() != fiber.MethodGet || f.Code == fault.Internal || f.Code == fault.Unavailable || f.Code == fault.RateLimited:
		d.Again = address
	case query != "": // it is the query that is wrong
		d.Again = "/" + locale + path
	}
	return d
}

// shortage is what the fault says of credits, and the smallest package that covers what is missing of them. Without an
// answer from the database the page does without the package.
func (h *Handler) shortage(c *fiber.Ctx, f *fault.Error) *pages.Shortage {
	s := &pages.Shortage{Required: credits(f.Detail["required"]), Available: credits(f.Detail["available"]), Missing: credits(f.Detail["missing"])}
	if offer, err := h.packages(c); err == nil {
		s.Offer, s.Quantity = covering(offer, s.Missing)
	}
	return s
}

// credits reads one number of a fault's detail.
func credits(detail any) models.Credits {
	n, _ := detail.(int64)
	return models.Credits(n)
}

// keepContent has htmx swap a page that is sent with an error's status as the page it is, rather than as a message.
func keepContent(c *fiber.Ctx) {
	if wantsFragment(c) {
		c.Set("HX-Retarget", "#content")
		c.Set("HX-Reswap", "innerHTML show:top")
	}
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
