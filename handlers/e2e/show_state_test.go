package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/resume-matcher/credits/models/dbtest"
)

// expand returns the state's address in a locale and the values to type.
func (st pageState) expand(locale string, ids *strings.Replacer) (address string, typed []string) {
	address = ids.Replace(st.path)
	if !strings.HasPrefix(address, "/auth/") {
		address = "/" + locale + address
	}
	address = strings.ReplaceAll(address, "{locale}", locale)
	for _, value := range st.typed {
		typed = append(typed, strings.ReplaceAll(value, "{locale}", locale))
	}
	return address, typed
}

// showState opens the state's page, submits its form if it has one, and checks the status.
func (v *visitor) showState(st pageState, ids *strings.Replacer) {
	v.t.Helper()
	address, typed := st.expand(v.locale, ids)
	v.open(address)
	if strings.HasSuffix(st.name, "-summary") {
		typed = append(typed, "confirmed", "")
	}
	if st.button != "" {
		v.submit(st.button, typed...)
	}
	if want := max(st.status, http.StatusOK); v.status != want {
		v.t.Errorf("%s %s: status %d, want %d", v.locale, st.name, v.status, want)
	}
}

// copySession signs the browser in as the visitor is, by copying the visitor's cookies.
func (b *browser) copySession(v *visitor) {
	b.t.Helper()
	own, err := url.Parse(b.site.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.run("clear cookies", network.ClearBrowserCookies())
	for _, cookie := range v.client.Jar.Cookies(own) {
		b.run("set cookie "+cookie.Name, network.SetCookie(cookie.Name, cookie.Value).WithURL(b.site.url))
	}
}

// showState shows the state without htmx and checks it in the browser's own window and in the narrowest one.
func (b *browser) showState(st pageState, ids *strings.Replacer) {
	b.t.Helper()
	b.expectRefusals = st.status != 0
	width := b.width
	address, typed := st.expand(b.locale, ids)
	b.open(address)
	if st.button != "" {
		b.submitForm(st.button, typed...)
	}
	b.check(st.name, "/")
	for _, narrow := range []int{320, 640}[:dbtest.Depth(1, 2)] { // 640 is 1280 at 200 %, as in TestZoom
		b.resize(narrow)
		b.checkWidth(st.name)
	}
	b.resize(width)
}

// submitForm submits a button's form as a browser without JavaScript does, bypassing the browser's own validation.
func (b *browser) submitForm(button string, typed ...string) {
	b.t.Helper()
	script := fmt.Sprintf(`const button = document.querySelector(%q), form = button.form;`, button)
	for i := 0; i+1 < len(typed); i += 2 {
		script += fmt.Sprintf(
			`(() => { const all = form.querySelectorAll("[name=%s]"), field = [...all].find(e => e.value === %q) ?? all[0];
			if (field.type === "radio" || field.type === "checkbox") { field.checked = true; return } field.value = %q })();`,
			typed[i], typed[i+1], typed[i+1])
	}
	script += `if (button.name) form.append(Object.assign(document.createElement("input"), {type: "hidden", name: button.name, value: button.value}));
		window.before = true; HTMLFormElement.prototype.submit.call(form)`
	b.run("submit "+button, chromedp.Evaluate(`(() => {`+script+`})()`, nil))
	b.waitUntil("the response has replaced the page", `window.before === undefined`)
}
