package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// browser is a tab of headless Chromium. It records what its console prints.
type browser struct {
	t    *testing.T
	site *site
	view
	ctx context.Context

	expectRefusals     bool // ignore the console's messages about status 4xx
	expectServerErrors bool // ignore its messages about status 5xx

	mu      sync.Mutex
	console []string
}

// newBrowser opens an isolated tab and closes it at the end of the test.
func newBrowser(t *testing.T, s *site, v view) *browser {
	t.Helper()
	ctx, stop, err := sharedChromium.open(v)
	if err != nil {
		t.Fatalf("start a browser (on Debian: apt-get install chromium-headless-shell): %v", err)
	}
	t.Cleanup(stop)
	b := &browser{t: t, site: s, view: v, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	b.run("listen to the console", log.Enable(), runtime.Enable())
	return b
}

func (b *browser) listen(event any) {
	var text string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelInfo { // Chromium reports that sign-out cleared the site's storage
			return
		}
		text = string(e.Entry.Level) + ": " + e.Entry.Text + " " + e.Entry.URL
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		text = "console." + string(e.Type)
	default:
		return
	}
	refusal := strings.Contains(text, "status of 4") || text == "console.error"
	if b.expectRefusals && refusal || b.expectServerErrors && strings.Contains(text, "status of 5") {
		return
	}
	if b.expectRefusals && strings.Contains(text, "The specified value") { // an invalid date
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = append(b.console, text)
}

func (b *browser) run(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, hangTimeout)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var at, body string
		_ = chromedp.Run(b.ctx, chromedp.Location(&at), chromedp.Evaluate(`document.body.innerText`, &body))
		b.t.Fatalf("%s at %s: %v\n%s", what, at, err, body)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.run("open "+path, chromedp.Navigate(b.site.url+path))
}

// click waits until an element is visible and enabled, and clicks it.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.waitUntil(selector+" to click",
		fmt.Sprintf(`!!document.querySelector(%q)?.getClientRects().length`, selector+":not(:disabled)"))
	b.run("click "+selector, chromedp.ScrollIntoView(selector, chromedp.ByQuery),
		chromedp.Click(selector, chromedp.ByQuery))
}

// waitForText waits until an element contains a text, across page loads. Protected spaces count as spaces.
func (b *browser) waitForText(selector, text string) {
	b.t.Helper()
	b.waitUntil(fmt.Sprintf("text %q in %s", text, selector),
		fmt.Sprintf(`(() => {
			const e = document.querySelector(%q);
			return !!e && e.textContent.replaceAll("\u00a0", " ").includes(%q);
		})()`, selector, strings.ReplaceAll(text, "\u00a0", " ")))
}

// waitUntil waits until a script returns true on a completely loaded page.
func (b *browser) waitUntil(what, script string) {
	b.t.Helper()
	dbtest.Eventually(b.t, what, func() bool {
		var yes bool
		ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second) // Chromium may never answer while the page unloads
		defer cancel()
		// an error means that the page is unloading
		return chromedp.Run(ctx, chromedp.Evaluate(`document.readyState === "complete" && `+script, &yes)) == nil && yes
	})
}

// check waits for the page at a path, then requires that axe finds nothing, the page fits the window and the console is
// empty. If SCREENSHOTS names a directory, it stores a picture of the page there.
func (b *browser) check(name, path string) {
	b.t.Helper()
	b.waitUntil("the page is "+path, fmt.Sprintf(`location.pathname.includes(%q)`, path))
	b.checkAxe(name)
	b.checkWidth(name)
	b.mu.Lock()
	for _, text := range b.console {
		b.t.Errorf("%s %s: console: %s", b.view, name, text)
	}
	b.console = nil
	b.mu.Unlock()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		var picture []byte
		b.run("capture "+name, chromedp.FullScreenshot(&picture, 100))
		if err := os.WriteFile(fmt.Sprintf("%s/%s-%d-%s.png", dir, b.locale, b.width, name), picture, 0o644); err != nil {
			b.t.Error(err)
		}
	}
}

// overflow is a script that lists the elements wider than the window.
const overflow = `(() => { const width = document.documentElement.clientWidth; if (document.documentElement.scrollWidth <= width) return [];
	return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest(".table-container, .code")).map(e => e.outerHTML.slice(0, 90)).slice(-3).concat(document.documentElement.scrollWidth + " px") })()`

// checkWidth requires that the page is no wider than the window.
func (b *browser) checkWidth(name string) {
	b.t.Helper()
	var found []string
	b.measure(name, overflow, &found)
	if len(found) > 0 {
		b.t.Errorf("%s %s: the page is wider than the window: %v", b.view, name, found)
	}
}

// settled is a script that waits for fonts and ends animations, both of which change sizes.
const settled = `document.fonts.ready.then(() => document.getAnimations().filter(a => a.effect.getComputedTiming().endTime < Infinity).forEach(a => a.finish()))`

// measure runs a script on the settled page.
func (b *browser) measure(name, script string, found any) {
	b.t.Helper()
	b.run("measure "+name, chromedp.Evaluate(settled+`.then(() => `+script+`)`, found, await))
}

// resize sets the window's width in pixels.
func (b *browser) resize(width int) {
	b.t.Helper()
	b.width = width
	b.run("resize", chromedp.EmulateViewport(int64(width), int64(b.height)))
}
