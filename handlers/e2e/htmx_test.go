package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What htmx does to a page, as the one feels it who uses the page.
func TestHTMX(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := newBrowser(t, s, view{"en", 1280, 700})
	b.signIn("ada@example.com")
	b.open("/en/purchase")
	b.press("#buy-100")
	b.press("#pay")
	b.see("#balance", "100")

	t.Run("progress is shown once an answer takes its time", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/billing")
		b.delay(1500)
		b.do("press", chromedp.Click("#spend-job_match", chromedp.ByQuery))
		b.until("the progress is shown", shown("#progress"))
		b.see("#balance", "95")
		b.until("the progress is gone", `!`+shown("#progress"))
		b.delay(0)
	})
	t.Run("an answer at once shows none", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/billing")
		b.do("watch", chromedp.Evaluate(`window.seen = 0; (function look() { if (`+shown("#progress")+`) window.seen++; requestAnimationFrame(look) })()`, nil))
		b.press("#spend-job_match")
		b.see("#balance", "90")
		var quick bool
		b.do("time it", chromedp.Evaluate(`(() => { const r = performance.getEntriesByType("resource").filter(r => r.name.includes("/billing/spend")).at(-1);
			return r.duration > 180 || window.seen === 0 })()`, &quick)) // a machine that is that busy shows it, rightly
		if !quick {
			t.Error("the progress flickers where there is nothing to wait for")
		}
	})
	t.Run("pressing twice spends once", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/billing")
		b.delay(300)
		b.do("press twice", chromedp.Evaluate(`(button => { button.click(); button.click() })(document.querySelector("#spend-job_match"))`, nil))
		b.see("#balance", "85")
		b.delay(0)
		b.open("/en/billing")
		b.see("#balance", "85")
	})
	t.Run("ordering twice orders once", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/purchase")
		b.delay(300)
		b.do("count", chromedp.Evaluate(`window.sent = 0; document.addEventListener("submit", e => e.defaultPrevented || sent++); sessionStorage.sent = 0;
			addEventListener("pagehide", () => sessionStorage.sent = sent)`, nil))
		b.do("press twice", chromedp.Evaluate(`(button => { button.click(); button.click() })(document.querySelector("#buy-100"))`, nil))
		b.delay(0)
		b.until("come to pay", `location.pathname.startsWith("/c/pay/")`)
		b.open("/en/purchase")
		var sent string
		b.do("read", chromedp.Evaluate(`sessionStorage.sent`, &sent))
		if sent != "1" {
			t.Errorf("the form was sent %s times, want once", sent)
		}
	})
	t.Run("the keyboard stays where it was", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/billing")
		b.do("press Enter", chromedp.Focus("#spend-job_match", chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
		b.see("#balance", "80")
		b.until("the same button has the focus", `document.activeElement.id === "spend-job_match"`)
		b.see("#flash p", "")
	})
	t.Run("a fault shows where one looks", func(t *testing.T) {
		b := b.of(t)
		b.refused = true
		defer func() { b.refused = false }()
		b.open("/en/billing")
		b.do("spoil the form", chromedp.Evaluate(`document.querySelectorAll("[name=idempotency_key]").forEach(e => e.value = "")`, nil),
			chromedp.ScrollIntoView("#spend-resume_improvement", chromedp.ByQuery), chromedp.Evaluate(`scrollTo(0, 300)`, nil))
		b.press("#spend-resume_improvement")
		b.see(`#flash [role=alert]`, "")
		b.until("it is in the window", inWindow(`#flash [role=alert]`))
		b.until("and the page has not moved away", `scrollY > 0`)
		b.until("the button has the focus", `document.activeElement.id === "spend-resume_improvement"`)
	})
	t.Run("a server that is away is told", func(t *testing.T) {
		b := b.of(t)
		b.refused = true
		defer func() { b.refused = false }()
		b.open("/en/billing")
		b.do("go offline", network.EmulateNetworkConditions(true, 0, -1, -1))
		b.do("press", chromedp.Click("#spend-job_match", chromedp.ByQuery))
		b.see("#flash [role=alert]", "did not answer")
		b.do("come back", network.EmulateNetworkConditions(false, 0, -1, -1))
		b.press("#spend-job_match")
		b.see("#balance", "75")
		b.forget()
	})
	t.Run("back, forward and reload show what the address says, and so does the other language", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/history")
		b.choose("#kind", "purchase")
		b.until("filtered", `location.search.includes("kind=purchase") && document.querySelectorAll("main tbody tr").length === 1`)
		var german string
		b.do("read the other language", chromedp.Evaluate(`document.querySelector("#language-de").getAttribute("href")`, &german))
		if !strings.HasPrefix(german, "/de/history?") || !strings.Contains(german, "kind=purchase") {
			t.Errorf("the other language is at %s, want the filtered page", german)
		}
		b.do("reload", chromedp.Reload())
		b.until("still filtered", `document.querySelector("#kind").value === "purchase" && document.querySelectorAll("main tbody tr").length === 1`)
		b.do("back", chromedp.NavigateBack())
		b.until("all again", `location.search === "" && document.querySelectorAll("main tbody tr").length > 1`)
		b.do("forward", chromedp.NavigateForward())
		b.until("filtered again", `location.search.includes("kind=purchase") && document.querySelectorAll("main tbody tr").length === 1`)
		b.press("#language-de")
		b.until("German, filtered", `document.documentElement.lang === "de" && document.querySelector("#kind").value === "purchase" && document.querySelectorAll("main tbody tr").length === 1`)
	})
}

// shown and inWindow are scripts: whether one sees an element, and whether it is within the window.
func shown(selector string) string {
	return fmt.Sprintf(`(getComputedStyle(document.querySelector(%q)).visibility === "visible")`, selector)
}

func inWindow(selector string) string {
	return fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight })()`, selector)
}

// signIn signs in with an address of one's own.
func (b *browser) signIn(email string) {
	b.t.Helper()
	b.open("/" + b.locale + "/login")
	b.press("#sign-in-oidc")
	b.see("#custom-user", "")
	b.do("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"), chromedp.SetValue(`input[name="email"]`, email))
	b.press("#custom-user [type=submit]")
	b.see("#balance", "")
}

// of is the same browser in a part of its test.
func (b *browser) of(t *testing.T) *browser {
	b.t = t
	return b
}

// delay has every answer take this many milliseconds longer.
func (b *browser) delay(milliseconds float64) {
	b.t.Helper()
	b.do("slow down", network.EmulateNetworkConditions(false, milliseconds, -1, -1))
}

// forget drops what the console said of faults that were provoked.
func (b *browser) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = nil
}
