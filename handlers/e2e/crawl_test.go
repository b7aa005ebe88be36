package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// Every link works for a guest, a user and an admin in both languages, and every page is complete: in its own language,
// with unique ids and within its size limit. TestStates validates each kind of page and opens it in a browser.
func TestCrawl(t *testing.T) {
	t.Parallel()
	s := start(t)
	texts := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}
	user, admin := buyAndSpend(t, s, "en", "ada@example.com")
	for _, locale := range []string{"en", "de"} {
		for _, role := range []struct {
			name    string
			visitor *visitor
		}{{"guest", newVisitor(s, locale)}, {"user", user}, {"admin", admin}} {
			t.Run(locale+"/"+role.name, func(t *testing.T) {
				c := &crawler{visitor: role.visitor, locale: locale, texts: texts,
					foreign: foreignWords(texts[locale], texts[otherLocale(locale)]), kinds: map[string]bool{}}
				c.t = t
				from := []string{"/" + locale, "/" + locale + "/dev/components", "/" + locale + "/nothing"}
				if role.name == "admin" { // search results
					from = append(from, "/"+locale+"/admin?q=ada")
				}
				c.walk(from...)
				if want := map[string]int{"guest": 5, "user": 8, "admin": 14}[role.name]; len(c.kinds) < want {
					t.Errorf("%d kinds of page found, want at least %d: %v", len(c.kinds), want, slices.Sorted(maps.Keys(c.kinds)))
				}
				for kind := range c.kinds {
					if !hasState(kind) {
						t.Errorf("page %s has no state in TestStates", kind)
					}
				}
			})
		}
	}
}

func otherLocale(locale string) string { return map[string]string{"en": "de", "de": "en"}[locale] }

// crawler follows links in one language.
type crawler struct {
	*visitor
	locale  string
	texts   map[string]map[string]string
	foreign map[string]bool // words of the other language only
	kinds   map[string]bool // kinds of page seen
	visited map[string]bool
	queue   []string
}

var idInPath = regexp.MustCompile(`/(\d+|[0-9a-f-]{32,64}|evt_[^/]+)(/|$)`)

// pageKind identifies pages of one kind: the path without ids, and the names in the query.
func pageKind(u *url.URL) string {
	names := []string{}
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.TrimSuffix(idInPath.ReplaceAllString(u.Path, "/ID$2")+"?"+strings.Join(names, "_"), "?")
}

// walk visits every page reachable from these addresses, at most three of a kind.
func (c *crawler) walk(from ...string) {
	const perKind = 3
	visits := map[string]int{}
	c.visited = map[string]bool{}
	for c.queue = from; len(c.queue) > 0; {
		address := c.queue[0]
		c.queue = c.queue[1:]
		u, err := url.Parse(address)
		if err != nil {
			c.t.Fatalf("parse link %q: %v", address, err)
		}
		if c.visited[address] || visits[pageKind(u)] >= perKind {
			continue
		}
		c.visited[address] = true
		visits[pageKind(u)]++
		c.visit(address, u)
	}
}

func (c *crawler) visit(address string, u *url.URL) {
	res, body := request(c.t, c.client, http.MethodGet, c.site.url+address, "",
		map[string]string{"Accept-Language": c.locale, "Accept": "text/html"})
	want := http.StatusOK
	if strings.HasSuffix(address, "/nothing") {
		want = http.StatusNotFound
	}
	if res.StatusCode != want {
		c.t.Errorf("%s: status %d, want %d", address, res.StatusCode, want)
		return
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.HasPrefix(u.Path, "/"+c.locale) ||
		!strings.HasPrefix(res.Request.URL.Path, "/"+c.locale) { // a file, the other language, or the sign-in provider
		return
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil {
		c.t.Fatalf("%s: %v", address, err)
	}
	if !c.kinds[pageKind(res.Request.URL)] {
		c.kinds[pageKind(res.Request.URL)] = true
		c.checkWeight(address, body)
	}
	c.checkLinks(address, doc)
	c.checkWords(address, doc)
	if !strings.Contains(address, "/dev/") { // its forms are samples
		checkForms(c.t, address, doc)
	}
	if lang := doc.Find("html").AttrOr("lang", ""); lang != c.locale {
		c.t.Errorf("%s: lang = %q, want %q", address, lang, c.locale)
	}
	path := res.Request.URL.Path
	if want == http.StatusOK {
		for _, l := range []string{"de", "en"} {
			want := "/" + l + strings.TrimPrefix(path, "/"+c.locale)
			if href := doc.Find(`link[rel=alternate][hreflang=`+l+`]`).AttrOr("href", ""); href != c.site.url+want {
				c.t.Errorf("%s: alternate link for %s = %q, want %q", address, l, href, c.site.url+want)
			}
			if query := res.Request.URL.RawQuery; query != "" {
				want += "?" + query
			}
			if href := doc.Find("#language-"+l).AttrOr("href", ""); href != want {
				c.t.Errorf("%s: language link to %s = %q, want %q", address, l, href, want)
			}
		}
	}
}

// pageWeight is the maximum compressed size of a page. TestBillingPageWeight covers the files that browsers cache.
const pageWeight = 15_000 // bytes

// checkWeight requires that a page, compressed as the server does, stays within pageWeight.
func (c *crawler) checkWeight(address, body string) {
	var wire bytes.Buffer
	zip := gzip.NewWriter(&wire)
	_, err := io.WriteString(zip, body)
	if err := errors.Join(err, zip.Close()); err != nil {
		c.t.Fatal(err)
	}
	if wire.Len() > pageWeight {
		c.t.Errorf("%s: %d bytes, want at most %d", address, wire.Len(), pageWeight)
	}
}

// hasState reports whether TestStates has a state of this kind of page.
func hasState(kind string) bool {
	path, _, _ := strings.Cut(kind[len("/en"):], "?")
	return slices.ContainsFunc(states, func(st pageState) bool {
		at, _, _ := strings.Cut(placeholder.ReplaceAllString(st.path, "ID"), "?")
		return strings.TrimSuffix(path, "/") == at
	})
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// checkIDs returns the ids of a page and requires that each is unique.
func (c *crawler) checkIDs(address string, doc *goquery.Document) map[string]bool {
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, e *goquery.Selection) {
		id := e.AttrOr("id", "")
		if ids[id] {
			c.t.Errorf("%s: id %q is not unique", address, id)
		}
		ids[id] = true
	})
	return ids
}

// checkLinks queues a page's links and requires that fragments exist and other hosts are safe.
func (c *crawler) checkLinks(address string, doc *goquery.Document) {
	ids := c.checkIDs(address, doc)
	here, err := url.Parse(c.site.url + address)
	if err != nil {
		c.t.Fatal(err)
	}
	doc.Find("a[href], link[href], script[src], img[src], form[method=get]").Each(func(_ int, e *goquery.Selection) {
		target := e.AttrOr("href", e.AttrOr("src", e.AttrOr("action", "")))
		u, err := here.Parse(target)
		if err != nil || target == "" {
			c.t.Errorf("%s: link to %q", address, target)
			return
		}
		switch {
		case strings.HasPrefix(target, "#"):
			if !ids[u.Fragment] {
				c.t.Errorf("%s: link to %s, which has no element", address, target)
			}
		case u.Scheme == "data" || u.Scheme == "mailto":
		case u.Host != here.Host:
			if e.AttrOr("target", "") != "" && !strings.Contains(e.AttrOr("rel", ""), "noopener") {
				c.t.Errorf("%s: link to %s has target but not rel=noopener", address, target)
			}
			if u.Hostname() == here.Hostname() { // the Stripe stand-in
				if res, _ := request(c.t, c.client, http.MethodGet, target, "", nil); res.StatusCode != http.StatusOK {
					c.t.Errorf("%s: link to %s: status %d, want 200", address, target, res.StatusCode)
				}
			} else if goquery.NodeName(e) != "a" {
				c.t.Errorf("%s loads %s from another host", address, target)
			}
		default:
			c.queue = append(c.queue, u.RequestURI())
		}
	})
}
