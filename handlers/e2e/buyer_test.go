package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// An impossible order is refused beside its field, which keeps the input.
func TestImpossibleOrdersAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for locale, want := range map[string]string{"en": "whole number from 1 to 100", "de": "ganze Zahl von 1 bis 100"} {
		v := newVisitor(s, locale)
		v.signInAs(locale + "@example.com")
		for _, typed := range []string{"", "0", "-1", "1,5", "1.000", "101", "1e1", "+1", "٣", "👍", "<b>1</b>",
			`"><script>alert(1)</script>`, strings.Repeat("9", 10_000)} {
			v.open("/" + locale + "/purchase?package=500")
			v.submit("#place-order", "quantity", typed)
			if v.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: quantity %.20q: status %d, want 422", locale, typed, v.status)
				continue
			}
			field := v.find("#quantity")
			if kept := field.AttrOr("value", ""); kept != typed {
				t.Errorf("%s: quantity %.20q: field = %.20q, want it unchanged", locale, typed, kept)
			}
			if field.AttrOr("aria-invalid", "") != "true" ||
				!strings.Contains(field.AttrOr("aria-describedby", ""), "quantity-error") {
				t.Errorf("%s: quantity %.20q: want the field marked and linked to its error", locale, typed)
			}
			if text := v.text("#quantity-error"); !strings.Contains(text, want) {
				t.Errorf("%s: quantity %.20q: error = %q, want %q", locale, typed, text, want)
			}
			if !v.find("#package-500").Is("[checked]") || !v.find("#more").Is("[open]") {
				t.Errorf("%s: quantity %.20q: want the 500 package selected and the quantity open", locale, typed)
			}
			if href := v.find("#language-en").AttrOr("href", ""); !strings.HasPrefix(href, "/en/purchase?price=price_") {
				t.Errorf("%s: language link = %s, want it to keep the package", locale, href)
			}
		}
	}
}

// A stale form leads back to the same choice, and a form that is sent twice is one order.
func TestOldAndRepeatedOrders(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := newVisitor(s, "de")
	v.signInAs("buyer@example.com")

	v.open("/de/purchase?package=500&quantity=3")
	got, ordered := v.text("#total"), v.text("#ordered")
	if !strings.Contains(got, "60,00") || ordered != "3 × 500 Credits" || !v.find("#package-500").Is("[checked]") {
		t.Errorf("total = %q for %q, want 60,00 for three times 500 credits", got, ordered)
	}
	for _, address := range []string{"/de/purchase?package=7&quantity=3", "/de/purchase?package=abc",
		"/de/purchase?package=-500", "/de/purchase?quantity=2", "/de/purchase?package=9223372036854775808"} {
		v.open(address)
		if selected := v.find(`[name="price_id"][checked]`).AttrOr("id", ""); v.status != http.StatusOK ||
			selected != "package-100" || v.find("#quantity").AttrOr("value", "") != "1" {
			t.Errorf("%s: status %d, %s selected, want 200 and one of the cheapest", address, v.status, selected)
		}
	}

	v.open("/de/purchase")
	first, again := v.form("#place-order", "quantity", "2"), v.form("#place-order", "quantity", "2")
	stale := v.form("#place-order", "quantity", "4", "price_id", v.find("#package-500").AttrOr("value", ""))
	page := *v.at
	v.show(first)
	once := v.at.String()
	v.at = &page
	v.show(again)
	if v.at.String() != once || !strings.Contains(once, "/c/pay/") {
		t.Errorf("one form leads to %s, then to %s, want one Checkout page", once, v.at)
	}

	v.open("/de/billing")
	v.submit("#sign-out")
	v.at = &page
	v.show(stale)
	if v.at.Path != "/de/login" || !strings.Contains(v.text("#flash"), "abgemeldet") {
		t.Errorf("order after signing out: %s says %q, want the sign-in page and why", v.at, v.text("#flash"))
	}
	v.click(`a[href^="/auth/oidc"]`)
	v.submit("#custom-user", "name", "Ada Example", "email", "buyer@example.com")
	v.wantOrder("sign-in", "500", "4")
	v.show(v.form("#place-order", "_csrf", "of another session"))
	if v.status != http.StatusForbidden {
		t.Errorf("token of another session: status %d, want 403", v.status)
	}
	v.click("#error-again")
	v.wantOrder("the stale form's retry link", "500", "4")
}

// wantOrder requires the order page with a package and a quantity.
func (v *visitor) wantOrder(after, credits, quantity string) {
	v.t.Helper()
	if v.at.Path != "/"+v.locale+"/purchase" || !v.find("#package-"+credits).Is("[checked]") ||
		v.find("#quantity").AttrOr("value", "") != quantity {
		v.t.Errorf("%s leads to %s, want the order of %s × %s credits", after, v.at, quantity, credits)
	}
}

// Every error page has a link that leads to a working page.
func TestErrorPagesLeadOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	guest, user := newVisitor(s, "de"), newVisitor(s, "de")
	user.signInAs("user@example.com")
	for _, v := range []*visitor{guest, user} {
		for path, status := range map[string]int{"/de/nothing": 404, "/de/account/sessions/end": 404, "/logout": 404,
			"/auth/oidc/callback": 400} {
			if v == user && status == 400 { // a signed-in user is redirected
				continue
			}
			v.open(path)
			if v.status != status {
				t.Errorf("%s: status %d, want %d", path, v.status, status)
			}
			v.find("#request-id")
			v.click("#content a.btn")
			if v.status != http.StatusOK {
				t.Errorf("link on the error page of %s leads to %s (status %d), want 200", path, v.at, v.status)
			}
		}
	}
	user.open("/de/purchase")
	user.show(user.form("#place-order", "quantity", strings.Repeat("9", 2<<20)))
	if user.status != http.StatusRequestEntityTooLarge {
		t.Errorf("form of 2 MB: status %d, want 413", user.status)
	}
	if again := user.find("#error-again").AttrOr("href", ""); again != "/de/purchase" {
		t.Errorf("retry link of the oversized form = %q, want the order page", again)
	}
}

// In a browser, a new user reads the prices, chooses a package, signs in, and buys it, with errors and missing credits
// on the way.
func TestBuyerInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t, "IMPRINT_URL=https://example.com/imprint", "TERMS_URL=https://example.com/terms",
		"PRIVACY_URL=https://example.com/privacy")
	for i, c := range views(germanPhone) {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, s, c)
			b.open("/" + c.locale)
			b.waitForText("#legal", "")
			b.check("start", "/"+c.locale)
			b.click("#choose-500")
			b.click("#sign-in-oidc")
			b.waitForText("#custom-user", "")
			b.run("sign in", chromedp.SetValue(`input[name="name"]`, strings.Repeat("Wolfeschlegelsteinhausen", 8)),
				chromedp.SetValue(`input[name="email"]`, fmt.Sprintf("seeker%d@example.com", i)))
			b.click("#custom-user [type=submit]")
			b.waitForText(`#package-500:checked`, "")
			b.waitUntil("the first package is in the window", inWindow("#package-100"))
			b.waitUntil("links to the terms and the withdrawal form",
				`document.querySelector("#order-terms-terms").href === "https://example.com/terms" && document.querySelector("#order-terms-withdrawal") !== null`)
			b.check("chosen", "/purchase")
			b.expectRefusals = true
			b.click("#more summary")
			b.run("type an invalid quantity", chromedp.SetValue("#quantity", "1,5", chromedp.ByQuery))
			b.click("#place-order")
			b.waitForText("#quantity-error", "100")
			b.waitUntil("the invalid field keeps its value and has the focus",
				`document.activeElement.id === "quantity" && document.activeElement.value === "1,5"`)
			b.check("refused", "/purchase")
			b.open("/" + c.locale)
			b.check("start-signed-in", "/"+c.locale)
			b.click("#open")
			b.click("#resume-matcher")
			b.click(`.steps a[href="/dashboard"]`)
			b.click("#example")
			b.inShadow("the missing credits", "dialog[open]", "10")
			b.check("too-few", "/dashboard")
			var packages string
			b.run("read the link", chromedp.Evaluate(inShadow("dialog a")+`.getAttribute("href")`, &packages))
			b.open(packages)
			b.waitForText(`#package-100:checked`, "")
			b.click("#place-order")
			b.waitForText("#pay", "")
		})
	}
}
