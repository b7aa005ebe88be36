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

// Choice is what a link to the purchase page selects.
type Choice struct {
	Credits   models.Credits // of the package; 0: none
	Price     string         // of the package at Stripe, where it is not named by its credits
	Quantity  int64          // 0 or 1: one package
	ReturnURL string         // where the buyer goes on after the payment; empty: nowhere
}

// Path returns the purchase page with the choice made.
func (c Choice) Path(locale string) string {
	var quantity, credits string
	if c.Credits > 0 {
		credits = strconv.FormatInt(int64(c.Credits), 10)
	}
	if c.Quantity > 1 {
		quantity = strconv.FormatInt(c.Quantity, 10)
	}
	return withQuery(localPath(locale, "/purchase"), "package", credits, "price", c.Price, "quantity", quantity,
		"returnUrl", c.ReturnURL)
}

// PackagePath returns the purchase page with a package and quantity preselected.
func PackagePath(locale string, credits models.Credits, quantity int64) string {
	return Choice{Credits: credits, Quantity: quantity}.Path(locale)
}
