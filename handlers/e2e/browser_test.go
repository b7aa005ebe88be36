package e2e

import (
	"context"
	"encoding/json"
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

// The main job in a real browser, on a desktop and on a phone, in both languages: axe finds nothing on any stop, and
// the console says nothing.
func TestJourneyInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t, "DATABASE_URL="+dbtest.Empty(t))
	everywhere(t, s, "buyer", (*browser).journey)
}

func (b *browser) journey(email string) {
	other := map[string]string{"en": "de", "de": "en"}[b.locale]
	b.open("/" + b.locale)
	b.check("landing", "/"+b.locale)
	b.press("#sign-in")
	b.check("login", "/login")
	b.press("#sign-in-oidc")
	b.see("#custom-user", "")
	b.check("identity", "")
	b.do("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"), chromedp.SetValue(`input[name="email"]`, email))
	b.press("#custom-user [type=submit]")
	b.see("#balance", "0")
	b.check("billing-empty", "/billing")
	var zones bool
	b.do("read the cookie", chromedp.Evaluate(`document.cookie.split("; ").includes("tz=" + Intl.DateTimeFormat().resolvedOptions().timeZone)`, &zones))
	if !zones {
		b.t.Error("the browser does not tell its time zone")
	}

	b.press("#buy")
	b.check("purchase", "/purchase")
	b.press("#buy-500")
	b.check("checkout", "/c/pay/")
	b.press("#pay")
	b.see("#balance", "500")
	b.check("return", "/billing")

	b.open("/" + b.locale + "/billing")
	b.press("#spend-resume_analysis")
	b.see("#balance", "490")
	b.see("#flash p", "")
	b.check("billing-spent", "/billing")
	for _, left := range []string{"475", "460", "445"} {
		b.press("#spend-resume_improvement")
		b.see("#balance", left)
	}

	b.press("#dashboard")
	b.check("dashboard", "/dashboard")

	b.open("/" + b.locale + "/history")
	b.check("history", "/history")
	b.press(`main a[href*="/purchase/"]`)
	b.check("purchase-detail", "/purchase/")
	b.press("#withdraw")
	b.see("#confirm-withdrawal", "")
	b.check("withdrawal", "/withdrawal")
	b.do("email", chromedp.SetValue("#email", "nowhere@example"), chromedp.SetValue("#name", "Ada"))
	b.press("#confirm-withdrawal")
	b.see("#received", "")
	b.check("withdrawal-received", "/withdrawal/")
	b.press("#language-" + other)
	b.see(`html[lang="`+other+`"]`, "")
	b.press("#sign-out")
	b.see("#sign-in", "")

	b.open("/" + b.locale + "/login")
	b.press("#sign-in-oidc")
	b.press("#demo-admin")
	b.see("#balance", "")
	b.open("/" + b.locale + "/admin?email=" + strings.Split(email, "@")[0])
	b.check("admin", "/admin")
	b.press(`main a[href*="/admin/users/"]`)
	b.see("#grant-submit", "")
	b.do("grant", chromedp.SetValue(`[name="credits"]`, "25"), chromedp.SetValue(`[name="note"]`, "Danke"))
	b.press("#grant-submit")
	b.see("main", "Danke")
	b.check("admin-user", "/admin/users/")
	b.open("/" + b.locale + "/admin/events")
	b.check("admin-events", "/admin/events")
	b.open("/" + b.locale + "/admin/withdrawals")
	b.check("admin-withdrawals", "/admin/withdrawals")
	b.press(`button[id^="close-"]`)
	b.see(`#flash [data-variant="success"]`, "")
	b.open("/" + b.locale + "/admin/audit")
	b.check("admin-audit", "/admin/audit")
}

// browser is headless Chromium on one page, with what its console said.
type browser struct {
	t      *testing.T
	site   *site
	locale string
	name   string
	ctx    context.Context

	refused bool // forms are sent that are refused, of which the console says so
	broken  bool // the server is in trouble, of which it says so too

	mu      sync.Mutex
	console []string
}

// browserArguments let Chromium run as root, in a container, without calling anybody.
var browserArguments = append(chromedp.DefaultExecAllocatorOptions[:],
	chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
	chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))

func newBrowser(t *testing.T, s *site, locale string, width, height int) *browser {
	t.Helper()
	options := append(browserArguments[:len(browserArguments):len(browserArguments)], chromedp.WindowSize(width, height), chromedp.Flag("lang", locale))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // it complains of events newer than itself
	t.Cleanup(cancel)
	ctx, expire := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(expire)
	b := &browser{t: t, site: s, locale: locale, name: fmt.Sprintf("%s-%d", locale, width), ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	if err := chromedp.Run(ctx, log.Enable(), runtime.Enable(), chromedp.EmulateViewport(int64(width), int64(height))); err != nil {
		t.Fatalf("no browser (on Debian: apt-get install chromium): %v", err)
	}
	return b
}

func (b *browser) listen(event any) {
	var text string
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelInfo { // Chromium's word that it cleared the site's storage at sign-out
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
	if b.refused && (strings.Contains(text, "status of 4") || text == "console.error") || b.broken && strings.Contains(text, "status of 5") {
		return
	}
	if b.refused && strings.Contains(text, "The specified value") { // a date that is none, which the browser does not show
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = append(b.console, text)
}

// patience is how long one step may take. Chromium may lose what it waits for when a page goes away meanwhile.
const patience = 20 * time.Second

func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var at, body string
		_ = chromedp.Run(b.ctx, chromedp.Location(&at), chromedp.Evaluate(`document.body.innerText`, &body))
		b.t.Fatalf("%s at %s: %v\n%s", what, at, err, body)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.site.url+path))
}

// press clicks what a selector names, once it is there and not disabled.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.see(selector+":not(:disabled)", "")
	b.do("press "+selector, chromedp.ScrollIntoView(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// see waits until an element shows a text, whatever page comes up meanwhile.
func (b *browser) see(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("see %q in %s", text, selector),
		fmt.Sprintf(`(() => { const e = document.querySelector(%q); return !!e && e.textContent.includes(%q) })()`, selector, text))
}

// until waits for a script to say yes on a page that is wholly there.
func (b *browser) until(what, script string) {
	b.t.Helper()
	eventually(b.t, what, patience, func() bool {
		var yes bool
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		return chromedp.Run(ctx, chromedp.Evaluate(`document.readyState === "complete" && `+script, &yes)) == nil && yes // an error: the page is just being left
	})
}

// check waits for the page at a path and wants it to be accessible, to fit the window, and to have left the console silent. With SCREENSHOTS set to
// a directory it also keeps a picture of the page there.
func (b *browser) check(name, path string) {
	b.t.Helper()
	b.until("come to "+path, fmt.Sprintf(`location.pathname.includes(%q)`, path))
	axe, err := os.ReadFile("../../node_modules/axe-core/axe.min.js")
	if err != nil {
		b.t.Fatalf("axe-core is missing (npm ci brings it): %v", err)
	}
	var found string
	var overflow int
	var there bool // since it looked at the page in another size
	b.do("look for axe", chromedp.Evaluate(`"axe" in window`, &there))
	if !there {
		b.do("load axe", chromedp.Evaluate(string(axe), nil))
	}
	b.do("axe on "+name,
		chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" | "))))`,
			&found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
		chromedp.Evaluate(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &overflow))
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatalf("axe on %s: %v", name, err)
	}
	for _, v := range violations {
		b.t.Errorf("%s %s: axe: %s", b.name, name, v)
	}
	if overflow > 0 {
		b.t.Errorf("%s %s: the page is %d px wider than the window", b.name, name, overflow)
	}
	b.mu.Lock()
	for _, text := range b.console {
		b.t.Errorf("%s %s: console: %s", b.name, name, text)
	}
	b.console = nil
	b.mu.Unlock()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		var picture []byte
		b.do("picture of "+name, chromedp.FullScreenshot(&picture, 100))
		if err := os.WriteFile(dir+"/"+b.name+"-"+name+".png", picture, 0o644); err != nil {
			b.t.Error(err)
		}
	}
}
