package handlers

import (
	"net/url"

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

// chosenQuery names the package and the quantity of a posted order, as links to the purchase page do.
func chosenQuery(c *fiber.Ctx) string {
	credits := wholeNumber(c.Query("package"))
	if credits < 1 {
		return ""
	}
	quantity := wholeNumber(formValue(c, "quantity"))
	if quantity < 1 {
		quantity = 1
	}
	address, err := url.Parse(pages.PackagePath("", models.Credits(credits), quantity))
	if err != nil { // two numbers always make an address
		return ""
	}
	return address.RawQuery
}
