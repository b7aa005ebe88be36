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
	b.click("#buy-100")
	b.click("#pay")
	b.waitForText("#balance", "100")

	t.Run("progress is shown once an answer takes its time", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/billing")
		b.setLatency(1500)
		b.run("press", chromedp.Click("#spend-job_match", chromedp.ByQuery))
		b.waitUntil("the progress is shown", shown("#progress"))
		b.waitForText("#balance", "95")
		b.waitUntil("the progress is gone", `!`+shown("#progress"))
		b.setLatency(0)
	})
	t.Run("an answer at once shows none", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/billing")
		b.run("watch", chromedp.Evaluate(`window.seen = 0; (function look() { if (`+shown("#progress")+`) window.seen++; requestAnimationFrame(look) })()`, nil))
		b.click("#spend-job_match")
		b.waitForText("#balance", "90")
		var quick bool
		b.run("time it", chromedp.Evaluate(`(() => { const r = performance.getEntriesByType("resource").filter(r => r.name.includes("/billing/spend")).at(-1);
			return r.duration > 180 || window.seen === 0 })()`, &quick)) // a machine that is that busy shows it, rightly
		if !quick {
			t.Error("the progress flickers where there is nothing to wait for")
		}
	})
	t.Run("pressing twice spends once", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/billing")
		b.setLatency(300)
		b.run("press twice", chromedp.Evaluate(`(button => { button.click(); button.click() })(document.querySelector("#spend-job_match"))`, nil))
		b.waitForText("#balance", "85")
		b.setLatency(0)
		b.open("/en/billing")
		b.waitForText("#balance", "85")
	})
	t.Run("ordering twice orders once", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/purchase")
		b.setLatency(300)
		b.run("count", chromedp.Evaluate(`window.sent = 0; document.addEventListener("submit", e => e.defaultPrevented || sent++); sessionStorage.sent = 0;
			addEventListener("pagehide", () => sessionStorage.sent = sent)`, nil))
		b.run("press twice", chromedp.Evaluate(`(button => { button.click(); button.click() })(document.querySelector("#buy-100"))`, nil))
		b.setLatency(0)
		b.waitUntil("come to pay", `location.pathname.startsWith("/c/pay/")`)
		b.open("/en/purchase")
		var sent string
		b.run("read", chromedp.Evaluate(`sessionStorage.sent`, &sent))
		if sent != "1" {
			t.Errorf("the form was sent %s times, want once", sent)
		}
	})
	t.Run("the keyboard stays where it was", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/billing")
		b.run("press Enter", chromedp.Focus("#spend-job_match", chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
		b.waitForText("#balance", "80")
		b.waitUntil("the same button has the focus", `document.activeElement.id === "spend-job_match"`)
		b.waitForText("#flash p", "")
	})
	t.Run("a fault shows where one looks", func(t *testing.T) {
		b := b.withTest(t)
		b.expectRefusals = true
		defer func() { b.expectRefusals = false }()
		b.open("/en/billing")
		b.run("spoil the form", chromedp.Evaluate(`document.querySelectorAll("[name=idempotency_key]").forEach(e => e.value = "")`, nil),
			chromedp.ScrollIntoView("#spend-resume_improvement", chromedp.ByQuery), chromedp.Evaluate(`scrollTo(0, 300)`, nil))
		b.click("#spend-resume_improvement")
		b.waitForText(`#flash [role=alert]`, "")
		b.waitUntil("it is in the window", inWindow(`#flash [role=alert]`))
		b.waitUntil("and the page has not moved away", `scrollY > 0`)
		b.waitUntil("the button has the focus", `document.activeElement.id === "spend-resume_improvement"`)
	})
	t.Run("a server that is away is told", func(t *testing.T) {
		b := b.withTest(t)
		b.expectRefusals = true
		defer func() { b.expectRefusals = false }()
		b.open("/en/billing")
		b.run("go offline", network.EmulateNetworkConditions(true, 0, -1, -1))
		b.run("press", chromedp.Click("#spend-job_match", chromedp.ByQuery))
		b.waitForText("#flash [role=alert]", "did not answer")
		b.run("come back", network.EmulateNetworkConditions(false, 0, -1, -1))
		b.click("#spend-job_match")
		b.waitForText("#balance", "75")
		b.clearConsole()
	})
	t.Run("back, forward and reload show what the address says, and so does the other language", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/history")
		b.choose("#kind", "purchase")
		b.waitUntil("filtered", `location.search.includes("kind=purchase") && document.querySelectorAll("main tbody tr").length === 1`)
		var german string
		b.run("read the other language", chromedp.Evaluate(`document.querySelector("#language-de").getAttribute("href")`, &german))
		if !strings.HasPrefix(german, "/de/history?") || !strings.Contains(german, "kind=purchase") {
			t.Errorf("the other language is at %s, want the filtered page", german)
		}
		b.run("reload", chromedp.Reload())
		b.waitUntil("still filtered", `document.querySelector("#kind").value === "purchase" && document.querySelectorAll("main tbody tr").length === 1`)
		b.run("back", chromedp.NavigateBack())
		b.waitUntil("all again", `location.search === "" && document.querySelectorAll("main tbody tr").length > 1`)
		b.run("forward", chromedp.NavigateForward())
		b.waitUntil("filtered again", `location.search.includes("kind=purchase") && document.querySelectorAll("main tbody tr").length === 1`)
		b.click("#language-de")
		b.waitUntil("German, filtered", `document.documentElement.lang === "de" && document.querySelector("#kind").value === "purchase" && document.querySelectorAll("main tbody tr").length === 1`)
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
	b.click("#sign-in-oidc")
	b.waitForText("#custom-user", "")
	b.run("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"), chromedp.SetValue(`input[name="email"]`, email))
	b.click("#custom-user [type=submit]")
	b.waitForText("#balance", "")
}

// of is the same browser in a part of its test.
func (b *browser) withTest(t *testing.T) *browser {
	b.t = t
	return b
}

// delay has every answer take this many milliseconds longer.
func (b *browser) setLatency(milliseconds float64) {
	b.t.Helper()
	b.run("slow down", network.EmulateNetworkConditions(false, milliseconds, -1, -1))
}

// forget drops what the console said of faults that were provoked.
func (b *browser) clearConsole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = nil
}
