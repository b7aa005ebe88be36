package handlers

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/sandbox/identity"
)

// offer configures two sign-in providers, oidc and google, each on an identity stand-in.
func (f *fixture) offer(admins ...string) {
	f.t.Helper()
	var providers []auth.ProviderConfig
	for _, name := range []string{"oidc", "google"} {
		server, err := identity.Start(context.Background(),
			identity.Options{Listen: "127.0.0.1:0", ClientID: "credits", ClientSecret: "not-a-secret",
				RedirectURLs: []string{"http://localhost/auth/" + name + "/callback"}})
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(func() { _ = server.Close(context.Background()) })
		provider := auth.OpenID("Demo", server.Issuer(), "credits", "not-a-secret")
		if provider.Name = name; name == "google" {
			provider.Label = "Google"
		}
		providers = append(providers, provider)
	}
	f.setSignIn(auth.Options{Secrets: testSecrets, Providers: providers, AdminEmails: admins})
}

// setSignIn replaces the sign-in and the store of the sessions.
func (f *fixture) setSignIn(o auth.Options) {
	f.t.Helper()
	o.DB, o.AppURL = f.db, "http://localhost"
	var err error
	if f.handler.Auth, err = auth.New(o); err != nil {
		f.t.Fatal(err)
	}
	f.handler.Sessions = NewSessions(f.handler.Auth.Sessions(), o.Secrets, false)
}

// callbackFor signs in at the provider's page and returns the callback address.
func (f *fixture) callbackFor(address, email string) string {
	f.t.Helper()
	return f.callbackAs(address, email, "")
}

// callbackAs is callbackFor with a given subject instead of one derived from the address.
func (f *fixture) callbackAs(address, email, subject string) string {
	f.t.Helper()
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "localhost" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(address)
	if err != nil {
		f.t.Fatal(err)
	}
	defer page.Body.Close()
	doc, err := goquery.NewDocumentFromReader(page.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	form, data := doc.Find("input[name=email]").Closest("form"), url.Values{}
	form.Find("input[type=hidden]").
		Each(func(_ int, field *goquery.Selection) { data.Set(field.AttrOr("name", ""), field.AttrOr("value", "")) })
	data.Set("email", email)
	data.Set("name", "Ada Lovelace")
	data.Set("subject", subject)
	data.Set("verified", "on")
	form.Find("input[type=checkbox]").Each(func(_ int, field *goquery.Selection) {
		data.Set(field.AttrOr("name", ""), field.AttrOr("value", "on"))
	})
	target, err := page.Request.URL.Parse(form.AttrOr("action", ""))
	if err != nil {
		f.t.Fatal(err)
	}
	answer, err := browser.PostForm(target.String(), data)
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		text, _ := io.ReadAll(answer.Body)
		f.t.Fatalf("the provider answered %d, want a redirect: %s", answer.StatusCode, text)
	}
	return back.RequestURI()
}

// signInAs signs a user in at the oidc provider.
func (f *fixture) signInAs(email string) member {
	f.t.Helper()
	b := f.browser()
	b.signIn(email, "")
	if b.jar["session"] == "" {
		f.t.Fatalf("%s is not signed in", email)
	}
	return member{f, "session=" + b.jar["session"]}
}

// browser stores cookies like a browser with several tabs.
type browser struct {
	*fixture
	jar map[string]string
}

func (f *fixture) browser() browser { return browser{f, map[string]string{}} }

// visit opens a page and stores its cookies.
func (b browser) visit(path string) reply {
	b.t.Helper()
	var sent []string
	for name, value := range b.jar {
		sent = append(sent, name+"="+value)
	}
	r := b.call("GET", path, "", "Cookie: "+strings.Join(sent, "; "), "User-Agent: Firefox/145.0 (X11; Linux x86_64)")
	for _, cookie := range (&http.Response{Header: r.header}).Cookies() {
		if b.jar[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(b.jar, cookie.Name)
		}
	}
	return r
}

// begin starts a sign-in and returns the callback address.
func (b browser) begin(email, returnTo string) (callback string) {
	b.t.Helper()
	r := b.visit("/auth/oidc?locale=en&return_to=" + url.QueryEscape(returnTo))
	return b.callbackFor(r.header.Get("Location"), email)
}

// signIn completes a sign-in and returns the callback's response.
func (b browser) signIn(email, returnTo string) reply {
	b.t.Helper()
	return b.visit(b.begin(email, returnTo))
}

// flow returns the flow cookie that a response sets, ready to be appended to a Cookie header.
func (r reply) flow() string {
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, flowCookie) {
			value, _, _ := strings.Cut(line, ";")
			return "; " + value
		}
	}
	return ""
}

// flash returns the message that a response stores for the next page.
func (r reply) flash() string {
	for _, line := range r.header.Values("Set-Cookie") {
		if value, ok := strings.CutPrefix(line, "flash="); ok {
			value, _, _ = strings.Cut(value, ";")
			return value
		}
	}
	return ""
}
