package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// htmx shows progress and errors, never sends twice, keeps the focus, and keeps the address in step.
func TestHTMX(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := newBrowser(t, s, view{"en", 1280, 700})
	b.signIn("admin@example.com")
	b.open("/en/purchase")
	b.click("#place-order")
	b.click("#pay")
	b.waitForText("#balance", "100")

	b.open("/en/admin?q=admin@example.com")
	var page string
	b.run("find the user's page", chromedp.Evaluate(
		`document.querySelector('main a[href*="/admin/users/"]').getAttribute("href")`, &page))

	t.Run("shows progress while an answer is slow", func(t *testing.T) {
		b := b.withTest(t)
		b.openGrant(page)
		b.setLatency(1500)
		b.run("click", chromedp.Click("#grant-submit", chromedp.ByQuery))
		b.waitUntil("progress is visible", shown("#progress"))
		b.waitForText("#confirm", "")
		b.waitUntil("progress is hidden", `!`+shown("#progress"))
		b.setLatency(0)
		b.click("#confirm")
		b.waitForText("#balance", "105")
	})
	t.Run("shows no progress for an immediate answer", func(t *testing.T) {
		b := b.withTest(t)
		b.openGrant(page)
		b.run("watch the progress bar",
			chromedp.Evaluate(`window.seen = 0; (function look() { if (`+shown("#progress")+
				`) window.seen++; requestAnimationFrame(look) })()`, nil))
		b.click("#grant-submit")
		b.waitForText("#confirm", "")
		var quick bool
		b.run("time the request",
			chromedp.Evaluate(
				`(() => { const r = performance.getEntriesByType("resource").filter(r => r.name.includes("/grant")).at(-1);
			return r.duration > 180 || window.seen === 0 })()`, &quick)) // a slow answer may show progress
		if !quick {
			t.Error("progress was visible for an answer within 180 ms")
		}
		b.click("#confirm")
		b.waitForText("#balance", "110")
	})
	t.Run("grants once when the button is pressed twice", func(t *testing.T) {
		b := b.withTest(t)
		b.openGrant(page)
		b.click("#grant-submit")
		b.waitForText("#confirm", "")
		b.setLatency(300)
		b.run("click twice",
			chromedp.Evaluate(`(button => { button.click(); button.click() })(document.querySelector("#confirm"))`, nil))
		b.waitForText("#balance", "115")
		b.setLatency(0)
		b.open(page)
		b.waitForText("#balance", "115")
	})
	t.Run("orders once when the button is pressed twice", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/purchase")
		b.setLatency(300)
		b.run("count submits",
			chromedp.Evaluate(
				`window.sent = 0; document.addEventListener("submit", e => e.defaultPrevented || sent++); sessionStorage.sent = 0;
			addEventListener("pagehide", () => sessionStorage.sent = sent)`, nil))
		b.run("click twice",
			chromedp.Evaluate(`(button => { button.click(); button.click() })(document.querySelector("#place-order"))`, nil))
		b.setLatency(0)
		b.waitUntil("the Checkout page", `location.pathname.startsWith("/c/pay/")`)
		b.open("/en/purchase")
		var sent string
		b.run("read the count", chromedp.Evaluate(`sessionStorage.sent`, &sent))
		if sent != "1" {
			t.Errorf("form submitted %s times, want 1", sent)
		}
	})
	t.Run("keeps the keyboard focus", func(t *testing.T) {
		b := b.withTest(t)
		b.openGrant(page)
		b.setLatency(1000) // the field is validated 400 ms after the input, while the form is being sent
		b.run("press Enter", chromedp.Evaluate(`document.querySelector("#credits").dispatchEvent(new Event("input", {bubbles: true}))`, nil),
			chromedp.Focus("#grant-submit", chromedp.ByQuery), chromedp.KeyEvent(kb.Enter))
		b.waitForText("#confirm", "")
		b.waitUntil("the summary has the focus", `document.activeElement.id === "content"`)
		b.setLatency(0)
		b.click("#confirm")
		b.waitForText("#balance", "120")
		b.waitForText("#flash p", "New balance: ")
		b.run("scroll to the end", chromedp.Evaluate(`scrollTo(0, document.body.scrollHeight)`, nil))
		b.waitUntil("the message is in the window", inWindow(`#flash .flash`))
		b.click(".flash-close")
		b.waitUntil("the message is gone and the focus is in the content",
			`!document.querySelector("#flash .flash") && document.activeElement.id === "content"`)
	})
	t.Run("removes a message of success when the next form is filled in", func(t *testing.T) {
		b := b.withTest(t)
		b.openGrant(page)
		b.click("#grant-submit")
		b.waitForText("#confirm", "")
		b.click("#confirm")
		b.waitForText("#balance", "125")
		b.waitForText(`#flash [data-variant="success"]`, "")
		b.run("type", chromedp.SendKeys("#credits", "7", chromedp.ByQuery))
		b.waitUntil("the message is gone",
			`!document.querySelector("#flash .flash") && document.querySelector("#credits").value === "7"`)
	})
	t.Run("shows an error inside the window", func(t *testing.T) {
		b := b.withTest(t)
		b.expectRefusals = true
		defer func() { b.expectRefusals = false }()
		b.openGrant(page)
		b.run("clear the token",
			chromedp.Evaluate(`document.body.removeAttribute("hx-headers"); document.querySelectorAll("[name=_csrf]").forEach(e => e.value = "")`, nil),
			chromedp.ScrollIntoView("#grant-submit", chromedp.ByQuery), chromedp.Evaluate(`scrollTo(0, 300)`, nil))
		b.click("#grant-submit")
		b.waitForText(`#flash [role=alert]`, "")
		b.waitUntil("the alert is in the window", inWindow(`#flash [role=alert]`))
		b.waitUntil("the page has not scrolled to the top", `scrollY > 0`)
		b.waitUntil("the button has the focus", `document.activeElement.id === "grant-submit"`)
	})
	t.Run("reports a server that does not answer", func(t *testing.T) {
		b := b.withTest(t)
		b.expectRefusals = true
		defer func() { b.expectRefusals = false }()
		b.openGrant(page)
		b.run("go offline", network.EmulateNetworkConditions(true, 0, -1, -1))
		b.run("click", chromedp.Click("#grant-submit", chromedp.ByQuery))
		b.waitForText("#flash [role=alert]", "did not answer")
		b.run("go online", network.EmulateNetworkConditions(false, 0, -1, -1))
		b.click("#grant-submit")
		b.waitForText("#confirm", "")
		b.click("#confirm")
		b.waitForText("#balance", "130")
		b.clearConsole()
	})
	t.Run("back, forward, reload and the other language show the page of the address", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/history")
		b.choose("#kind", "purchase")
		b.waitUntil("the filtered list",
			`location.search.includes("kind=purchase") && document.querySelectorAll("main tbody tr").length === 1`)
		var german string
		b.run("read the German link", chromedp.Evaluate(`document.querySelector("#language-de").getAttribute("href")`,
			&german))
		if !strings.HasPrefix(german, "/de/history?") || !strings.Contains(german, "kind=purchase") {
			t.Errorf("German link = %s, want the filtered page", german)
		}
		b.run("reload", chromedp.Reload())
		b.waitUntil("the filtered list after a reload",
			`document.querySelector("#kind").value === "purchase" && document.querySelectorAll("main tbody tr").length === 1`)
		b.run("back", chromedp.NavigateBack())
		b.waitUntil("the whole list", `location.search === "" && document.querySelectorAll("main tbody tr").length > 1`)
		b.run("forward", chromedp.NavigateForward())
		b.waitUntil("the filtered list after forward",
			`location.search.includes("kind=purchase") && document.querySelectorAll("main tbody tr").length === 1`)
		b.click("#language-de")
		b.waitUntil("the filtered list in German",
			`document.documentElement.lang === "de" && document.querySelector("#kind").value === "purchase" && document.querySelectorAll("main tbody tr").length === 1`)
	})
}

// openGrant opens an admin's page of a user and fills in the form for 5 credits.
func (b *browser) openGrant(page string) {
	b.t.Helper()
	b.open(page)
	b.fillGrant("5")
}

// fillGrant fills in the form that grants credits. No listener is called: the server does not validate the fields, and
// no text appears that would move the button.
func (b *browser) fillGrant(credits string) {
	b.t.Helper()
	b.waitForText("#grant-submit", "")
	b.run("fill in", chromedp.Evaluate(fmt.Sprintf(`document.querySelector("#credits").value = %q;
		document.querySelector("#note").value = "Danke"`, credits), nil))
}

// shown and inWindow return scripts that report whether an element is visible, and whether it is within the window.
func shown(selector string) string {
	return fmt.Sprintf(`(getComputedStyle(document.querySelector(%q)).visibility === "visible")`, selector)
}

func inWindow(selector string) string {
	return fmt.Sprintf(
		`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight })()`, selector)
}

// signIn signs in with an e-mail address.
func (b *browser) signIn(email string) {
	b.t.Helper()
	b.open("/" + b.locale + "/login")
	b.click("#sign-in-oidc")
	b.waitForText("#custom-user", "")
	b.run("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"),
		chromedp.SetValue(`input[name="email"]`, email))
	b.click("#custom-user [type=submit]")
	b.waitForText("#balance", "")
}

// withTest attaches the browser to a subtest.
func (b *browser) withTest(t *testing.T) *browser {
	b.t = t
	return b
}

// setLatency delays every answer.
func (b *browser) setLatency(milliseconds float64) {
	b.t.Helper()
	b.run("slow down", network.EmulateNetworkConditions(false, milliseconds, -1, -1))
}

// clearConsole drops the console's messages about provoked errors.
func (b *browser) clearConsole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = nil
}
