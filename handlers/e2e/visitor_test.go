package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// visitor is a browser with JavaScript off: it follows links and submits forms over HTTP.
type visitor struct {
	t      testing.TB
	site   *site
	client *http.Client
	locale string

	at     *url.URL // the URL of the current page
	doc    *goquery.Document
	source string // the response body
	status int
}

func newVisitor(s *site, locale string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &visitor{t: s.t, site: s, locale: locale, client: &http.Client{Jar: jar}}
}

// open requests a page by absolute URL or by path on the site.
func (v *visitor) open(address string) {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.site.url + address
	}
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.show(req)
}

func (v *visitor) show(req *http.Request) {
	v.t.Helper()
	req.Header.Set("Accept-Language", v.locale)
	req.Header.Set("Accept", "text/html")
	if req.Method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", v.at.Scheme+"://"+v.at.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	v.at, v.status = res.Request.URL, res.StatusCode
	source, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatalf("%s: %v", v.at, err)
	}
	v.source = string(source)
	if v.doc, err = goquery.NewDocumentFromReader(strings.NewReader(v.source)); err != nil {
		v.t.Fatalf("%s: %v", v.at, err)
	}
	if text := v.doc.Text(); strings.Contains(text, "!(MISSING") {
		v.t.Errorf("%s: a text is missing", v.at)
	}
	if next, ok := strings.CutPrefix(res.Header.Get("Refresh"), "0; url="); ok { // browsers follow it
		v.open(next)
	}
}

// find returns the first element that matches, and fails the test if there is none.
func (v *visitor) find(selector string) *goquery.Selection {
	v.t.Helper()
	found := v.doc.Find(selector)
	if found.Length() == 0 {
		v.t.Fatalf("%s (status %d): no element %s:\n%s", v.at, v.status, selector,
			strings.Join(strings.Fields(v.doc.Find("body").Text()), " "))
	}
	return found.First()
}

// text returns an element's text with white space folded.
func (v *visitor) text(selector string) string {
	v.t.Helper()
	return strings.Join(strings.Fields(v.find(selector).Text()), " ")
}

// click follows a link.
func (v *visitor) click(selector string) {
	v.t.Helper()
	href, _ := v.find(selector).Attr("href")
	target, err := v.at.Parse(href)
	if err != nil || href == "" {
		v.t.Fatalf("%s: %s has href %q", v.at, selector, href)
	}
	v.open(target.String())
}

// submit presses a button: it sends the surrounding form as a browser does. typed holds pairs of field name and value.
func (v *visitor) submit(button string, typed ...string) {
	v.t.Helper()
	v.show(v.form(button, typed...))
}

// summarized matches the actions of forms that show a summary first.
var summarized = regexp.MustCompile(`/admin/.*/(grant|refund|move|book|share)$`)

// form returns the request that submit sends: of a form that shows a summary, the one that the summary sends.
func (v *visitor) form(button string, typed ...string) *http.Request {
	v.t.Helper()
	pressed := v.find(button)
	form := pressed.Closest("form")
	values := url.Values{}
	form.Find("input, textarea, select").Each(func(_ int, field *goquery.Selection) {
		name, kind := field.AttrOr("name", ""), field.AttrOr("type", "text")
		_, checked := field.Attr("checked")
		switch {
		case name == "" || kind == "submit":
		case (kind == "checkbox" || kind == "radio") && !checked:
		case goquery.NodeName(field) == "textarea":
			values.Set(name, field.Text())
		default:
			values.Set(name, field.AttrOr("value", ""))
		}
	})
	if name := pressed.AttrOr("name", ""); name != "" {
		values.Set(name, pressed.AttrOr("value", ""))
	}
	for i := 0; i+1 < len(typed); i += 2 {
		values.Set(typed[i], typed[i+1])
	}
	if units, err := strconv.Atoi(values.Get("quantity")); err == nil && values.Has("total") &&
		!slices.Contains(typed, "total") { // as app.js does
		chosen := form.Find(`[name="price_id"]`).FilterFunction(func(_ int, row *goquery.Selection) bool {
			return row.AttrOr("value", "") == values.Get("price_id")
		})
		cents, _ := strconv.Atoi(chosen.AttrOr("data-unit-cents", ""))
		values.Set("total", strconv.Itoa(units*cents))
	}
	action := form.AttrOr("action", "")
	if summarized.MatchString(action) && !slices.Contains(typed, "confirmed") {
		values.Set("confirmed", "yes")
	}
	target, err := v.at.Parse(action)
	if err != nil {
		v.t.Fatal(err)
	}
	body, method := values.Encode(), strings.ToUpper(form.AttrOr("method", "get"))
	if method == http.MethodGet {
		target.RawQuery, body = body, ""
	}
	req, err := http.NewRequest(method, target.String(), strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	return req
}

// signIn signs in through the provider's page. button is #demo-user or #demo-admin there.
func (v *visitor) signIn(button string) {
	v.t.Helper()
	v.open("/" + v.locale + "/login")
	v.click(`a[href^="/auth/oidc"]`)
	v.submit(button)
	if !strings.HasPrefix(v.at.Path, "/"+v.locale+"/billing") {
		v.t.Fatalf("sign-in leads to %s (status %d), want the billing page", v.at, v.status)
	}
}

// signInAs signs in with an e-mail address that the provider verified.
func (v *visitor) signInAs(email string) {
	v.t.Helper()
	v.signInNamed("Ada Example", email)
}

func (v *visitor) signInNamed(name, email string) {
	v.t.Helper()
	v.open("/" + v.locale + "/login")
	v.click(`a[href^="/auth/oidc"]`)
	v.submit("#custom-user", "name", name, "email", email)
	v.find("#balance")
}

// balance returns the digits of the balance in the page's header, with its minus sign.
func (v *visitor) balance() string {
	v.t.Helper()
	var digits strings.Builder
	for _, r := range v.text("#balance") {
		if r >= '0' && r <= '9' || r == '−' || r == '-' {
			digits.WriteRune(r)
		}
	}
	return digits.String()
}
