package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The main journey works in a browser, on a desktop and on a phone, in both languages, with axe and a silent console at
// every stop.
func TestJourneyInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	inEachView(t, s, both, "buyer", (*browser).journey)
}

// journey is the main journey in a browser.
func (b *browser) journey(email string) {
	other := map[string]string{"en": "de", "de": "en"}[b.locale]
	b.open("/" + b.locale)
	b.check("landing", "/"+b.locale)
	b.click("#sign-in")
	b.check("login", "/login")
	b.click("#sign-in-oidc")
	b.waitForText("#custom-user", "")
	b.check("identity", "")
	b.run("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"),
		chromedp.SetValue(`input[name="email"]`, email))
	b.click("#custom-user [type=submit]")
	b.waitForText("#balance", "0")
	b.check("billing-empty", "/billing")
	var zones bool
	b.run("read the cookie",
		chromedp.Evaluate(`document.cookie.split("; ").includes("tz=" + Intl.DateTimeFormat().resolvedOptions().timeZone)`,
			&zones))
	if !zones {
		b.t.Error("cookie tz is missing, want the browser's time zone")
	}

	b.click("#buy")
	b.check("purchase", "/purchase")
	b.click("#package-500")
	b.waitForText("#ordered", "1 × 500")
	b.waitUntil("the total of the package",
		`document.querySelector("#total").textContent.includes("20") && document.querySelector("[name=total]").value === "2000"`)
	b.click("#place-order")
	b.check("checkout", "/c/pay/")
	b.click("#pay")
	b.waitForText("#balance", "500")
	b.check("return", "/billing")

	b.open("/" + b.locale + "/billing")
	b.useResumeMatcher()
	b.open("/" + b.locale + "/billing")
	b.waitForText("#balance", "470")
	b.check("billing-spent", "/billing")

	b.click("#dashboard")
	b.check("dashboard", "/dashboard")

	b.open("/" + b.locale + "/history")
	b.check("history", "/history")
	b.click(`main a[href*="/purchase/"]`)
	b.check("purchase-detail", "/purchase/")
	b.click("#withdraw")
	b.waitForText("#confirm-withdrawal", "")
	b.check("withdrawal", "/withdrawal")
	b.run("fill in the withdrawal", chromedp.SetValue("#email", "nowhere@example"), chromedp.SetValue("#name", "Ada"))
	b.click("#confirm-withdrawal")
	b.waitForText("#received", "")
	b.check("withdrawal-received", "/withdrawal/")
	b.click("#language-" + other)
	b.waitForText(`html[lang="`+other+`"]`, "")
	b.click("#sign-out")
	b.waitForText("#sign-in", "")

	b.open("/" + b.locale + "/login")
	b.click("#sign-in-oidc")
	b.click("#demo-admin")
	b.waitForText("#balance", "")
	b.open("/" + b.locale + "/admin?q=" + strings.Split(email, "@")[0])
	b.check("admin", "/admin")
	b.click(`main a[href*="/admin/users/"]`)
	b.fillGrant("25")
	b.click("#grant-submit")
	b.waitForText("#confirm", "")
	b.click("#confirm")
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.check("admin-user", "/admin/users/")
	b.open("/" + b.locale + "/admin/events")
	b.check("admin-events", "/admin/events")
	b.open("/" + b.locale + "/admin/withdrawals")
	b.check("admin-withdrawals", "/admin/withdrawals")
	b.click(`button[id^="close-"]`)
	b.waitForText(`#flash [data-variant="success"]`, "")
	b.open("/" + b.locale + "/admin/audit")
	b.check("admin-audit", "/admin/audit")
}
