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

// All that users and operators do, without a mouse: every step is reached by Tab, every stop on the
// way is seen to have the focus, and it works by Enter.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct{ locale, total, balance, rest string }{{"en", "€40.00", "1,000", "990"}, {"de", "40,00", "1.000", "990"}}[:dbtest.Depth(1, 2)] {
		t.Run(c.locale, func(t *testing.T) {
			who := "keys." + c.locale + "@example.com"
			b := newBrowser(t, s, view{c.locale, 1280, 900})
			b.refused = true
			b.typeAsBuyer(who, c.total, c.balance, c.rest)
			b.typeAsOperator(who)
		})
	}
	b := newBrowser(t, s, view{"en", 1280, 900})

	t.Run("a dialog holds the keyboard and gives it back", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/dev/components")
		b.enter("#question")
		b.until("it is open", `document.querySelector("#ask-question").matches(":modal") && document.querySelector("#ask-question").contains(document.activeElement)`)
		b.check("dialog", "/dev/components")
		b.do("leave", chromedp.KeyEvent(kb.Escape))
		b.until("it is closed, and its button has the focus", `!document.querySelector("#ask-question").open && document.activeElement.id === "question"`)
	})
}

func (b *browser) typeAsBuyer(who, total, balance, rest string) {
	b.open(b.page(""))
	b.tab(".skip-link")
	b.do("skip", chromedp.KeyEvent(kb.Enter))
	b.until("the content has the focus", `document.activeElement.id === "content"`)
	b.enter("#start")
	b.enter("#sign-in-oidc")
	b.see("#custom-user", "")
	b.typeInto(`#custom-user input[name="name"]`, "Ada Example")
	b.typeInto(`#custom-user input[name="email"]`, who+kb.Enter)
	b.see("#balance", "0")
	b.enter("#spend-job_match")
	b.see("#shortage", "5")
	b.enter("#error-buy")
	b.until("come to the packages", `location.pathname.endsWith("/purchase")`)
	b.typeInto("#quantity-500", "2")
	b.see("#buy-500", total)
	b.enter("#buy-500")
	b.see("#pay", "")
	b.enter("#pay")
	b.see("#balance", balance)
	b.open(b.page("/billing"))
	b.enter("#spend-resume_analysis")
	b.see("#balance", rest)
	b.enter(fmt.Sprintf(`.nav-link[href=%q]`, b.page("/history")))
	b.typeInto("#q", "qqq"+kb.Enter)
	b.enter("#clear-nothing")
	b.until("all again", `document.querySelectorAll("#movements tbody tr").length === 2`)
	b.enter(`main a[href*="/purchase/"]`)
	b.until("come to the purchase", `location.pathname.includes("/purchase/")`)
	b.enter("#withdraw")
	b.see("#confirm-withdrawal", "")
	b.enter("#confirm-withdrawal")
	b.see("#received", "")
	b.enter(fmt.Sprintf(`.nav-link[href=%q]`, b.page("/account")))
	b.typeInto("#name", "Ada King")
	b.enter("#profile-save")
	b.see("#signed-in-as", "Ada King")
	b.enter("#sign-out")
	b.see("#sign-in", "")
}

// typeAsOperator grants credits to somebody who has bought, gives money back, and makes a key and revokes it.
func (b *browser) typeAsOperator(who string) {
	b.open(b.page("/login"))
	b.enter("#sign-in-oidc")
	b.see("#demo-admin", "")
	b.enter("#demo-admin")
	b.see("#balance", "")
	b.enter(fmt.Sprintf(`.nav-link[href=%q]`, b.page("/admin")))
	b.typeInto("#email", who+kb.Enter)
	b.until("it is found", `location.search.includes("email=")`)
	b.enter(`main a[href*="/admin/users/"]`)
	b.typeInto("#credits", "25")
	b.typeInto("#note", "Danke")
	b.enter("#grant-submit")
	b.see(`#flash [data-variant="success"]`, "")
	b.enter(`main a[href*="/admin/purchases/"]`)
	b.typeInto("#amount", "1")
	b.typeInto("#note", "Danke")
	b.enter("#refund-submit")
	b.see(`#flash [data-variant="success"]`, "")
	b.open(b.page("/admin/keys"))
	b.typeInto("#name", who)
	b.enter("#make-submit")
	b.until("the key has the focus", `document.activeElement.id === "new-key"`)
	b.open(b.page("/admin/keys"))
	b.enter(`main tbody tr:first-child details summary`)
	b.enter(`main tbody tr:first-child details button`)
	b.see(`#flash [data-variant="success"]`, "")
	b.until("it is revoked", `document.querySelector("main tbody tr:first-child details") === null`)
}

// typeInto goes to a field by Tab and types over what stands there.
func (b *browser) typeInto(selector, text string) {
	b.t.Helper()
	b.tab(selector)
	b.do("type into "+selector, chromedp.KeyEvent("a", chromedp.KeyModifiers(input.ModifierCtrl)), chromedp.KeyEvent(text))
}

// enter goes to an element by Tab and presses Enter on it.
func (b *browser) enter(selector string) {
	b.t.Helper()
	b.tab(selector)
	b.do("press Enter on "+selector, chromedp.KeyEvent(kb.Enter))
}

// focus is a script: whether what a selector names has the focus, and what is wrong with how the focus is seen. A shadow
// is none: buttons have one always.
const focus = `((selector) => {
	const e = document.activeElement;
	if (e === document.body || e.id === "content") return {there: e.matches(selector), wrong: ""};
	e.getAnimations().forEach((a) => a.finish()); // a ring that is on its way out counts as gone
	const s = getComputedStyle(e), r = e.getClientRects()[0];
	if (!r) return {there: false, wrong: ""};
	const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
	const ring = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && !/^rgba.* 0\)$/.test(s.outlineColor);
	return {there: e.matches(selector), wrong: !ring ? "has no ring: " + e.outerHTML.slice(0, 90) : !top || !e.contains(top) && !top.contains(e) && !top.closest(".progress") ? "lies under " + (top ? top.outerHTML.slice(0, 60) : "the edge of the window (" + r.left + ", " + r.top + "; " + scrollX + ", " + scrollY + ")") + ": " + e.outerHTML.slice(0, 90) : ""};
})`

// still is a script that ends once the window has stood still for ten frames.
const still = `new Promise(done => { let last, frames = 0; (function look() {
	const now = scrollX + " " + scrollY;
	frames = now === last ? frames + 1 : 0;
	last = now;
	frames < 10 ? requestAnimationFrame(look) : done();
})() })`

// tab goes to an element by Tab alone, and wants the focus to be seen and not to lie under anything, wherever it is on the way.
func (b *browser) tab(selector string) {
	b.t.Helper()
	const most = 120 // stops of one page
	b.see(selector, "")
	b.until("htmx is done, and with it the window's move", `!document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")`)
	for range most {
		var at struct {
			There bool
			Wrong string
		}
		look := chromedp.Evaluate(focus+`(`+strconv.Quote(selector)+`)`, &at)
		b.do("press Tab", chromedp.KeyEvent(kb.Tab), look)
		if at.Wrong != "" { // the window may still be on its way to where the focus is
			b.do("wait for the window", chromedp.Evaluate(still, nil, await), look)
		}
		if at.Wrong != "" {
			b.t.Errorf("on the way to %s the focus %s", selector, at.Wrong)
		}
		if at.There {
			return
		}
	}
	b.t.Fatalf("%s is not reached by Tab", selector)
}
