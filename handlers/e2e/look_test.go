package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// What a page may weigh on the wire, headers included: on the first visit with all it loads, and on every other.
const (
	firstVisit = 100_000 // bytes
	nextVisit  = 15_000
)

// look opens one page of each kind that was not seen before in a browser: on a desktop, on a phone and on the narrowest
// phone there is. Nothing is heavy, jumps, is inaccessible (unless TestStates sees to that), wider than the window, or worth
// a word in the console.
func (c *crawler) look(t *testing.T, seen map[string]bool) {
	b := newBrowser(t, c.site, c.locale, 1280, 900)
	own, err := url.Parse(c.site.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range c.client.Jar.Cookies(own) {
		b.do("be who crawled", network.SetCookie(cookie.Name, cookie.Value).WithURL(c.site.url))
	}
	b.do("count", network.Enable())
	limit := firstVisit
	for _, address := range c.first {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if seen[kind(u)] {
			continue
		}
		seen[kind(u)] = true
		name := fileName(kind(u))
		b.refused = strings.HasSuffix(address, "/nothing-here")
		b.size(1280)
		b.open(address)
		b.weigh(address, limit)
		limit = nextVisit
		if !staged(kind(u)) {
			b.check(name, u.Path)
			b.size(375)
			b.check(name, u.Path)
		}
		b.size(320)
		b.fit(address)
	}
}

// staged reports whether TestStates looks at a kind of page, in more states than links lead to.
func staged(kind string) bool {
	return slices.ContainsFunc(states, func(st state) bool {
		return st.button == "" && strings.TrimSuffix(kind[len("/en"):], "/") == placeholder.ReplaceAllString(st.path, "ID")
	})
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// weigh wants the page to have come from us alone, to weigh no more than this many bytes, and to have stayed in place.
func (b *browser) weigh(address string, limit int) {
	b.t.Helper()
	var text string
	b.do("weigh "+address, chromedp.Evaluate(`new Promise(done => {
		let shift = 0;
		new PerformanceObserver(list => list.getEntries().forEach(e => shift += e.value)).observe({type: "layout-shift", buffered: true});
		setTimeout(() => {
			const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(e => !e.name.startsWith("data:"));
			done(JSON.stringify({shift, bytes: all.reduce((sum, e) => sum + e.transferSize, 0), foreign: all.map(e => e.name).filter(n => !n.startsWith(location.origin + "/"))}));
		}, 100);
	})`, &text, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var found struct {
		Shift   float64
		Bytes   int
		Foreign []string
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("%s: %d bytes", address, found.Bytes)
	if found.Bytes > limit {
		b.t.Errorf("%s weighs %d bytes, want at most %d", address, found.Bytes, limit)
	}
	if found.Shift > 0.001 {
		b.t.Errorf("%s: what was there jumped, by %.3f", address, found.Shift)
	}
	if len(found.Foreign) > 0 {
		b.t.Errorf("%s loads %v from somebody else", address, found.Foreign)
	}
}

// size makes the window this many pixels wide.
func (b *browser) size(width int64) {
	b.t.Helper()
	b.name = fmt.Sprintf("%s-%d", b.locale, width)
	b.do("resize", chromedp.EmulateViewport(width, 900))
}

// fit wants the page to be no wider than the window.
func (b *browser) fit(address string) {
	b.t.Helper()
	var wide []string
	b.do("measure "+address, chromedp.Evaluate(`(() => { const width = document.documentElement.clientWidth; if (document.documentElement.scrollWidth <= width) return [];
		return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest(".table-container, .code")).map(e => e.outerHTML.slice(0, 90)).slice(-3) })()`, &wide))
	if len(wide) > 0 {
		b.t.Errorf("%s: at 320 px the page is wider than the window: %v", address, wide)
	}
}
