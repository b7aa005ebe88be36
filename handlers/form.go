package handlers

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"

	"github.com/gofiber/fiber/v2"
)

// formValue reads a field of the posted form only; Fiber's FormValue prefers the query string.
func formValue(c *fiber.Ctx, name string) string {
	return strings.ToValidUTF8(string(c.Request().PostArgs().Peek(name)), "\uFFFD")
}

// randomKey returns 256 random bits as text. crypto/rand.Read never fails; it would end the program.
func randomKey() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// queryValue reads a value of the query string.
func queryValue(c *fiber.Ctx, name string) string {
	return strings.ToValidUTF8(c.Query(name), "\uFFFD")
}

// resendForm returns the posted form so that the visitor can send it again unchanged.
func resendForm(c *fiber.Ctx) *pages.Resend {
	form := &pages.Resend{Action: c.OriginalURL()}
	for name, value := range c.Request().PostArgs().All() {
		form.Fields = append(form.Fields, pages.ResendField{Name: string(name), Value: string(value)})
	}
	return form
}

// orderQuery returns the query string that preselects a posted order on the purchase page. It names the price as
// the form does, so that it needs neither a session nor the database.
func orderQuery(c *fiber.Ctx) string {
	address := pages.Choice{Price: formValue(c, "price_id"), Quantity: parseDigits(formValue(c, "quantity")),
		ReturnURL: c.Query(paramReturnURL)}.Path("")
	_, query, _ := strings.Cut(address, "?")
	if len(query) > maxReturnTo/2 {
		return ""
	}
	return query
}

// formErrors returns the texts of err by field, and the status of the answer, when err has one of codes: the form is
// then shown again. A fault without a field is listed under "". It returns nil for every other error.
func (h *Handler) formErrors(c *fiber.Ctx, err error, codes ...fault.Code) (texts map[string]string, status int) {
	f := fault.Of(err)
	if f == nil || !slices.Contains(codes, f.Code) {
		return nil, 0
	}
	retargetContent(c)
	return map[string]string{f.Field: h.message(c.UserContext(), f)}, answers[f.Code].status
}
