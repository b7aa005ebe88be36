// Package pages holds what each page shows. A page is a function of one struct, declared above its template.
package pages

import (
	"net/url"
	"strconv"

	"github.com/google/uuid"
)

// at is the address of one of our pages in a language.
func at(locale, path string) string { return "/" + locale + path }

func adminUserPath(locale string, id int64) string {
	return at(locale, "/admin/users/"+strconv.FormatInt(id, 10))
}

func adminPurchasePath(locale string, id uuid.UUID) string {
	return at(locale, "/admin/purchases/"+id.String())
}

// signInPath is where signing in with a provider begins.
func signInPath(d LoginData, provider string) string {
	query := url.Values{"locale": {d.Locale}}
	if d.ReturnTo != "" {
		query.Set("return_to", d.ReturnTo)
	}
	return "/auth/" + url.PathEscape(provider) + "?" + query.Encode()
}
