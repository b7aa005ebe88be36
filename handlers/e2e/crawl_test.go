package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"gopkg.in/yaml.v3"
)

// Every link of the product, followed by a guest, by a user and by an admin, in both languages, leads somewhere, and
// what is there is whole: in the page's own language, with ids that are there once, no heavier than it may be. TestStates
// validates each kind of page and opens it in a browser.
func TestCrawl(t *testing.T) {
	t.Parallel()
	s := start(t)
	texts := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}
	user, admin := buyAndSpend(t, s, "en", "ada@example.com")
	for _, locale := range []string{"en", "de"} {
		for _, who := range []struct {
			role    string
			visitor *visitor
		}{{"guest", newVisitor(s, locale)}, {"user", user}, {"admin", admin}} {
			t.Run(locale+"/"+who.role, func(t *testing.T) {
				c := &crawler{visitor: who.visitor, locale: locale, texts: texts, foreign: foreignWords(texts[locale], texts[otherLocale(locale)]), kinds: map[string]bool{}}
				c.t = t
				from := []string{"/" + locale, "/" + locale + "/dev/components", "/" + locale + "/nothing"}
				if who.role == "admin" { // what a search finds
					from = append(from, "/"+locale+"/admin?email=ada")
				}
				c.walk(from...)
				if want := map[string]int{"guest": 5, "user": 8, "admin": 14}[who.role]; len(c.kinds) < want {
					t.Errorf("only %d kinds of page were found: %v", len(c.kinds), slices.Sorted(maps.Keys(c.kinds)))
				}
				for kind := range c.kinds {
					if !hasState(kind) {
						t.Errorf("no state of TestStates shows the page %s in a browser", kind)
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
	foreign map[string]bool // words that only the other language has
	kinds   map[string]bool // of pages
	visited map[string]bool
	queue   []string
}

var idInPath = regexp.MustCompile(`/(\d+|[0-9a-f-]{32,64}|evt_[^/]+)(/|$)`)

// kind is what pages at an address have in common: the path without ids, and the names in its query.
func pageKind(u *url.URL) string {
	names := []string{}
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.TrimSuffix(idInPath.ReplaceAllString(u.Path, "/ID$2")+"?"+strings.Join(names, "_"), "?")
}

// walk visits every page that can be reached from these addresses, at most a few of a kind.
func (c *crawler) walk(from ...string) {
	const perKind = 3
	visits := map[string]int{}
	c.visited = map[string]bool{}
	for c.queue = from; len(c.queue) > 0; {
		address := c.queue[0]
		c.queue = c.queue[1:]
		u, err := url.Parse(address)
		if err != nil {
			c.t.Fatalf("%q is no address: %v", address, err)
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
	res, body := request(c.t, c.client, http.MethodGet, c.site.url+address, "", map[string]string{"Accept-Language": c.locale, "Accept": "text/html"})
	want := http.StatusOK
	if strings.HasSuffix(address, "/nothing") {
		want = http.StatusNotFound
	}
	if res.StatusCode != want {
		c.t.Errorf("%s answers %d, want %d", address, res.StatusCode, want)
		return
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || !strings.HasPrefix(u.Path, "/"+c.locale) ||
		!strings.HasPrefix(res.Request.URL.Path, "/"+c.locale) { // a file, the other language, or the sign-in provider's
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
	if !strings.Contains(address, "/dev/") { // what stands there is for show
		checkForms(c.t, address, doc)
	}
	if lang := doc.Find("html").AttrOr("lang", ""); lang != c.locale {
		c.t.Errorf("%s says that it is in %q", address, lang)
	}
	path := res.Request.URL.Path
	if want == http.StatusOK {
		for _, l := range []string{"de", "en"} {
			there := "/" + l + strings.TrimPrefix(path, "/"+c.locale)
			if href := doc.Find(`link[rel=alternate][hreflang=`+l+`]`).AttrOr("href", ""); href != c.site.url+there {
				c.t.Errorf("%s: search engines find the page in %s at %q", address, l, href)
			}
			if query := res.Request.URL.RawQuery; query != "" {
				there += "?" + query
			}
			if href := doc.Find("#language-"+l).AttrOr("href", ""); href != there {
				c.t.Errorf("%s: the switch to %s leads to %q, want %q", address, l, href, there)
			}
		}
	}
}

// pageWeight is what a page may weigh on the wire, compressed; what it loads, browsers keep (TestBillingPageWeight).
const pageWeight = 15_000 // bytes

// weigh wants a page to weigh no more than it may. The server compresses as this does.
func (c *crawler) checkWeight(address, body string) {
	var wire bytes.Buffer
	zip := gzip.NewWriter(&wire)
	_, err := io.WriteString(zip, body)
	if err := errors.Join(err, zip.Close()); err != nil {
		c.t.Fatal(err)
	}
	if wire.Len() > pageWeight {
		c.t.Errorf("%s weighs %d bytes, want at most %d", address, wire.Len(), pageWeight)
	}
}

// staged reports whether a state of TestStates is a page of this kind.
func hasState(kind string) bool {
	path, _, _ := strings.Cut(kind[len("/en"):], "?")
	return slices.ContainsFunc(states, func(st pageState) bool {
		at, _, _ := strings.Cut(placeholder.ReplaceAllString(st.path, "ID"), "?")
		return strings.TrimSuffix(path, "/") == at
	})
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// checkIDs returns the ids of a page, and wants each to be there once.
func (c *crawler) checkIDs(address string, doc *goquery.Document) map[string]bool {
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, e *goquery.Selection) {
		id := e.AttrOr("id", "")
		if ids[id] {
			c.t.Errorf("%s: the id %q is there twice", address, id)
		}
		ids[id] = true
	})
	return ids
}

// checkLinks queues what a page leads to, and wants those ids to be there that it points at.
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
			c.t.Errorf("%s leads to %q", address, target)
			return
		}
		switch {
		case strings.HasPrefix(target, "#"):
			if !ids[u.Fragment] {
				c.t.Errorf("%s leads to %s, which is not there", address, target)
			}
		case u.Scheme == "data" || u.Scheme == "mailto":
		case u.Host != here.Host:
			if e.AttrOr("target", "") != "" && !strings.Contains(e.AttrOr("rel", ""), "noopener") {
				c.t.Errorf("%s lets %s reach into its window", address, target)
			}
			if u.Hostname() == here.Hostname() { // what stands in for Stripe
				if res, _ := request(c.t, c.client, http.MethodGet, target, "", nil); res.StatusCode != http.StatusOK {
					c.t.Errorf("%s leads to %s, which answers %d", address, target, res.StatusCode)
				}
			} else if goquery.NodeName(e) != "a" {
				c.t.Errorf("%s loads %s from somebody else", address, target)
			}
		default:
			c.queue = append(c.queue, u.RequestURI())
		}
	})
}

var rawKey = regexp.MustCompile(`\b[a-z_]+(\.[a-z_]+)+\b`)

// checkWords wants no text to be missing and none to be in the other language.
func (c *crawler) checkWords(address string, doc *goquery.Document) {
	text := visible(doc.Nodes[0])
	for _, sign := range []string{"!(", "%{", "<nil>", "%!"} {
		if i := strings.Index(text, sign); i >= 0 {
			c.t.Errorf("%s: a text is missing: %.80s", address, text[i:])
		}
	}
	for _, key := range rawKey.FindAllString(text, -1) {
		if c.texts[c.locale][key] != "" {
			c.t.Errorf("%s shows the key %s in place of its text", address, key)
		}
	}
	reported := map[string]bool{}
	for _, word := range words(text) {
		if c.foreign[word] && !reported[word] {
			reported[word] = true
			i := strings.Index(strings.ToLower(text), word)
			c.t.Errorf("%s is in %q and says %q: …%s…", address, c.locale, word, strings.Join(strings.Fields(text[max(0, i-40):min(len(text), i+40)]), " "))
		}
	}
}

// visible is what people read or hear of a document, apart from code, from what others typed, and from what is marked as being in a language of its own.
func visible(node *html.Node) string {
	if node.Type == html.TextNode {
		return node.Data
	}
	var text strings.Builder
	if node.Type == html.ElementNode {
		switch node.Data {
		case "script", "style", "code", "pre":
			return ""
		}
		for _, a := range node.Attr {
			switch a.Key {
			case "lang":
				if node.Data != "html" { // the API's own English, names of languages
					return ""
				}
			case "aria-label", "title", "alt", "placeholder", "data-label":
				text.WriteString(a.Val + " \n")
			}
		}
	}
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		text.WriteString(visible(child) + " ")
	}
	return text.String()
}

// foreignWords are the words of another language's texts that ours never have.
func foreignWords(own, foreign map[string]string) map[string]bool {
	ours, theirs := map[string]bool{}, map[string]bool{}
	for key, text := range own {
		for _, word := range words(text) {
			ours[word] = true
		}
		for _, word := range words(foreign[key]) {
			theirs[word] = true
		}
	}
	for word := range ours {
		delete(theirs, word)
	}
	for _, name := range []string{"example", "demo", "admin"} { // what people of the tests are called
		delete(theirs, name)
	}
	return theirs
}

// machine is what programs call things: an address, an id, the name of a field.
var machine = regexp.MustCompile(`%\{[^}]*\}|\S*[0-9_/{@]\S*|\S+\.\S+`)

// words are those of a text, in lower case, of three letters or more.
func words(text string) []string {
	found := strings.FieldsFunc(strings.ToLower(machine.ReplaceAllString(text, " ")), func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.DeleteFunc(found, func(word string) bool { return len(word) < 3 })
}

// readTexts are a language's texts by their full keys.
func readTexts(t *testing.T, locale string) map[string]string {
	t.Helper()
	raw, err := fs.ReadFile(os.DirFS("../../locales"), locale+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	var flatten func(prefix string, branch map[string]any)
	flatten = func(prefix string, branch map[string]any) {
		for key, value := range branch {
			if inner, ok := value.(map[string]any); ok {
				flatten(prefix+key+".", inner)
			} else {
				texts[prefix+key] = fmt.Sprint(value)
			}
		}
	}
	flatten("", tree)
	return texts
}
