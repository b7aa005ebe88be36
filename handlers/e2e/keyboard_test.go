package e2e

import (
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The main job without a mouse: every step is reached by Tab, is seen to have the focus, and works by Enter.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t, "DATABASE_URL="+dbtest.Empty(t))
	b := newBrowser(t, s, "en", 1280, 900)
	b.open("/en")
	b.tab(".skip-link")
	b.do("skip", chromedp.KeyEvent(kb.Enter))
	b.until("the content has the focus", `document.activeElement.id === "content"`)
	b.enter("#start")
	b.enter("#sign-in-oidc")
	b.see("#demo-user", "")
	b.enter("#demo-user")
	b.see("#balance", "0")
	b.enter("#buy")
	b.tab("#quantity-500")
	b.do("type", chromedp.KeyEvent(kb.Backspace+"2"))
	b.see("#buy-500", "€40.00")
	b.enter("#buy-500")
	b.see("#pay", "")
	b.enter("#pay")
	b.see("#balance", "1,000")
	b.enter(`.nav-link[href="/en/history"]`)
	b.enter(`main a[href*="/purchase/"]`)
	b.until("come to the purchase", `location.pathname.includes("/purchase/")`)
	b.enter(`.nav-link[href="/en/account"]`)
	b.until("come to the account", `location.pathname === "/en/account"`)
	b.enter("#sign-out")
	b.see("#sign-in", "")

	t.Run("a dialog holds the keyboard and gives it back", func(t *testing.T) {
		b := b.of(t)
		b.open("/en/dev/components")
		b.enter("#question")
		b.until("it is open", `document.querySelector("#ask-question").matches(":modal") && document.querySelector("#ask-question").contains(document.activeElement)`)
		b.check("dialog", "/dev/components")
		b.do("leave", chromedp.KeyEvent(kb.Escape))
		b.until("it is closed, and its button has the focus", `!document.querySelector("#ask-question").open && document.activeElement.id === "question"`)
	})
	t.Run("who wants no motion sees none", func(t *testing.T) {
		b := b.of(t)
		b.do("ask for it", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}))
		b.open("/en/dev/components")
		b.until("nothing moves", `[...document.querySelectorAll("*")].every(e => parseFloat(getComputedStyle(e).transitionDuration) === 0 && parseFloat(getComputedStyle(e).animationDuration) === 0)`)
	})
	t.Run("forced colours leave every edge", func(t *testing.T) {
		b := b.of(t)
		b.do("force them", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}))
		b.open("/en/dev/components")
		b.until("edges are drawn", `[...document.querySelectorAll(".btn:not([data-variant=quiet]), .input, .card, .alert, .badge")].every(e => parseFloat(getComputedStyle(e).borderTopWidth) >= 1)`)
		b.check("forced-colors", "/dev/components")
	})
}

// enter goes to an element by Tab and presses Enter on it.
func (b *browser) enter(selector string) {
	b.t.Helper()
	b.tab(selector)
	b.do("press Enter on "+selector, chromedp.KeyEvent(kb.Enter))
}

// tab goes to an element by Tab alone, and wants the focus to be seen and not to lie under anything.
func (b *browser) tab(selector string) {
	b.t.Helper()
	const most = 80 // stops of one page
	b.see(selector, "")
	b.until("the page is there", `true`)
	for range most {
		b.do("press Tab", chromedp.KeyEvent(kb.Tab))
		var there, seen bool
		b.do("look for the focus", chromedp.Evaluate(`document.activeElement.matches(`+strconv.Quote(selector)+`)`, &there))
		if !there {
			continue
		}
		b.do("see the focus", chromedp.Evaluate(`(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
			return (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none") && !!top && (e.contains(top) || top.contains(e)) })()`, &seen))
		if !seen {
			b.t.Errorf("%s has the focus, and one does not see it", selector)
		}
		return
	}
	b.t.Fatalf("%s is not reached by Tab", selector)
}
