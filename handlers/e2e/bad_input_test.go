package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Bad requests to the API and the pages get the right status and code.
func TestBadInput(t *testing.T) {
	t.Parallel()
	v := newVisitor(start(t), "de")
	v.signInAs("ada@example.com")
	t.Run("webhook", func(t *testing.T) { checkWebhook(t, v) })
	t.Run("checkout", func(t *testing.T) { checkCheckout(t, v) })
	t.Run("spend", func(t *testing.T) { checkSpend(t, v) })
	t.Run("sessions and origins", func(t *testing.T) { checkOrigins(t, v) })
	t.Run("forms", func(t *testing.T) { checkFormInput(t, v) })
	t.Run("languages", func(t *testing.T) { checkLanguages(t, v) })
	t.Run("changed and canceled forms", func(t *testing.T) { checkChangedForms(t, v) })
	t.Run("addresses", func(t *testing.T) { checkAddresses(t, v) })
}

// checkWebhook sends unsigned and oversized webhooks.
func checkWebhook(t *testing.T, v *visitor) {
	t.Helper()
	for name, c := range map[string]struct {
		body, signature string
		status          int
		code            string
	}{
		"no signature":    {`{"id":"evt_1"}`, "", 400, "WEBHOOK_SIGNATURE_INVALID"},
		"wrong signature": {`{"id":"evt_1"}`, "t=1,v1=00", 400, "WEBHOOK_SIGNATURE_INVALID"},
		"no body":         {"", "t=1,v1=00", 400, "WEBHOOK_SIGNATURE_INVALID"},
		"5 MB":            {strings.Repeat("x", 5<<20), "t=1,v1=00", 413, "PAYLOAD_TOO_LARGE"},
	} {
		status, r, _, _ := v.call("POST", "/api/stripe/webhook", c.body, map[string]string{"Stripe-Signature": c.signature})
		if status != c.status || r.Error.Code != c.code {
			t.Errorf("%s: status %d %s, want %d %s", name, status, r.Error.Code, c.status, c.code)
		}
	}
	if status, _, _, _ := v.call("GET", "/api/stripe/webhook", "", nil); status != 405 {
		t.Errorf("GET: status %d, want 405", status)
	}
}

// checkCheckout sends orders with invalid fields, and a valid one with extra fields.
func checkCheckout(t *testing.T, v *visitor) {
	t.Helper()
	v.open("/de/purchase?package=500")
	priceID := v.find(`[name="price_id"][checked]`).AttrOr("value", "")
	order := func(id, quantity, locale string) string {
		return `{"priceId":` + id + `,"quantity":` + quantity + `,"locale":` + locale +
			`,"credits":99999,"price":1,"userId":1}`
	}
	good := `"` + priceID + `"`
	for name, body := range map[string]string{
		"unknown price":  order(`"price_unknown"`, "1", `"de"`),
		"no price":       order(`""`, "1", `"de"`),
		"quantity 0":     order(good, "0", `"de"`),
		"quantity -1":    order(good, "-1", `"de"`),
		"quantity 101":   order(good, "101", `"de"`),
		"quantity 1.5":   order(good, "1.5", `"de"`),
		"quantity 1e2":   order(good, "1e2", `"de"`),
		"quantity 2^63":  order(good, "9223372036854775808", `"de"`),
		"quantity text":  order(good, `"1"`, `"de"`),
		"quantity null":  order(good, "null", `"de"`),
		"quantity list":  order(good, "[1]", `"de"`),
		"unknown locale": order(good, "1", `"fr"`),
	} {
		if status, r, text, _ := v.call("POST", "/api/checkout", body, nil); status != 422 ||
			r.Error.Code != "INVALID_REQUEST" || r.Error.Detail["field"] == nil {
			t.Errorf("%s: status %d %s, want 422 INVALID_REQUEST with the field", name, status, text)
		}
	}
	if status, _, text, _ := v.call("POST", "/api/checkout", order(`"price\u0000"`, "1", `"de"`), nil); status != 422 {
		t.Errorf("NUL in the price: status %d %s, want 422", status, text)
	}
	for name, body := range map[string]string{"no body": "", "a list": "[]", "cut off": `{"priceId":`, "text": "hello"} {
		if status, r, _, _ := v.call("POST", "/api/checkout", body, nil); status != 400 ||
			r.Error.Code != "INVALID_REQUEST" {
			t.Errorf("%s: status %d %s, want 400 INVALID_REQUEST", name, status, r.Error.Code)
		}
	}
	status, _, text, _ := v.call("POST", "/api/checkout", order(good, "2", `"en"`), nil)
	var out struct{ CheckoutURL, PurchaseID string }
	if err := json.Unmarshal([]byte(text), &out); err != nil || status != 201 || out.CheckoutURL == "" ||
		out.PurchaseID == "" {
		t.Fatalf("valid order: status %d %s, want 201 with checkoutUrl and purchaseId", status, text)
	}
	v.open("/de/purchase/" + out.PurchaseID)
	if text := v.text("main"); !strings.Contains(text, "1.000") || !strings.Contains(text, "40,00") {
		t.Errorf("purchase's page = %s, want 1,000 credits for 40 euros, ignoring the other fields", text)
	}
}

// checkSpend spends without credits, on an unknown feature, and with a key that is too long.
func checkSpend(t *testing.T, v *visitor) {
	t.Helper()
	s := v.site
	status, r, text, _ := v.call("POST", "/api/credits/spend", `{"feature":"resume_analysis"}`, nil)
	d := r.Error.Detail
	if status != 402 || r.Error.Code != "INSUFFICIENT_CREDITS" || d["required"] != 10.0 || d["available"] != 0.0 ||
		d["missing"] != 10.0 ||
		d["purchaseUrl"] != s.url+"/de/purchase?package=100" {
		t.Errorf("spend without credits: status %d %s, want 402 with the missing credits", status, text)
	}
	if !strings.Contains(r.Error.Message, "Credits") || !strings.Contains(r.Error.Message, "10") {
		t.Errorf("message = %q, want it in German with the number", r.Error.Message)
	}
	if status, _, text, _ = v.call("POST", "/api/credits/spend", `{"feature":"everything"}`, nil); status != 422 {
		t.Errorf("unknown feature: status %d %s, want 422", status, text)
	}
	if status, _, text, _ = v.call("POST", "/api/credits/spend", `{"feature":"job_match"}`,
		map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}); status != 400 {
		t.Errorf("key of 256 characters: status %d %s, want 400", status, text)
	}
}

// checkOrigins spends with a forged session and from foreign origins.
func checkOrigins(t *testing.T, v *visitor) {
	t.Helper()
	s := v.site
	anonymous := newVisitor(s, "en")
	forged := newVisitor(s, "en")
	address, _ := url.Parse(s.url)
	forged.client.Jar.SetCookies(address, []*http.Cookie{{Name: "session", Value: strings.Repeat("A", 43)}})
	for name, sender := range map[string]*visitor{"no session": anonymous, "forged session": forged} {
		if status, r, _, _ := sender.call("POST", "/api/credits/spend", `{"feature":"job_match"}`, nil); status != 401 ||
			r.Error.Code != "UNAUTHENTICATED" {
			t.Errorf("%s: status %d %s, want 401", name, status, r.Error.Code)
		}
		for _, cookie := range sender.client.Jar.Cookies(address) {
			if cookie.Name == "session" && sender == anonymous {
				t.Errorf("%s: got a session cookie, want none", name)
			}
		}
	}
	for name, header := range map[string]map[string]string{
		"another site":     {"Sec-Fetch-Site": "cross-site"},
		"a sister site":    {"Sec-Fetch-Site": "same-site"},
		"another origin":   {"Origin": "https://evil.example"},
		"an opaque origin": {"Origin": "null"},
	} {
		if status, r, _, _ := v.call("POST", "/api/credits/spend", `{"feature":"job_match"}`, header); status != 403 ||
			r.Error.Code != "FORBIDDEN" {
			t.Errorf("%s: status %d %s, want 403", name, status, r.Error.Code)
		}
	}
	if status, _, _, _ := v.call("POST", "/api/credits/spend", `{"feature":"job_match"}`,
		map[string]string{"Content-Type": "text/plain"}); status != 400 {
		t.Errorf("JSON as text/plain, as a foreign form can send: status %d, want 400", status)
	}
}

// checkFormInput sends forms without a valid token and with invalid values.
func checkFormInput(t *testing.T, v *visitor) {
	t.Helper()
	v.t = t
	for name, token := range map[string]string{"no token": "", "a wrong token": "wrong"} {
		v.open("/de/purchase?package=500")
		v.submit("#place-order", "_csrf", token)
		if v.status != 403 {
			t.Errorf("%s: status %d, want 403", name, v.status)
		}
	}
	for _, quantity := range []string{"0", "-1", "101", "1.5", "1,5", "", "٣", "9223372036854775808", "<b>"} {
		v.open("/de/purchase?package=500")
		v.submit("#place-order", "quantity", quantity)
		if v.status != 422 || v.doc.Find(`[aria-invalid="true"]`).Length() == 0 {
			t.Errorf("quantity %q: status %d with %d fields marked, want 422 and the field", quantity, v.status,
				v.doc.Find(`[aria-invalid="true"]`).Length())
		}
		if kept := v.doc.Find(`[aria-invalid="true"]`).AttrOr("value", "?"); kept != quantity {
			t.Errorf("form's quantity = %q, want %q as typed", kept, quantity)
		}
	}
	v.open("/de/purchase?package=500")
	v.submit("#place-order", "price_id", "price_unknown")
	if v.status != 422 {
		t.Errorf("unknown price: status %d, want 422", v.status)
	}
}

// checkLanguages follows the language from address, cookie and header.
func checkLanguages(t *testing.T, v *visitor) {
	t.Helper()
	s := v.site
	guest := newVisitor(s, "de-AT,en;q=0.5")
	guest.t = t
	for _, step := range []struct{ open, want string }{{"/", "/de"}, {"/en", "/en"}, {"/", "/en"},
		{"/de/login", "/de/login"}, {"/", "/de"}} {
		if guest.open(step.open); guest.at.Path != step.want {
			t.Errorf("%s leads to %s, want %s", step.open, guest.at.Path, step.want)
		}
	}
}

// checkChangedForms changes an order, and cancels a sign-in.
func checkChangedForms(t *testing.T, v *visitor) {
	t.Helper()
	s := v.site
	v.t = t
	v.open("/de/purchase?package=500")
	first, changed := v.form("#place-order", "quantity", "3"), v.form("#place-order", "quantity", "2")
	v.show(first)
	three := v.at.Path
	v.open("/de/purchase")
	v.show(changed) // the same form with another quantity
	if v.at.Path == three || !strings.HasPrefix(v.at.Path, "/c/pay/") {
		t.Errorf("changed form leads to %s (status %d), want its own Checkout page", v.at, v.status)
	}
	v.open("/de/account")
	v.submit("#end-all", "_csrf", "of another session")
	if v.status != http.StatusForbidden {
		t.Fatalf("form with another session's token: status %d, want 403", v.status)
	}
	v.click("#language-en")
	if v.status != http.StatusOK || v.at.Path != "/en/account" {
		t.Errorf("language link of a refused form leads to %s (status %d), want the account page", v.at, v.status)
	}
	guest := newVisitor(s, "de")
	guest.t = t
	guest.open("/de/login?return_to=/de/history")
	guest.click(`a[href^="/auth/oidc"]`)
	guest.submit("#cancel")
	if guest.status != http.StatusOK || guest.at.Path != "/de/login" ||
		guest.at.Query().Get("return_to") != "/de/history" ||
		guest.text("#flash") == "" {
		t.Errorf("canceled sign-in leads to %s (status %d) with message %q, want the sign-in page with a message", guest.at,
			guest.status, guest.text("#flash"))
	}
}

// checkAddresses opens unknown and invalid addresses.
func checkAddresses(t *testing.T, v *visitor) {
	t.Helper()
	s := v.site
	v.t = t
	for path, want := range map[string]int{
		"/de/nowhere": 404, "/de/purchase/1": 404,
		"/de/purchase/00000000-0000-7000-8000-000000000000": 404,
		"/de/admin": 404, "/de/admin/users/1": 404, "/de/admin/events": 404, "/de/history?cursor=x": 422,
		"/de/history?cursor=-1":                                  422,
		"/de/billing?success=true&session_id=cs_of_another_user": 404, "/de/billing?success=true&session_id=%00": 404,
		"/de/billing?success=true&session_id=%ff": 404,
		"/static/nothing.css":                     404,
	} {
		v.open(path)
		if v.status != want {
			t.Errorf("%s: status %d, want %d", path, v.status, want)
		}
		if v.doc.Find("h1").Length() != 1 || !strings.Contains(v.doc.Text(), "req_") {
			t.Errorf("%s: want one h1 and the request id", path)
		}
	}
	admin := newVisitor(s, "de")
	admin.t = t
	admin.signIn("#demo-admin")
	for path, want := range map[string]int{
		"/de/admin/events": 200, "/de/admin/audit": 200, "/de/admin?q=%00": 200, "/de/admin/users/0": 404,
		"/de/admin/users/x":          404,
		"/de/admin/users/2147483648": 404, "/de/admin/users/9223372036854775808": 404, "/de/admin/users/1%20or%201=1": 400,
	} {
		if admin.open(path); admin.status != want {
			t.Errorf("%s as an admin: status %d, want %d", path, admin.status, want)
		}
	}
	anonymous := newVisitor(s, "de")
	anonymous.t = t
	anonymous.open("/auth/oidc?state=chosen-by-an-attacker")
	if anonymous.status != 400 {
		t.Errorf("sign-in with a given state: status %d, want 400", anonymous.status)
	}
	anonymous.open("/auth/unknown")
	if anonymous.status != 404 {
		t.Errorf("unknown provider: status %d, want 404", anonymous.status)
	}
	anonymous.open("/de/login?return_to=//evil.example")
	if link := anonymous.find(`a[href^="/auth/oidc"]`).AttrOr("href", ""); strings.Contains(link, "evil") {
		t.Errorf("sign-in link = %s, want no foreign return_to", link)
	}
}
