package e2e

import (
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// In the sandbox a user sees in Resume Matcher what is left and what a request took. A request that needs more credits
// waits while the user buys some in another tab, and then goes on as if nothing had been. A button pressed twice costs
// once, and the next user in this browser finds nothing of the one before.
func TestCreditsInResumeMatcherInTheBrowser(t *testing.T) {
	t.Parallel()
	words := map[string]struct{ credits, none, price, nothing string }{
		"de": {"Credits", "0 Credits", "100 Credits (5,00 €)", "Es wurde nichts berechnet."},
		"en": {"credits", "0 credits", "100 credits for €5.00", "Nothing was charged."}}
	for _, v := range views(both) {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			g := &fixture{db: db, url: dbtest.URLOf(db)}
			b := newBrowser(t, start(t, "DATABASE_URL="+g.url), v)
			b.signIn("ada@example.com")
			user, word := g.userID(t), words[v.locale]
			g.grantCredits(t, 10, user)
			b.open("/dashboard")
			b.inShadow("the balance", `details summary`, "10 "+word.credits)
			b.click("#example")
			b.inShadow("what the upload took and left", `output`, "−10 · ")
			b.inShadow("the new balance", `details summary`, word.none)
			b.checkUncovered("gate-charged")
			b.check("gate-charged", "/dashboard")

			b.expectRefusals = true // the console reports status 402
			b.open("/tailor")
			b.startTailoring()
			for what, text := range map[string]string{"the price": "15 " + word.credits, "the balance": word.none,
				"the package": word.price} {
				b.inShadow(what, `dialog[open]`, text)
			}
			b.check("gate-shortage", "/tailor")
			b.buyInAnotherTab()
			b.run("come back", chromedp.Evaluate(`dispatchEvent(new Event("focus"))`, nil))
			b.waitForText("#preview", "Kubernetes")
			b.inShadow("what is left", `details summary`, "85 "+word.credits)
			b.checkUncovered("gate-goes-on")
			b.check("gate-goes-on", "/tailor")

			b.breakModel(word.nothing)
			b.inShadow("what is left after a model that failed", `details summary`, "85 "+word.credits)

			b.run("press twice", chromedp.Evaluate(
				`(button => { button.click(); button.click() })(document.querySelector("#tailor .primary"))`, nil))
			b.inShadow("what is left after two presses", `details summary`, "70 "+word.credits)
			if n := g.count(t, `SELECT count(*) FROM credit_transactions WHERE reason = 'resume_improvement'`); n != 2 {
				t.Errorf("%d entries for improvements, want 2: one before and one for two presses", n)
			}
			g.grantCredits(t, -70, user)
			b.click("#tailor .primary")
			b.inShadow("the dialog", `dialog[open]`, "15 "+word.credits)
			b.run("decline", chromedp.Evaluate(inShadow("dialog button")+`.click()`, nil))
			b.waitForText("[role=alert]", "15")
			b.run("leave a draft", chromedp.Evaluate(`localStorage.setItem("resume_builder_draft", "Ada's")`, nil))
			b.run("sign out", network.ClearBrowserCookies())
			b.signIn("eve@example.com")
			b.open("/tailor")
			b.waitUntil("another user's draft is gone", `!localStorage.getItem("resume_builder_draft")`)
			b.check("gate-other-user", "/tailor")
			dbtest.CheckLedger(t, db)
		})
	}
}

// covered is a script that scrolls no further than it must to each thing that one can press or fill in, and lists those
// that the balance or its message then covers.
const covered = `(() => {
	const box = document.querySelector("credits-balance").shadowRoot;
	const found = [];
	for (const e of document.querySelectorAll("main :is(a, button, input, select, textarea)")) {
		if (!e.checkVisibility()) continue;
		e.scrollIntoView({block: "nearest", behavior: "instant"});
		const r = e.getBoundingClientRect();
		let over = !e.contains(document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2));
		for (const part of box.querySelectorAll("details, output:not(:empty)")) {
			const o = part.getBoundingClientRect();
			over ||= r.left < o.right && o.left < r.right && r.top < o.bottom && o.top < r.bottom;
		}
		if (over) found.push(e.outerHTML.slice(0, 90));
	}
	return found;
})()`

// checkUncovered requires that the credits in Resume Matcher's page cover nothing of it that can be scrolled into view.
func (b *browser) checkUncovered(name string) {
	b.t.Helper()
	var found []string
	b.measure(name, covered, &found)
	if len(found) > 0 {
		b.t.Fatalf("%s %s: covered by the balance or its message: %v", b.view, name, found)
	}
}

// breakModel lets the model fail, tries to have a resume rewritten, reads that nothing was charged, and mends the
// model.
func (b *browser) breakModel(nothing string) {
	b.t.Helper()
	var control string
	b.run("read the address of the control page", chromedp.Evaluate(`document.querySelector("#control").href`, &control))
	b.click("#control")
	b.waitForText("#now.ready", "good")
	b.check("control", "/control")
	b.click(`[value="fails-500"]`)
	b.click("#apply")
	b.waitForText("#now.processing", "fails-500")
	b.click("#product")
	b.click(`.steps a[href="/tailor"]`)
	b.expectServerErrors = true
	b.startTailoring()
	b.waitForText("[role=alert]:not([hidden])", "")
	b.inShadow("what a model that failed took", `output`, nothing)
	b.checkUncovered("control-failed")
	b.check("control-failed", "/tailor")
	b.expectServerErrors = false
	request(b.t, http.DefaultClient, http.MethodPost, control, "model=good",
		map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// buyInAnotherTab follows the dialog's link, which opens a tab, buys the package that is chosen there, and closes the
// tab.
func (b *browser) buyInAnotherTab() {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(*target.Info) bool { return true })
	b.run("follow the link", chromedp.Evaluate(inShadow("dialog a")+`.click()`, nil))
	ctx, stop := chromedp.NewContext(b.ctx, chromedp.WithTargetID(<-opened))
	defer stop() // closes the tab
	tab := &browser{t: b.t, site: b.site, view: b.view, ctx: ctx}
	chromedp.ListenTarget(ctx, tab.listen)
	// without a deadline, because the tab lives as long as the context of its first action
	if err := chromedp.Run(ctx, chromedp.EmulateViewport(int64(b.width), int64(b.height))); err != nil {
		b.t.Fatalf("attach to the other tab: %v", err)
	}
	tab.waitForText(`#package-100:checked`, "")
	tab.click("#place-order")
	tab.click("#pay")
	tab.waitForText("#balance", "100")
	for _, text := range tab.console {
		b.t.Errorf("%s: console of the other tab: %s", b.view, text)
	}
}
