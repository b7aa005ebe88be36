package handlers

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/sandbox/identity"
)

// offer configures two providers on the sandbox's identity server: oidc, and one named google.
func (d *fixture) offer(admins ...string) {
	d.t.Helper()
	var providers []auth.ProviderConfig
	for _, name := range []string{"oidc", "google"} {
		server, err := identity.Start(context.Background(),
			identity.Options{Listen: "127.0.0.1:0", ClientID: "credits", ClientSecret: "not-a-secret",
				RedirectURLs: []string{"http://localhost/auth/" + name + "/callback"}})
		if err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { _ = server.Close(context.Background()) })
		provider := auth.OpenID("Demo", server.Issuer(), "credits", "not-a-secret")
		if provider.Name = name; name == "google" {
			provider.Label = "Google"
		}
		providers = append(providers, provider)
	}
	var err error
	d.handler.Auth, err = auth.New(auth.Options{DB: d.db, AppURL: "http://localhost", Secrets: testSecrets,
		Log:       slog.New(slog.DiscardHandler),
		Providers: providers, AdminEmails: admins})
	if err != nil {
		d.t.Fatal(err)
	}
}

// callbackFor signs in at the provider's page and returns the callback address.
func (d *fixture) callbackFor(address, email string) string {
	d.t.Helper()
	return d.callbackAs(address, email, "")
}

// callbackAs is callbackFor with a subject that does not follow from the address.
func (d *fixture) callbackAs(address, email, subject string) string {
	d.t.Helper()
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "localhost" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(address) //nolint:noctx // a test
	if err != nil {
		d.t.Fatal(err)
	}
	defer page.Body.Close()
	doc, err := goquery.NewDocumentFromReader(page.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	form, data := doc.Find("input[name=email]").Closest("form"), url.Values{}
	form.Find("input[type=hidden]").
		Each(func(_ int, field *goquery.Selection) { data.Set(field.AttrOr("name", ""), field.AttrOr("value", "")) })
	data.Set("email", email)
	data.Set("name", "Ada Lovelace")
	data.Set("subject", subject)
	data.Set("verified", "on")
	form.Find("input[type=checkbox]").Each(func(_ int,
		field *goquery.Selection) {
		data.Set(field.AttrOr("name", ""), field.AttrOr("value", "on"))
	})
	target, err := page.Request.URL.Parse(form.AttrOr("action", ""))
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := browser.PostForm(target.String(), data) //nolint:noctx // a test
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil {
		text, _ := io.ReadAll(answer.Body)
		d.t.Fatalf("the provider did not redirect: %d %s", answer.StatusCode, text)
	}
	return back.RequestURI()
}

// signInAs signs a user in through the provider.
func (d *fixture) signInAs(email string) member {
	d.t.Helper()
	b := d.browser()
	b.signIn(email, "")
	if b.jar["session"] == "" {
		d.t.Fatalf("%s is not signed in", email)
	}
	return member{d, "session=" + b.jar["session"]}
}

// browser stores cookies like a browser with several tabs.
type browser struct {
	*fixture
	jar map[string]string
}

func (d *fixture) browser() browser { return browser{d, map[string]string{}} }

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

// signIn goes all the way.
func (b browser) signIn(email, returnTo string) reply {
	b.t.Helper()
	return b.visit(b.begin(email, returnTo))
}

// flow returns the flow cookie that an answer sets.
func (r reply) flow() string {
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, flowCookie) {
			value, _, _ := strings.Cut(line, ";")
			return "; " + value
		}
	}
	return ""
}

// flash returns the message that an answer stores for the next page.
func (r reply) flash() string {
	for _, line := range r.header.Values("Set-Cookie") {
		if value, ok := strings.CutPrefix(line, "flash="); ok {
			value, _, _ = strings.Cut(value, ";")
			return value
		}
	}
	return ""
}

func TestLinkAnotherSignIn(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.offer()
	ada, bob := d.signInAs("ada@example.com"), d.signInAs("bob@example.com")
	linkURL := func(m member) string {
		_, doc := m.open("/en/account")
		return doc.Find("#link-oidc").AttrOr("href", "")
	}
	link := func(m member, email string) reply {
		t.Helper()
		r := m.call("GET", linkURL(m), "", "Cookie: "+m.cookie)
		if r.status != 302 || !strings.Contains(r.header.Get("Location"), "prompt=select_account") {
			t.Fatalf("linking begins with %d to %s", r.status, r.header.Get("Location"))
		}
		return m.call("GET", d.callbackFor(r.header.Get("Location"), email), "", "Cookie: "+m.cookie+r.flow())
	}
	for _, c := range []struct {
		who          member
		email, flash string
		signIns      int
	}{
		{ada, "ada.work@example.com", "linked", 2},
		{ada, "ada.work@example.com", "already_linked", 2},
		{ada, "bob@example.com", "identity_taken", 2},
		{bob, "ada.work@example.com", "identity_taken", 1},
	} {
		r := link(c.who, c.email)
		_, doc := c.who.open("/en/account")
		if got := doc.Find("#sign-ins .lines li").Length(); r.status != 303 || r.header.Get("Location") != "/en/account" ||
			r.flash() != c.flash || got != c.signIns {
			t.Errorf("linking %s: %d to %s, %q, %d sign-ins; want %q and %d", c.email, r.status, r.header.Get("Location"),
				r.flash(), got, c.flash, c.signIns)
		}
	}
	t.Run("links only from a page of the same session", func(t *testing.T) {
		own := linkURL(ada)
		for name, try := range map[string]struct {
			path, cookie string
			status       int
		}{
			"without a token":                   {"/auth/oidc?purpose=link", ada.cookie, 403},
			"with another's token":              {linkURL(bob), ada.cookie, 403},
			"with the token of another purpose": {strings.Replace(own, "purpose=link", "purpose=confirm", 1), ada.cookie, 403},
			"with an unknown purpose":           {strings.Replace(own, "purpose=link", "purpose=other", 1), ada.cookie, 400},
			"without a session":                 {own, "x=y", 401},
			"with a state of one's own":         {own + "&state=x", ada.cookie, 400},
		} {
			if r := d.call("GET", try.path, "", "Cookie: "+try.cookie); r.status != try.status {
				t.Errorf("%s: %d, want %d", name, r.status, try.status)
			}
		}
	})
	t.Run("accepts a callback once, in its own signed-in browser", func(t *testing.T) {
		began := ada.call("GET", linkURL(ada), "", "Cookie: "+ada.cookie)
		back := d.callbackFor(began.header.Get("Location"), "third@example.com")
		if r := bob.call("GET", back, "", "Cookie: "+bob.cookie); r.status != 303 ||
			r.header.Get("Location") != "/en/billing" {
			t.Errorf("in another's browser: %d to %s, want their own start page", r.status, r.header.Get("Location"))
		}
		if r := ada.call("GET", back+"&state=other", "", "Cookie: "+ada.cookie+began.flow()); r.flash() != "purpose_failed" {
			t.Errorf("with another state: %d %q", r.status, r.flash())
		}
		if r := ada.call("GET", back, "", "Cookie: "+ada.cookie+began.flow()); r.status != 303 ||
			r.header.Get("Location") != "/en/account" || r.flash() != "" {
			t.Errorf("a second time: %d to %s, %q, want the page and nothing done", r.status, r.header.Get("Location"),
				r.flash())
		}
		began = ada.call("GET", linkURL(ada), "", "Cookie: "+ada.cookie)
		back = d.callbackFor(began.header.Get("Location"), "fifth@example.com")
		if r := bob.call("GET", back, "", "Cookie: "+bob.cookie+began.flow()); r.status != 303 ||
			r.flash() != "purpose_session" {
			t.Errorf("with the flow of another's session: %d, %q, want that nothing is done", r.status, r.flash())
		}
		began = ada.call("GET", linkURL(ada), "", "Cookie: "+ada.cookie)
		back = d.callbackFor(began.header.Get("Location"), "fourth@example.com")
		ada.post("/logout", url.Values{})
		if r := ada.call("GET", back, "", "Cookie: "+ada.cookie+began.flow()); r.status != 401 {
			t.Errorf("after signing out: %d, want 401", r.status)
		}
		for _, email := range []string{"third@example.com", "fourth@example.com", "fifth@example.com"} {
			if traces := dbtest.Traces(t, d.db, email); len(traces) > 0 {
				t.Errorf("%v was stored", traces)
			}
		}
	})
}

func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.offer()
	ada := d.signInAs("ada@example.com")
	var id int64
	if err := d.db.Raw(`SELECT id FROM users`).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	d.credit(id, 50)
	t.Run("explains what a deletion removes and keeps", func(t *testing.T) {
		for _, locale := range []string{"en", "de"} {
			r, doc := ada.open("/" + locale + "/account/delete")
			if r.status != 200 || doc.Find("#goes, #stays, #lapses, #delete-account").Length() != 4 ||
				doc.Find("#debt, #live-holds, #awaiting, #disputed").Length() != 0 {
				t.Errorf("%s: %d with %s", locale, r.status, doc.Find("main").Text())
			}
		}
	})
	t.Run("requires the ticked box and the session's token", func(t *testing.T) {
		r := ada.post("/en/account/delete", url.Values{})
		if r.status != 422 || !strings.Contains(r.body, `id="sure-error"`) {
			t.Errorf("without the tick: %d", r.status)
		}
		if r := ada.call("POST", "/en/account/delete", "sure=yes", "Content-Type: application/x-www-form-urlencoded",
			"Cookie: "+ada.cookie); r.status != 403 {
			t.Errorf("without the token: %d", r.status)
		}
	})
	t.Run("requires a recent sign-in", func(t *testing.T) {
		late := ada
		late.cookie = d.signIn(id)
		d.age(late.cookie)
		if r := late.post("/en/account/delete", url.Values{"sure": {"yes"}}); r.status != 303 ||
			r.header.Get("Location") != "/en/confirm?return_to=%2Fen%2Faccount%2Fdelete" {
			t.Fatalf("after a long time: %d to %s", r.status, r.header.Get("Location"))
		}
		r, doc := late.open("/en/account/delete")
		if r.status != 200 || doc.Find("#prove").Length() != 1 || doc.Find("#delete-account").Length() != 0 {
			t.Fatalf("after a long time: %d", r.status)
		}
		prove := doc.Find("#prove-oidc").AttrOr("href", "")
		for email, flash := range map[string]string{"bob@example.com": "identity_other", "ada@example.com": "confirmed"} {
			began := late.call("GET", prove, "", "Cookie: "+late.cookie)
			r := late.call("GET", d.callbackFor(began.header.Get("Location"), email), "", "Cookie: "+late.cookie+began.flow())
			if r.flash() != flash || r.header.Get("Location") != "/en/account/delete" {
				t.Errorf("as %s: %q to %s", email, r.flash(), r.header.Get("Location"))
			}
			if _, doc := late.open("/en/account/delete"); (doc.Find("#delete-account").
				Length() == 1) != (flash == "confirmed") && flash == "confirmed" {
				t.Errorf("as %s: the form is not there", email)
			}
			if flash == "identity_other" {
				d.age(late.cookie)
			}
		}
	})
	t.Run("deletes once for twenty concurrent requests", func(t *testing.T) {
		dbtest.Concurrently(20, func(int) {
			if r := ada.post("/en/account/delete", url.Values{"sure": {"yes"}}); r.status != 303 && r.status != 401 {
				t.Errorf("status %d", r.status)
			}
		})
		if r, _ := ada.open("/en/account"); r.status != 303 || !strings.Contains(r.header.Get("Location"), "/login") {
			t.Errorf("the account still opens: %d", r.status)
		}
		var lines int64
		if err := d.db.Raw(`SELECT count(*) FROM credit_transactions WHERE user_id = ? AND delta_credits = -50`, id).
			Scan(&lines).Error; err != nil || lines != 1 {
			t.Errorf("the credits lapsed %d times (%v)", lines, err)
		}
		dbtest.CheckLedger(t, d.db)
	})
	t.Run("a later sign-in creates a new account", func(t *testing.T) {
		_, doc := d.signInAs("ada@example.com").open("/en/account/delete")
		if doc.Find("#lapses").Length() != 0 || doc.Find("#stays li").Length() != 2 {
			t.Errorf("the new account is not empty: %s", doc.Find("main").Text())
		}
	})
}

// age moves a session's reauthentication into the past.
func (d *fixture) age(cookie string) {
	d.t.Helper()
	_, key, _ := strings.Cut(cookie, "=")
	done := d.db.Exec(`UPDATE sessions SET proved_at = proved_at - interval '1 day' WHERE key_hash = ?`,
		d.handler.Sessions.rows.KeyHash(key))
	if done.Error != nil || done.RowsAffected != 1 {
		d.t.Fatalf("session: %v", done.Error)
	}
}

func TestExportAccount(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	user, other := d.user("ada@example.com", 500), d.user("bob@example.com", 700)
	if err := d.db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified, name) VALUES
		('https://id.example.com', 'a', ?, 'oidc', 'ada@example.com', true, '=1+1'), ('https://id.example.com', 'b', ?, 'oidc', 'bob@example.com', true, 'Bob')`,
		user.ID, other.ID).Error; err != nil {
		t.Fatal(err)
	}
	if err := d.db.Exec(
		`INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key)
		VALUES (gen_random_uuid(), ?, 1, 500, 123456, 'eur', 'de', 'k')`, user.ID).Error; err != nil {
		t.Fatal(err)
	}
	ada := d.member(user.ID)
	for locale, comma := range map[string]rune{"en": ',', "de": ';'} {
		r := ada.call("GET", "/"+locale+"/account/export.zip", "", "Cookie: "+ada.cookie)
		files := unzip(t, r)
		if len(files) != 18 || r.header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%s: %d with %d files", locale, r.status, len(files))
		}
		for name, text := range files {
			if strings.Contains(text, "bob") || strings.Contains(text, "Bob") ||
				strings.Contains(text, d.handler.Sessions.rows.KeyHash(strings.TrimPrefix(ada.cookie, "session="))) ||
				strings.Contains(text, "MISSING") || strings.Contains(text, "account.export") {
				t.Errorf("%s: %s contains foreign data or lacks texts: %s", locale, name, text)
			}
			if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
				t.Errorf("%s: %s is no JSON: %s", locale, name, text)
			}
			if strings.HasSuffix(name, ".csv") && !strings.HasPrefix(text, "\uFEFF") {
				t.Errorf("%s: %s has no byte order mark", locale, name)
			}
		}
		table := csv.NewReader(strings.NewReader(files["csv/purchases.csv"]))
		table.Comma = comma
		rows, err := table.ReadAll()
		if want := map[string]string{"en": "1234.56", "de": "1234,56"}[locale]; err != nil || len(rows) != 2 ||
			!slices.Contains(rows[1], want) {
			t.Errorf("%s: purchases %v (%v), want %s", locale, rows, err, want)
		}
		if !strings.Contains(files["csv/sign-ins.csv"], "'=1+1") ||
			!strings.Contains(files["json/movements.json"], `"deltaCredits":500`) ||
			!strings.Contains(files["csv/movements.csv"], "500") ||
			!strings.Contains(files["json/profile.json"], "ada@example.com") {
			t.Errorf("%s: something is missing in %v", locale, files)
		}
	}
	t.Run("refuses a second export at the same time", func(t *testing.T) {
		open, err := d.handler.Ledger.Export(t.Context(), user.ID, ledger.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		r := ada.call("GET", "/en/account/export.zip", "", "Cookie: "+ada.cookie)
		if r.status != 429 || r.header.Get(fiber.HeaderRetryAfter) == "" {
			t.Errorf("beside another one: %d, retry after %q", r.status, r.header.Get(fiber.HeaderRetryAfter))
		}
		open.Close()
		if r := ada.call("GET", "/en/account/export.zip", "", "Cookie: "+ada.cookie); r.status != 200 {
			t.Errorf("after it: %d", r.status)
		}
	})
	if r := d.call("GET", "/en/account/export.zip", ""); r.status != 303 {
		t.Errorf("without a session: %d", r.status)
	}
}

func unzip(t *testing.T, r reply) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader([]byte(r.body)), int64(len(r.body)))
	if err != nil {
		t.Fatalf("%d: %v", r.status, err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}
