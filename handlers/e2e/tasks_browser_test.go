package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// view is the locale and size of a browser window.
type view struct {
	locale        string
	width, height int
}

var allViews = []view{{"de", 375, 812}, {"en", 1280, 900}, {"en", 375, 812}, {"de", 1280, 900}}

// The views that make test uses: both for the main journey, one for any other. make test-full uses all four.
var (
	germanPhone    = allViews[:1]
	englishDesktop = allViews[1:2]
	both           = allViews[:2]
)

// views returns the views to test at the current depth.
func views(daily []view) []view {
	if dbtest.Full() {
		return allViews
	}
	return daily
}

// String names subtests.
func (v view) String() string { return fmt.Sprintf("%s at %d px", v.locale, v.width) }

// inEachView runs a journey once per view, each with its own e-mail address.
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

// Users pay by debit, filter their history and manage their account, accessibly and without console messages.
func TestUserTasksInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	inEachView(t, s, germanPhone, "debit", (*browser).payByDebit)
	inEachView(t, s, germanPhone, "history", (*browser).filterHistory)
	inEachView(t, s, englishDesktop, "account", (*browser).manageAccount)
}

// An operator manages keys, features and withdrawals. Features are global, so each run has its own server.
func TestOperatorTasksInTheBrowser(t *testing.T) {
	t.Parallel()
	for _, view := range views(germanPhone) {
		t.Run(view.String(), func(t *testing.T) {
			t.Parallel()
			newBrowser(t, start(t), view).operatorTasks(fmt.Sprintf("operator.%s.%d@example.com", view.locale, view.width))
		})
	}
}

// page returns a path in the browser's locale.
func (b *browser) page(path string) string { return "/" + b.locale + path }

// payByDebit pays with a bank debit, which takes days: one succeeds, one fails.
func (b *browser) payByDebit(email string) {
	b.signIn(email)
	for _, c := range []struct{ step, state, balance string }{{"succeed", "paid", "500"}, {"fail", "failed", "500"}} {
		b.open(b.page("/purchase?package=500"))
		b.click("#place-order")
		b.click("#debit")
		b.waitForText(`#return-state[data-state="waiting"]`, "")
		b.check("debit-waiting", b.page("/billing"))
		b.click(`#return-state a[href*="/purchase/"]`)
		b.waitForText(`#standing[data-status="awaiting_payment"]`, "")
		b.check("debit-awaiting", b.page("/purchase/"))
		var detail, session string
		b.run("read the purchase's address", chromedp.Location(&detail))
		b.click("#dashboard")
		b.waitUntil("the stand-in lists payments",
			`location.pathname === "/dashboard" && document.querySelector("#payments") !== null`)
		b.run("find the payment",
			chromedp.Evaluate(
				fmt.Sprintf(
					`[...document.querySelectorAll("#payments tbody tr")].find(r => r.textContent.includes(%q)).querySelector("a.payment").getAttribute("href")`, email), &session))
		b.click(fmt.Sprintf("a.payment[href=%q]", session))
		b.click(fmt.Sprintf(`button[id^="%s-"]`, c.step))
		b.waitForText("#done", "")
		dbtest.Eventually(b.t, "the purchase has the debit's outcome", func() bool {
			b.run("reload the purchase", chromedp.Navigate(detail))
			var updated bool // the balance may be older than the purchase
			b.run("read status and balance",
				chromedp.Evaluate(
					fmt.Sprintf(
						`document.querySelector("#standing").dataset.status === %q && document.querySelector("#balance").textContent.includes(%q)`, c.state, c.balance), &updated))
			return updated
		})
		b.check("debit-"+c.state, b.page("/purchase/"))
	}
}

// filterHistory filters the history by kind and by text.
func (b *browser) filterHistory(email string) {
	b.signIn(email)
	b.open(b.page("/history"))
	b.check("history-empty", b.page("/history"))
	b.open(b.page("/purchase"))
	b.click("#place-order")
	b.click("#pay")
	b.waitForText("#balance", "100")
	for range 2 {
		b.spend("job_match")
	}
	b.open(b.page("/history"))
	b.waitUntil("the purchase and two equal entries", `document.querySelectorAll("#movements tbody tr").length === 2`)
	b.checkStatement(email)
	b.unfold("#filter-fold")
	b.choose("#kind", "job_match")
	b.waitUntil("the entries of one kind",
		`document.querySelectorAll("#movements tbody tr").length === 1 && location.search.includes("kind=job_match")`)
	b.check("history-kind", b.page("/history"))
	b.run("search for qqq", chromedp.SendKeys("#q", "qqq", chromedp.ByQuery))
	b.click("#show")
	b.waitForText("#clear-nothing", "")
	b.check("history-nothing", b.page("/history"))
	b.click("#clear-nothing")
	b.waitUntil("all entries", `document.querySelectorAll("#movements tbody tr").length === 2`)
	b.waitUntil("the CSV link", `document.querySelector('a[href*="history.csv"]') !== null`)
}

// manageAccount changes the name, links and unlinks a second sign-in, ends a session, and deletes the account.
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
	b.run("sign in as a second identity", chromedp.SetValue(`input[name="name"]`, "Ada"),
		chromedp.SetValue(`input[name="email"]`, "second."+email))
	b.click("#custom-user [type=submit]")
	b.waitUntil("two sign-ins", `document.querySelectorAll("#sign-ins .lines li").length === 2`)
	b.check("account-linked", b.page("/account"))
	b.click(`#sign-ins li:last-child [id^="unlink-"]`)
	b.waitUntil("a dialog with focus on No",
		`document.querySelector("dialog:modal")?.contains(document.activeElement) && document.activeElement.id.endsWith("-no")`)
	b.check("account-asks", b.page("/account"))
	b.click(`dialog:modal [id$="-no"]`)
	b.waitUntil("no dialog, and focus on the button",
		`!document.querySelector("dialog:modal") && document.activeElement.id.startsWith("unlink-")`)
	b.click(`#sign-ins li:last-child [id^="unlink-"]`)
	b.click(`dialog:modal [id$="-yes"]`)
	b.waitUntil("one sign-in", `document.querySelectorAll("#sign-ins .lines li").length === 1`)

	elsewhere := newVisitor(b.site, b.locale)
	elsewhere.t = b.t
	elsewhere.signInAs(email)
	b.open(b.page("/account"))
	b.click(`#sessions [id^="end-"]:not(#end-all)`)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.check("account-ended", b.page("/account"))
	if elsewhere.open("/" + b.locale + "/billing"); !strings.HasPrefix(elsewhere.at.Path, "/"+b.locale+"/login") {
		b.t.Errorf("the ended session is at %s, want the sign-in page", elsewhere.at)
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

// operatorTasks makes and revokes a key, changes a feature's price, and closes a withdrawal.
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
	b.waitUntil("the key is shown and selected",
		`/^rmc_\w{20,}/.test(document.querySelector("#new-key").value) && document.activeElement.id === "new-key"`)
	b.check("operator-key-made", b.page("/admin/keys"))
	b.click("#copy-new-key")
	b.waitUntil("the button says that it has copied",
		`((button) => button.textContent === button.dataset.copied)(document.querySelector("#copy-new-key"))`)
	b.open(b.page("/admin/keys"))
	b.waitUntil("the key is no longer shown", `document.querySelector("#new-key") === null`)
	row := fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find(r => r.textContent.includes(%q))`, email)
	var revoke string
	b.run("find the key",
		chromedp.Evaluate(`((row) => row.querySelector('[id^="revoke-submit-"]').id.replace("revoke-submit-", ""))(`+row+`)`,
			&revoke))
	b.revoke(revoke)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.waitUntil("the key is revoked", row+`.querySelector('[id^="revoke-"]') === null`)
	b.check("operator-key-revoked", b.page("/admin/keys"))

	b.open(b.page("/admin/features"))
	b.click("#edit-job_match")
	b.waitUntil("the feature's form", `document.querySelector("#credits").value === "5"`)
	b.check("operator-feature", b.page("/admin/features"))
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
	b.check("operator-withdrawals", b.page("/admin/withdrawals"))
	b.click(`button[id^="close-"]`)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.open(b.page("/admin/audit"))
	b.unfold("#filter-fold")
	b.choose("#kind", "withdrawal.close")
	b.click("#show")
	b.waitUntil("the closed withdrawal in the audit log",
		`document.querySelectorAll("#all tbody tr, main tbody tr").length > 0 && location.search.includes("withdrawal.close")`)
	b.check("operator-audit", b.page("/admin/audit"))
}

// enterText replaces a field's value.
func (b *browser) enterText(selector, text string) {
	b.t.Helper()
	b.run("type into "+selector, chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q).value = ""`, selector), nil),
		chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// unfold opens an element that is folded on a phone.
func (b *browser) unfold(selector string) {
	b.t.Helper()
	var folded bool
	b.run("read whether it is folded",
		chromedp.Evaluate(fmt.Sprintf(`!document.querySelector(%q).open && document.querySelector(%q).checkVisibility()`,
			selector, selector+" summary"), &folded))
	if folded {
		b.click(selector + " summary")
	}
	b.waitUntil("its form is visible",
		fmt.Sprintf(`document.querySelector(%q).checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})`,
			selector+" form"))
}

// choose selects an option.
func (b *browser) choose(selector, value string) {
	b.t.Helper()
	b.run("choose "+value, chromedp.SetValue(selector, value, chromedp.ByQuery))
}

// revoke opens a key's confirmation and confirms it.
func (b *browser) revoke(id string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[id="revoke-%s"] summary`, id))
	b.click(fmt.Sprintf(`[id="revoke-submit-%s"]`, id))
}
