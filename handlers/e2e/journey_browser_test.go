package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The main job in a real browser, on a desktop and on a phone, in both languages: axe finds nothing on any stop, and
// the console says nothing.
func TestJourneyInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	inEachView(t, s, both, "buyer", (*browser).journey)
}

func (b *browser) journey(email string) {
	other := map[string]string{"en": "de", "de": "en"}[b.locale]
	b.open("/" + b.locale)
	b.check("landing", "/"+b.locale)
	b.press("#sign-in")
	b.check("login", "/login")
	b.press("#sign-in-oidc")
	b.see("#custom-user", "")
	b.check("identity", "")
	b.do("sign in", chromedp.SetValue(`input[name="name"]`, "Ada Example"), chromedp.SetValue(`input[name="email"]`, email))
	b.press("#custom-user [type=submit]")
	b.see("#balance", "0")
	b.check("billing-empty", "/billing")
	var zones bool
	b.do("read the cookie", chromedp.Evaluate(`document.cookie.split("; ").includes("tz=" + Intl.DateTimeFormat().resolvedOptions().timeZone)`, &zones))
	if !zones {
		b.t.Error("the browser does not tell its time zone")
	}

	b.press("#buy")
	b.check("purchase", "/purchase")
	b.press("#buy-500")
	b.check("checkout", "/c/pay/")
	b.press("#pay")
	b.see("#balance", "500")
	b.check("return", "/billing")

	b.open("/" + b.locale + "/billing")
	b.press("#spend-resume_analysis")
	b.see("#balance", "490")
	b.see("#flash p", "")
	b.check("billing-spent", "/billing")
	for _, left := range []string{"475", "460", "445"} {
		b.press("#spend-resume_improvement")
		b.see("#balance", left)
	}

	b.press("#dashboard")
	b.check("dashboard", "/dashboard")

	b.open("/" + b.locale + "/history")
	b.check("history", "/history")
	b.press(`main a[href*="/purchase/"]`)
	b.check("purchase-detail", "/purchase/")
	b.press("#withdraw")
	b.see("#confirm-withdrawal", "")
	b.check("withdrawal", "/withdrawal")
	b.do("email", chromedp.SetValue("#email", "nowhere@example"), chromedp.SetValue("#name", "Ada"))
	b.press("#confirm-withdrawal")
	b.see("#received", "")
	b.check("withdrawal-received", "/withdrawal/")
	b.press("#language-" + other)
	b.see(`html[lang="`+other+`"]`, "")
	b.press("#sign-out")
	b.see("#sign-in", "")

	b.open("/" + b.locale + "/login")
	b.press("#sign-in-oidc")
	b.press("#demo-admin")
	b.see("#balance", "")
	b.open("/" + b.locale + "/admin?email=" + strings.Split(email, "@")[0])
	b.check("admin", "/admin")
	b.press(`main a[href*="/admin/users/"]`)
	b.see("#grant-submit", "")
	b.do("grant", chromedp.SetValue(`[name="credits"]`, "25"), chromedp.SetValue(`[name="note"]`, "Danke"))
	b.press("#grant-submit")
	b.see("main", "Danke")
	b.check("admin-user", "/admin/users/")
	b.open("/" + b.locale + "/admin/events")
	b.check("admin-events", "/admin/events")
	b.open("/" + b.locale + "/admin/withdrawals")
	b.check("admin-withdrawals", "/admin/withdrawals")
	b.press(`button[id^="close-"]`)
	b.see(`#flash [data-variant="success"]`, "")
	b.open("/" + b.locale + "/admin/audit")
	b.check("admin-audit", "/admin/audit")
}
