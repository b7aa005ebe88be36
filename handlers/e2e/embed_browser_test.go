package e2e

import (
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// In Resume Matcher's pages a user sees what is left and what a request took. A request that needs more credits waits
// until they have been bought, and then goes on as if nothing had been.
func TestCreditsInResumeMatcherInTheBrowser(t *testing.T) {
	t.Parallel()
	credits := map[string]string{"de": "Credits", "en": "credits"}
	for _, v := range views(both) {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			g := newGateFixture(t)
			b := newBrowser(t, startIn(t, g.dir, g.env...), v)
			b.signIn("ada@example.com")
			user := g.userID(t)
			g.grantCredits(t, 10, user)
			b.open("/dashboard")
			b.inShadow("the balance", `details summary`, "10 "+credits[v.locale])
			b.click("#example")
			b.inShadow("what the upload took", `output`, "10 "+credits[v.locale])
			b.inShadow("the new balance", `details summary`, "0 "+credits[v.locale])
			b.check("gate-charged", "/dashboard")

			b.expectRefusals = true // the console reports status 402
			b.open("/tailor")
			b.waitForText("#tailor option", "example.pdf")
			b.run("type", chromedp.SetValue(`#job`, "Backend engineer at Example Pay", chromedp.ByQuery))
			b.click("#tailor .primary")
			b.inShadow("the dialog", `dialog[open]`, "15 "+credits[v.locale])
			b.inShadow("the package", `dialog[open]`, "100 "+credits[v.locale])
			b.check("gate-shortage", "/tailor")
			g.grantCredits(t, 100, user)
			b.run("come back", chromedp.Evaluate(`dispatchEvent(new Event("focus"))`, nil))
			b.waitForText("#preview", "Kubernetes")
			b.inShadow("what is left", `details summary`, "85 "+credits[v.locale])
			b.check("gate-goes-on", "/tailor")

			g.grantCredits(t, -85, user)
			b.click("#tailor .primary")
			b.inShadow("the dialog", `dialog[open]`, "15 "+credits[v.locale])
			b.run("decline", chromedp.Evaluate(`document.querySelector("credits-balance").shadowRoot.querySelector("dialog button").click()`, nil))
			b.waitForText("[role=alert]", "15")
			b.run("leave a draft", chromedp.Evaluate(`localStorage.setItem("resume_builder_draft", "Ada's")`, nil))
			b.run("sign out", network.ClearBrowserCookies())
			b.signIn("eve@example.com")
			b.open("/tailor")
			b.waitUntil("another user's draft is gone", `!localStorage.getItem("resume_builder_draft")`)
			b.check("gate-other-user", "/tailor")
		})
	}
}

// inShadow waits until an element of the embedded credits contains a text.
func (b *browser) inShadow(what, selector, text string) {
	b.t.Helper()
	b.waitUntil(what, `!!document.querySelector("credits-balance")?.shadowRoot.querySelector(`+strconv.Quote(selector)+
		`)?.textContent.replace(/\u00a0/g, " ").includes(`+strconv.Quote(text)+`)`)
}
