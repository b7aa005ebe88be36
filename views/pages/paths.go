// Package pages holds the pages. A page is a function of one struct, declared above its template.
package pages

import (
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
)

// localPath returns the address of one of our pages in a language.
func localPath(locale, path string) string { return "/" + locale + path }

func adminUserPath(locale string, id int64) string {
	return localPath(locale, "/admin/users/"+strconv.FormatInt(id, 10))
}

func adminPurchasePath(locale string, id uuid.UUID) string {
	return localPath(locale, "/admin/purchases/"+id.String())
}

// signInPath returns where signing in with a provider starts.
func signInPath(d LoginData, provider string) string {
	query := url.Values{"locale": {d.Locale}}
	if d.ReturnTo != "" {
		query.Set("return_to", d.ReturnTo)
	}
	return "/auth/" + url.PathEscape(provider) + "?" + query.Encode()
}

// withQuery appends the pairs of name and value whose value is not empty.
func withQuery(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Set(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// PackagePath returns the purchase page with a package and quantity preselected.
func PackagePath(locale string, credits models.Credits, quantity int64) string {
	path := localPath(locale, "/purchase?package=") + strconv.FormatInt(int64(credits), 10)
	if quantity != 1 {
		path += "&quantity=" + strconv.FormatInt(quantity, 10)
	}
	return path
}
