package handlers

import (
	"crypto/rand"
	"encoding/base64"
	"net/url"
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

// omittedFields are the fields that formAddress leaves out: they are valid once, or express consent.
var omittedFields = map[string]bool{"_csrf": true, "idempotency_key": true, "seen": true, "sure": true, "offers": true,
	"confirmed":           true,
	"consent_early_start": true, "consent_compensation": true}

// formAddress returns the page of the posted form with the typed values in its query string, so that the page can
// restore them. It drops the longest value when the address gets too long.
func formAddress(c *fiber.Ctx) string {
	path, query := pagePath(c, pageLocale(c))
	path = "/" + pageLocale(c) + strings.TrimSuffix(path, "/export.zip") // the page that links to the export
	if query != "" {
		return path + "?" + query
	}
	typed, longest := url.Values{}, ""
	for key := range c.Request().PostArgs().All() {
		name := string(key)
		if !omittedFields[name] {
			typed.Set(name, formValue(c, name))
		}
		if len(typed.Get(name)) > len(typed.Get(longest)) {
			longest = name
		}
	}
	if action, ok := strings.CutPrefix(c.Path(), path+"/"); ok && len(typed) > 0 { // the page may have several forms
		typed.Set("form", action)
	}
	for len(path)+1+len(typed.Encode()) > maxReturnTo && longest != "" {
		typed.Del(longest)
		longest = ""
	}
	if len(typed) == 0 || len(path)+1+len(typed.Encode()) > maxReturnTo {
		return path
	}
	return path + "?" + typed.Encode()
}

// queryValue reads a value that formAddress preserved.
func queryValue(c *fiber.Ctx, name string) string {
	return strings.ToValidUTF8(c.Query(name), "\uFFFD")
}

// restores reports whether the preserved values belong to the form that posts to action.
func restores(c *fiber.Ctx, action string) bool { return c.Query("form") == action }

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
