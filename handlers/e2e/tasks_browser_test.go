package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// view is the language and the size of a browser window.
type view struct {
	locale        string
	width, height int
}

var allViews = []view{{"de", 375, 812}, {"en", 1280, 900}, {"en", 375, 812}, {"de", 1280, 900}}

// The views in which make test makes a journey: the main one in both, each other in one. make test-full makes all in all.
var (
	germanPhone    = allViews[:1]
	englishDesktop = allViews[1:2]
	both           = allViews[:2]
)

// views are those in which a journey is made.
func views(daily []view) []view {
	if dbtest.Full() {
		return allViews
	}
	return daily
}

// String names subtests.
func (v view) String() string { return fmt.Sprintf("%s at %d px", v.locale, v.width) }

// inEachView runs a journey in each view. who is an address of its own each time.
func inEachView(t *testing.T, s *site, daily []view, name string, journey func(b *browser, email string)) {
	t.Helper()
	for _, view := range views(daily) {
		t.Run(fmt.Sprintf("%s in %s", name, view), func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, s, view)
			journey(b, fmt.Sprintf("%s.%s.%d@example.com", strings.ReplaceAll(name, " ", "."), view.locale, view.width))
		})
	}
}

// What people do besides buying and spending, and what operators do besides helping: each in both languages, on a phone
// and on a desktop, with axe on every stop and nothing in the console.
func TestWalksInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	inEachView(t, s, germanPhone, "debit", (*browser).payByDebit)
	inEachView(t, s, germanPhone, "history", (*browser).filterHistory)
	inEachView(t, s, englishDesktop, "account", (*browser).manageAccount)
}

// What is for sale belongs to everybody, so each operator at the desk has a server alone.
func TestDeskInTheBrowser(t *testing.T) {
	t.Parallel()
	for _, view := range views(germanPhone) {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			newBrowser(t, start(t), view).operatorTasks(fmt.Sprintf("desk.%s.%d@example.com", view.locale, view.width))
		})
	}
}

// page is an address in the browser's language.
func (b *browser) page(path string) string { return "/" + b.locale + path }

// debit buys with a bank's debit, which takes days: once it is paid in the end, once it fails.
func (b *browser) payByDebit(email string) {
	b.signIn(email)
	for _, c := range []struct{ step, state, balance string }{{"succeed", "paid", "500"}, {"fail", "failed", "500"}} {
		b.open(b.page("/purchase"))
		b.click("#buy-500")
		b.click("#debit")
		b.waitForText(`#return-state[data-state="waiting"]`, "")
		b.check("debit-waiting", b.page("/billing"))
		b.click(`#return-state a[href*="/purchase/"]`)
		b.waitForText(`#standing[data-status="awaiting_payment"]`, "")
		b.check("debit-awaiting", b.page("/purchase/"))
		var detail, session string
		b.run("remember the purchase", chromedp.Location(&detail))
		b.click("#dashboard")
		b.waitUntil("the stand-in's list", `location.pathname === "/dashboard" && document.querySelector("#payments") !== null`)
		b.run("find the payment", chromedp.Evaluate(fmt.Sprintf(`[...document.querySelectorAll("#payments tbody tr")].find(r => r.textContent.includes(%q)).querySelector("a.payment").getAttribute("href")`, email), &session))
		b.click(fmt.Sprintf("a.payment[href=%q]", session))
		b.click(fmt.Sprintf(`button[id^="%s-"]`, c.step))
		b.waitForText("#done", "")
		dbtest.Eventually(b.t, "the bank's word arrives", func() bool {
			b.run("look again", chromedp.Navigate(detail))
			var there bool // the balance may have been read a moment before the purchase
			b.run("read", chromedp.Evaluate(fmt.Sprintf(`document.querySelector("#standing").dataset.status === %q && document.querySelector("#balance").textContent.includes(%q)`, c.state, c.balance), &there))
			return there
		})
		b.check("debit-"+c.state, b.page("/purchase/"))
	}
}

// history looks for something in the history.
func (b *browser) filterHistory(email string) {
	b.signIn(email)
	b.open(b.page("/history"))
	b.check("history-empty", b.page("/history"))
	b.open(b.page("/purchase"))
	b.click("#buy-100")
	b.click("#pay")
	b.waitForText("#balance", "100")
	for _, left := range []string{"95", "90"} {
		b.open(b.page("/billing"))
		b.click("#spend-job_match")
		b.waitForText("#balance", left)
	}
	b.open(b.page("/history"))
	b.waitUntil("three movements", `document.querySelectorAll("#movements tbody tr").length === 3`)
	b.unfold("#filter-fold")
	b.choose("#kind", "job_match")
	b.waitUntil("those of a kind", `document.querySelectorAll("#movements tbody tr").length === 2 && location.search.includes("kind=job_match")`)
	b.check("history-kind", b.page("/history"))
	b.run("look for nothing", chromedp.SendKeys("#q", "qqq", chromedp.ByQuery))
	b.click("#show")
	b.waitForText("#clear-nothing", "")
	b.check("history-nothing", b.page("/history"))
	b.click("#clear-nothing")
	b.waitUntil("all again", `document.querySelectorAll("#movements tbody tr").length === 3`)
	b.waitUntil("the file is there to take", `document.querySelector('a[href*="history.csv"]') !== null`)
}

// account changes the name, links a second way to sign in and takes it back, ends a session, and deletes the account.
func (b *browser) manageAccount(email string) {
	b.signIn(email)
	b.open(b.page("/account"))
	b.check("account-new", b.page("/account"))
	b.enterText("#name", strings.Repeat("Wolfeschlegelsteinhausen", 9)[:200])
	b.click(`input[name="locale"][value="` + b.locale + `"]`)
	b.click("#profile-save")
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.waitForText("#signed-in-as", "Wolfeschlegelsteinhausen")
	b.check("account-long-name", b.page("/account"))
	b.expectRefusals = true
	b.run("clear the name", chromedp.SetValue("#name", " ", chromedp.ByQuery))
	b.click("#profile-save")
	b.waitForText("#name-error", "")
	b.check("account-nameless", b.page("/account"))
	b.clearConsole()
	b.expectRefusals = false

	b.open(b.page("/account"))
	b.click("#link-oidc")
	b.waitForText("#custom-user", "")
	b.run("be the same person elsewhere", chromedp.SetValue(`input[name="name"]`, "Ada"), chromedp.SetValue(`input[name="email"]`, "second."+email))
	b.click("#custom-user [type=submit]")
	b.waitUntil("two ways to sign in", `document.querySelectorAll("#sign-ins .lines li").length === 2`)
	b.check("account-linked", b.page("/account"))
	b.click(`#sign-ins li:last-child [id^="unlink-"]`)
	b.waitUntil("it asks, and begins at the harmless answer", `document.querySelector("dialog:modal")?.contains(document.activeElement) && document.activeElement.id.endsWith("-no")`)
	b.check("account-asks", b.page("/account"))
	b.click(`dialog:modal [id$="-no"]`)
	b.waitUntil("nothing has happened, and the button has the focus", `!document.querySelector("dialog:modal") && document.activeElement.id.startsWith("unlink-")`)
	b.click(`#sign-ins li:last-child [id^="unlink-"]`)
	b.click(`dialog:modal [id$="-yes"]`)
	b.waitUntil("one way to sign in", `document.querySelectorAll("#sign-ins .lines li").length === 1`)

	elsewhere := newVisitor(b.site, b.locale)
	elsewhere.t = b.t
	elsewhere.signInAs(email)
	b.open(b.page("/account"))
	b.click(`#sessions [id^="end-"]:not(#end-all)`)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.check("account-ended", b.page("/account"))
	if elsewhere.open("/" + b.locale + "/billing"); !strings.HasPrefix(elsewhere.at.Path, "/"+b.locale+"/login") {
		b.t.Errorf("the session that was ended is at %s", elsewhere.at)
	}

	b.click("#delete")
	b.waitForText("#delete-account", "")
	b.check("account-delete", b.page("/account/delete"))
	b.click("#sure")
	b.click("#delete-account")
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.waitForText("#sign-in", "")
	b.check("account-deleted", b.page(""))
}

// desk is what an operator does for the whole shop: a key, a price, what waits.
func (b *browser) operatorTasks(email string) {
	b.open(b.page("/login"))
	b.click("#sign-in-oidc")
	b.click("#demo-admin")
	b.waitForText("#balance", "")

	b.open(b.page("/admin/keys"))
	b.enterText("#name", email)
	b.enterText("#per-minute", "60")
	b.click("#make-submit")
	b.waitForText("#new-key-hint", "")
	b.waitUntil("the key is shown, ready to be copied", `/^rmc_\w{20,}/.test(document.querySelector("#new-key").value) && document.activeElement.id === "new-key"`)
	b.check("desk-key-made", b.page("/admin/keys"))
	b.open(b.page("/admin/keys"))
	b.waitUntil("it is shown once", `document.querySelector("#new-key") === null`)
	row := fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find(r => r.textContent.includes(%q))`, email)
	var revoke string
	b.run("find the key", chromedp.Evaluate(`((row) => row.querySelector('[id^="revoke-submit-"]').id.replace("revoke-submit-", ""))(`+row+`)`, &revoke))
	b.revoke(revoke)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.waitUntil("it is revoked", row+`.querySelector('[id^="revoke-"]') === null`)
	b.check("desk-key-revoked", b.page("/admin/keys"))

	b.open(b.page("/admin/features"))
	b.click("#edit-job_match")
	b.waitUntil("its form", `document.querySelector("#credits").value === "5"`)
	b.check("desk-feature", b.page("/admin/features"))
	b.enterText("#credits", "6")
	b.click("#feature-submit")
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.click("#edit-job_match")
	b.waitUntil("the new price", `document.querySelector("#credits").value === "6"`)
	b.enterText("#credits", "5")
	b.click("#feature-submit")
	b.waitForText(`#flash [data-variant="success"]`, "")

	guest := newVisitor(b.site, b.locale)
	guest.t = b.t
	guest.open(b.page("/withdrawal"))
	guest.submit("#confirm-withdrawal", "name", "Ada", "email", email, "contract", "100 Credits")
	b.open(b.page("/admin"))
	b.click(`#content a[href$="/admin/withdrawals"]`)
	b.waitForText("main", email)
	b.check("desk-withdrawals", b.page("/admin/withdrawals"))
	b.click(`button[id^="close-"]`)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.open(b.page("/admin/audit"))
	b.unfold("#filter-fold")
	b.choose("#kind", "withdrawal.close")
	b.click("#show")
	b.waitUntil("what was just done", `document.querySelectorAll("#all tbody tr, main tbody tr").length > 0 && location.search.includes("withdrawal.close")`)
	b.check("desk-audit", b.page("/admin/audit"))
}

// enterText replaces what stands in a field.
func (b *browser) enterText(selector, text string) {
	b.t.Helper()
	b.run("type into "+selector, chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q).value = ""`, selector), nil), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// unfold opens what is folded on a phone.
func (b *browser) unfold(selector string) {
	b.t.Helper()
	var folded bool
	b.run("look", chromedp.Evaluate(fmt.Sprintf(`!document.querySelector(%q).open && document.querySelector(%q).checkVisibility()`, selector, selector+" summary"), &folded))
	if folded {
		b.click(selector + " summary")
	}
	b.waitUntil("see what is in it", fmt.Sprintf(`document.querySelector(%q).checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})`, selector+" form"))
}

// choose takes an option as a person does.
func (b *browser) choose(selector, value string) {
	b.t.Helper()
	b.run("choose "+value, chromedp.SetValue(selector, value, chromedp.ByQuery))
}

// revoke opens what asks once more, and agrees.
func (b *browser) revoke(id string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[id="revoke-%s"] summary`, id))
	b.click(fmt.Sprintf(`[id="revoke-submit-%s"]`, id))
}
