package handlers

import (
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/resume-matcher/credits/views/pages"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
)

// formValue reads a field of the posted form and nothing else: Fiber's own prefers the query string.
func formValue(c *fiber.Ctx, name string) string {
	return strings.ToValidUTF8(string(c.Request().PostArgs().Peek(name)), "\uFFFD")
}

// randomKey is 256 bits that nobody guesses. crypto/rand.Read never fails: the program would have ended.
func randomKey() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// notKept are the fields of a form that must not come back with it: they are good for one answer, or are an agreement.
var notKept = map[string]bool{"_csrf": true, "idempotency_key": true, "seen": true, "sure": true}

// formPage is the page with the form that was posted, and in its query what was typed: all that an address has room for.
func formPage(c *fiber.Ctx) string {
	path, _ := ownerPath(c, pageLocale(c))
	path = "/" + pageLocale(c) + strings.TrimSuffix(path, "/export.zip") // its link is there
	typed, longest := url.Values{}, ""
	for key := range c.Request().PostArgs().All() {
		name := string(key)
		if !notKept[name] {
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

// queryValue reads what formPage kept.
func queryValue(c *fiber.Ctx, name string) string {
	return strings.ToValidUTF8(c.Query(name), "\uFFFD")
}

// typedIn reports whether what formPage kept was typed into the form that is posted to this action.
func typedIn(c *fiber.Ctx, action string) bool { return c.Query("form") == action }

// resendable is a posted form that came too soon, to be sent again as it was: nothing that was typed is lost.
func resendable(c *fiber.Ctx) *pages.Resend {
	form := &pages.Resend{Action: c.OriginalURL()}
	for name, value := range c.Request().PostArgs().All() {
		form.Fields = append(form.Fields, pages.ResendField{Name: string(name), Value: string(value)})
	}
	return form
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
