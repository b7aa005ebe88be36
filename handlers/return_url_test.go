package handlers

import (
	"net/url"
	"strings"
	"testing"
)

const matcherSite = "https://resumes.example.com"

// Only an allowed site can be returned to, whatever the address pretends.
func TestReturnURL(t *testing.T) {
	t.Parallel()
	h := &Handler{Site: Site{ReturnOrigins: []string{"http://localhost:3000", matcherSite}}}
	for _, address := range []string{matcherSite, matcherSite + "/", matcherSite + "/tailor?resume=4711&a=%2F#top",
		"http://localhost:3000/en/billing", matcherSite + "/" + strings.Repeat("x", 400)} {
		if got, err := h.returnURL(address); err != nil || got != address {
			t.Errorf("%s: got %q, %v, want it allowed", address, got, err)
		}
	}
	for _, address := range []string{"//evil.example", "///evil.example", "/en/billing", "javascript:alert(1)",
		"data:text/html,x", "https://evil.example", "https://resumes.example.com.evil.example/", "https://resumes.example.com@evil.example/",
		"https://user@resumes.example.com/", "https://resumes.example.com:8443/", "http://resumes.example.com/",
		`https://resumes.example.com\@evil.example/`, `https:\\resumes.example.com/`, "https:/resumes.example.com/",
		"https:resumes.example.com", "https://evil.example/?https://resumes.example.com/", "https://RESUMES.example.com/",
		" https://resumes.example.com/", "https://resumes.example.com/a b", "https://resumes.example.com/\r\nX: y",
		"https://resumes.example.com/ä", "https://resumes.example.com/%zz", `https://resumes.example.com/"><script>`,
		"ftp://resumes.example.com/", "https://", "https://:443/", "http://localhost/", "http://localhost:3001/",
		matcherSite + "/" + strings.Repeat("x", 500), "\x00"} {
		if got, err := h.returnURL(address); err == nil || got != "" {
			t.Errorf("%q: allowed as %q, want it refused", address, got)
		}
	}
}

// From the 402 over the packages, sign-in and Stripe, the buyer comes back to where the program wants them.
func TestBuyerReturnsToTheProgram(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	f.handler.Site.ReturnOrigins = []string{"http://localhost", matcherSite}
	ada := f.user("ada@example.com", 0)
	_, key := f.serviceKey("spend")
	back := matcherSite + "/tailor?resume=4711"
	for _, call := range []string{"spend", "holds"} {
		body := `{"email":"ada@example.com","feature":"resume_analysis","returnUrl":"` + back + `"}`
		r := f.call("POST", "/api/credits/"+call, body, key, "Idempotency-Key: "+call)
		want := "http://localhost/en/purchase?package=100&returnUrl=" + url.QueryEscape(back)
		if e := r.refusal(t).Error; r.status != 402 || e.Detail["purchaseUrl"] != want {
			t.Fatalf("%s: status %d %s, want 402 with %s", call, r.status, r.body, want)
		}
		body = strings.Replace(body, matcherSite, "//evil.example", 1)
		r = f.call("POST", "/api/credits/"+call, body, key, "Idempotency-Key: "+call)
		if e := r.refusal(t).Error; r.status != 422 || e.Detail["field"] != "returnUrl" ||
			e.Detail["problem"] != "return_url_refused" {
			t.Errorf("%s with another site: status %d %s, want 422 about returnUrl", call, r.status, r.body)
		}
	}
	page := "/en/purchase?package=100&returnUrl=" + url.QueryEscape(back)
	if r := f.call("GET", page, ""); r.header.Get("Location") != "/en/login?return_to="+url.QueryEscape(page) {
		t.Errorf("signed out: redirect to %q, want the sign-in that leads back", r.header.Get("Location"))
	}
	member := f.member(ada.ID)
	if r, _ := member.open(strings.Replace(page, url.QueryEscape(back), "%2F%2Fevil.example", 1)); r.status != 422 {
		t.Errorf("packages with another site: status %d, want 422", r.status)
	}
	_, doc := member.open(page)
	form := doc.Find("#order")
	if r := member.post(form.AttrOr("action", ""), sentBy(form)); r.status != 303 {
		t.Fatalf("order: status %d %s, want 303", r.status, r.body)
	}
	member.wantWayBack(ada.ID, back)
}

// wantWayBack pays the newest purchase and follows Stripe back.
func (m member) wantWayBack(user int64, back string) {
	m.t.Helper()
	f := m.fixture
	var id string
	if err := f.db.Raw(`SELECT id FROM purchases ORDER BY created_at DESC LIMIT 1`).Scan(&id).Error; err != nil {
		f.t.Fatal(err)
	}
	p := f.purchase(user, id)
	if _, doc := m.open("/en/billing?canceled=true"); doc.Find("#way-back").AttrOr("href", "") != back {
		f.t.Errorf("after leaving Stripe: no way back to %s", back)
	}
	f.play(p, "pay", "card")
	_, doc := m.open("/en/billing?success=true&session_id=" + p.CheckoutSessionID)
	link := doc.Find("#way-back")
	if link.AttrOr("href", "") != back || link.AttrOr("data-variant", "") != "primary" ||
		doc.Find("main .btn[data-variant=primary]").Length() != 1 || link.Text() != "Back to resumes.example.com" {
		f.t.Errorf("after paying: %q to %q, want the one primary button back to %s", link.Text(),
			link.AttrOr("href", ""), back)
	}
	f.handler.Site.ReturnOrigins = nil
	_, doc = m.open("/en/billing?success=true&session_id=" + p.CheckoutSessionID)
	if doc.Find("#way-back").Length() != 0 {
		f.t.Error("a site that is allowed no more is still linked")
	}
}

// The same idempotency key with another address to return to is another order.
func TestCheckoutTakesAReturnURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	f.handler.Site.ReturnOrigins = []string{matcherSite}
	cookie := "Cookie: " + f.signIn(f.user("ada@example.com", 0).ID)
	err := f.db.Raw(`SELECT stripe_price_id FROM prices WHERE credits_per_unit = 500`).Scan(&f.priceID).Error
	if err != nil {
		t.Fatal(err)
	}
	order := func(back string) reply {
		return f.call("POST", "/api/checkout", `{"priceId":"`+f.priceID+`","quantity":1,"returnUrl":"`+back+`"}`, cookie,
			"Idempotency-Key: order")
	}
	for _, c := range []struct {
		back   string
		status int
	}{{matcherSite + "/a", 201}, {matcherSite + "/a", 201}, {matcherSite + "/b", 409}, {"https://evil.example/", 422}} {
		if r := order(c.back); r.status != c.status {
			t.Errorf("back to %s: status %d %s, want %d", c.back, r.status, r.body, c.status)
		}
	}
}
