package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Every task of users and operators works by keyboard: Tab reaches each step, focus is visible at every stop, and Enter
// activates it.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ locale, total, balance, rest string }{{"en", "€40.00", "1,000", "990"},
		{"de", "40,00", "1.000", "990"}}[:dbtest.Depth(1, 2)] {
		t.Run(c.locale, func(t *testing.T) {
			email := "keys." + c.locale + "@example.com"
			b := newBrowser(t, s, view{c.locale, 1280, 900})
			b.expectRefusals = true
			b.typeAsBuyer(email, c.total, c.balance, c.rest)
			b.typeAsOperator(email)
		})
	}
	b := newBrowser(t, s, view{"en", 1280, 900})

	t.Run("a dialog traps the focus and returns it", func(t *testing.T) {
		b := b.withTest(t)
		b.open("/en/dev/components")
		b.pressEnter("#question")
		b.waitUntil("the dialog is open and has the focus",
			`document.querySelector("#ask-question").matches(":modal") && document.querySelector("#ask-question").contains(document.activeElement)`)
		b.check("dialog", "/dev/components")
		b.run("press Escape", chromedp.KeyEvent(kb.Escape))
		b.waitUntil("the dialog is closed and its button has the focus",
			`!document.querySelector("#ask-question").open && document.activeElement.id === "question"`)
	})
}

// typeAsBuyer signs in, buys, spends, filters the history, declares a withdrawal and renames the account.
func (b *browser) typeAsBuyer(email, total, balance, rest string) {
	b.open(b.page(""))
	b.tabTo(".skip-link")
	b.run("press Enter", chromedp.KeyEvent(kb.Enter))
	b.waitUntil("the content has the focus", `document.activeElement.id === "content"`)
	b.pressEnter("#start")
	b.pressEnter("#sign-in-oidc")
	b.waitForText("#custom-user", "")
	b.typeInto(`#custom-user input[name="name"]`, "Ada Example")
	b.typeInto(`#custom-user input[name="email"]`, email+kb.Enter)
	b.waitForText("#balance", "0")
	b.pressEnter("#resume-matcher")
	b.pressEnter(`.steps a[href="/dashboard"]`)
	b.pressEnter("#example")
	b.inShadow("the missing credits", "dialog[open]", "10")
	b.waitUntil("the dialog's link has the focus", inShadow("dialog a")+`.matches(":focus")`)
	b.run("press Escape", chromedp.KeyEvent(kb.Escape))
	b.waitForText("[role=alert]", "10")
	b.open(b.page("/purchase"))
	b.tabTo("#package-100")
	b.run("press the arrow to the next package", chromedp.KeyEvent(kb.ArrowDown))
	b.waitForText("#ordered", "1 × 500")
	b.pressEnter("#more summary")
	b.typeInto("#quantity", "2")
	b.waitForText("#ordered", "2 × 500")
	b.waitForText("#total", total)
	b.pressEnter("#place-order")
	b.waitForText("#pay", "")
	b.pressEnter("#pay")
	b.waitForText("#balance", balance)
	b.open("/dashboard")
	b.pressEnter("#example")
	b.inShadow("the rest", "details summary", rest)
	b.open(b.page("/billing"))
	b.waitForText("#balance", rest)
	b.pressEnter(fmt.Sprintf(`.nav-link[href=%q]`, b.page("/history")))
	b.pressEnter("#filter-fold summary")
	b.typeInto("#q", "qqq"+kb.Enter)
	b.pressEnter("#clear-nothing")
	b.waitUntil("all entries", `document.querySelectorAll("#movements tbody tr").length === 2`)
	b.pressEnter(`main a[href*="/purchase/"]`)
	b.waitUntil("the purchase's page", `location.pathname.includes("/purchase/")`)
	b.pressEnter("#withdraw")
	b.waitForText("#confirm-withdrawal", "")
	b.pressEnter("#confirm-withdrawal")
	b.waitForText("#received", "")
	b.pressEnter(fmt.Sprintf(`.nav-link[href=%q]`, b.page("/account")))
	b.typeInto("#name", "Ada King")
	b.pressEnter("#profile-save")
	b.waitForText("#signed-in-as", "Ada King")
	b.pressEnter("#sign-out")
	b.waitForText("#sign-in", "")
}

// typeAsOperator grants credits to a buyer, refunds part of the purchase, and makes and revokes a key.
func (b *browser) typeAsOperator(email string) {
	b.open(b.page("/login"))
	b.pressEnter("#sign-in-oidc")
	b.waitForText("#demo-admin", "")
	b.pressEnter("#demo-admin")
	b.waitForText("#balance", "")
	b.pressEnter(fmt.Sprintf(`.nav-link[href=%q]`, b.page("/admin")))
	b.typeInto("#q", email+kb.Enter)
	b.waitUntil("the search result", `location.search.includes("q=")`)
	b.pressEnter(`main a[href*="/admin/users/"]`)
	b.typeInto("#credits", "25")
	b.typeInto("#note", "Danke")
	b.pressEnter("#grant-submit")
	b.waitForText("#confirm", "")
	b.pressEnter("#confirm")
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.pressEnter(`main a[href*="/admin/purchases/"]`)
	b.typeInto("#amount", "1")
	b.typeInto("#note", "Danke")
	b.pressEnter("#refund-submit")
	b.waitForText("#confirm", "")
	b.pressEnter("#confirm")
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.open(b.page("/admin/keys"))
	b.typeInto("#name", email)
	b.pressEnter("#make-submit")
	b.waitUntil("the key has the focus", `document.activeElement.id === "new-key"`)
	b.open(b.page("/admin/keys"))
	b.pressEnter(`main tbody tr:first-child details summary`)
	b.pressEnter(`main tbody tr:first-child details button`)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.waitUntil("the key is revoked", `document.querySelector("main tbody tr:first-child details") === null`)
}

// typeInto reaches a field by Tab and replaces its value.
func (b *browser) typeInto(selector, text string) {
	b.t.Helper()
	b.tabTo(selector)
	b.run("type into "+selector, chromedp.KeyEvent("a", chromedp.KeyModifiers(input.ModifierCtrl)),
		chromedp.KeyEvent(text))
}

// pressEnter reaches an element by Tab and presses Enter.
func (b *browser) pressEnter(selector string) {
	b.t.Helper()
	b.tabTo(selector)
	b.run("press Enter on "+selector, chromedp.KeyEvent(kb.Enter))
}

// focusState is a script that reports whether the selected element has the focus, and what makes the focus hard to
// see. A shadow does not count, because buttons always have one.
const focusState = `((selector) => {
	const e = document.activeElement;
	if (e === document.body || e.id === "content") return {there: e.matches(selector), wrong: ""};
	e.getAnimations().forEach((a) => a.finish()); // a fading ring counts as gone
	const s = getComputedStyle(e), r = e.getClientRects()[0];
	if (!r) return {there: false, wrong: ""};
	const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
	const ring = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && !/^rgba.* 0\)$/.test(s.outlineColor);
	return {there: e.matches(selector), wrong: !ring ? "has no ring: " + e.outerHTML.slice(0, 90) : !top || !e.contains(top) && !top.contains(e) && !top.closest(".progress") ? "lies under " + (top ? top.outerHTML.slice(0, 60) : "the edge of the window (" + r.left + ", " + r.top + "; " + scrollX + ", " + scrollY + ")") + ": " + e.outerHTML.slice(0, 90) : ""};
})`

// scrollSettled is a script that resolves once the scroll position is unchanged for ten frames.
const scrollSettled = `new Promise(done => { let last, frames = 0; (function look() {
	const now = scrollX + " " + scrollY;
	frames = now === last ? frames + 1 : 0;
	last = now;
	frames < 10 ? requestAnimationFrame(look) : done();
})() })`

// tabTo reaches an element by Tab alone and requires visible, uncovered focus at every stop.
func (b *browser) tabTo(selector string) {
	b.t.Helper()
	const limit = 120 // stops per page
	b.waitForText(selector, "")
	b.waitUntil("htmx has settled",
		`!document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")`)
	for range limit {
		var at struct {
			There bool
			Wrong string
		}
		look := chromedp.Evaluate(focusState+`(`+strconv.Quote(selector)+`)`, &at)
		b.run("press Tab", chromedp.KeyEvent(kb.Tab), look)
		if at.Wrong != "" { // the window may still be scrolling
			b.run("wait for the scroll to end", chromedp.Evaluate(scrollSettled, nil, await), look)
		}
		if at.Wrong != "" {
			b.t.Errorf("on the way to %s the focused element %s", selector, at.Wrong)
		}
		if at.There {
			return
		}
	}
	b.t.Fatalf("%s: not reached within %d tabs", selector, limit)
}
