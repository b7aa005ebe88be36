package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models/dbtest"
)

var wholeKey = regexp.MustCompile(`^rmc_[0-9A-Za-z]{38}$`)

// Without JavaScript, an admin makes a key, copies it from the only page that shows it, and revokes it.
func TestKeysByAnAdmin(t *testing.T) {
	t.Parallel()
	s := start(t, "ADMIN_EMAILS=admin@example.com,second@example.com")
	for _, c := range []struct{ locale, empty, nameless, limit, shown, valid, done, audit string }{
		{"en", "No keys yet", "1 to 80 characters", "60 calls per minute", "already been shown", "Valid",
			"The key has been revoked.", "Service key revoked"},
		{"de", "Gesperrt", "1 bis 80 Zeichen", "60 Aufrufe pro Minute", "schon einmal angezeigt", "Gültig",
			"Der Schlüssel wurde gesperrt.", "API-Schlüssel gesperrt"},
	} {
		t.Run("in "+c.locale, func(t *testing.T) {
			v := newVisitor(s, c.locale)
			v.t = t
			v.signIn("#demo-admin")
			v.open("/" + c.locale + "/admin")
			v.click(`main nav a[href$="/admin/keys"]`)
			if !strings.Contains(v.text("main"), c.empty) {
				t.Errorf("keys page = %s, want no valid key yet", v.text("main"))
			}
			v.submit("#make-submit", "name", " ", "per_minute", "60", "scope_read", "on")
			if v.status != http.StatusUnprocessableEntity || !strings.Contains(v.text("#name-error"), c.nameless) ||
				v.find("#per-minute").AttrOr("value", "") != "60" {
				t.Errorf("key without a name: status %d, want 422 and the limit kept: %s", v.status, v.text("main"))
			}
			if _, kept := v.find("#scope-read").Attr("checked"); !kept {
				t.Error("checkbox scope_read is unchecked, want it kept")
			}

			name := "Resume Matcher & friends " + c.locale
			first, again := v.form("#make-submit", "name", name), v.form("#make-submit", "name", name)
			v.show(first)
			key := v.find("#new-key")
			plaintext := key.AttrOr("value", "")
			if _, readonly := key.Attr("readonly"); v.status != http.StatusOK || !wholeKey.MatchString(plaintext) || !readonly {
				t.Fatalf("new key: status %d, want 200 and the key in a read-only field: %s", v.status, v.text("main"))
			}
			v.show(again) // as a reload does
			if v.status != http.StatusOK || !strings.Contains(v.text("#key-shown-before"), c.shown) ||
				v.doc.Find("#new-key").Length() != 0 {
				t.Errorf("resent form: status %d, want 200 without the key: %s", v.status, v.text("main"))
			}
			v.open("/" + c.locale + "/admin/keys")
			row := v.doc.Find("main tbody tr").First()
			if text := strings.Join(strings.Fields(row.Text()), " "); !strings.Contains(text, name) ||
				!strings.Contains(text, plaintext[:12]+"…") ||
				!strings.Contains(text, c.limit) || !strings.Contains(text, c.valid) ||
				row.Find("details form button").Length() != 1 {
				t.Errorf("list = %s, want name, prefix, limit and validity", text)
			}
			html, err := v.doc.Html()
			if err != nil || strings.Contains(html, plaintext[12:]) {
				t.Errorf("list contains the whole key (%v)", err)
			}
			v.submit("main tbody tr:first-child details button")
			if v.at.Path != "/"+c.locale+"/admin/keys" || !strings.Contains(v.text("#flash"), c.done) ||
				v.doc.Find("main tbody details").Length() != 0 {
				t.Errorf("revoking leads to %s (status %d), want the list without a valid key: %s", v.at, v.status, v.text("main"))
			}
			v.open("/" + c.locale + "/admin/audit")
			if text := v.text("main tbody tr"); !strings.Contains(text, c.audit) || !strings.Contains(text, name) ||
				!strings.Contains(text, plaintext[:12]) || strings.Contains(text, plaintext) {
				t.Errorf("audit log = %s, want action, name and prefix, not the key", text)
			}
			if strings.Contains(s.out.String(), plaintext[12:]) {
				t.Error("log contains the whole key")
			}
		})
	}
	t.Run("one form sent twenty times at once makes one key", func(t *testing.T) {
		v := newVisitor(s, "en")
		v.t = t
		v.signInAs("second@example.com")
		v.open("/en/admin/keys")
		posts := make([]*http.Request, 20)
		for i := range posts {
			posts[i] = v.form("#make-submit", "name", "once")
			posts[i].Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		dbtest.Concurrently(len(posts), func(i int) {
			res, err := v.client.Do(posts[i])
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("concurrent form: status %d, Cache-Control %q, want 200 and no-store", res.StatusCode,
					res.Header.Get("Cache-Control"))
			}
		})
		v.open("/en/admin/keys")
		if n := v.doc.Find("main tbody details").Length(); n != 1 {
			t.Errorf("%d keys, want 1", n)
		}
	})
}

// Invalid, repeated and foreign forms make no key, and only admins reach the keys page.
func TestKeysBadInput(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := newVisitor(s, "en")
	admin.signIn("#demo-admin")
	for _, c := range []struct {
		name   string
		typed  []string
		status int
		field  string
	}{
		{"no scope", []string{"name", "x", "scope_spend", ""}, 422, "#scopes-error"},
		{"half a limit", []string{"name", "x", "per_minute", "1.5"}, 422, "#per-minute-error"},
		{"no limit typed", []string{"name", "x", "per_minute", ""}, 422, "#per-minute-error"},
		{"a limit too high", []string{"name", "x", "per_minute", "1000001"}, 422, "#per-minute-error"},
		{"a long name", []string{"name", strings.Repeat("ä", 81)}, 422, "#name-error"},
		{"NUL in the name", []string{"name", "a\x00b"}, 422, "#name-error"},
		{"a long form key", []string{"name", "x", "idempotency_key", strings.Repeat("k", 256)}, 422, "#key-error"},
		{"no form key", []string{"name", "x", "idempotency_key", ""}, 400, "h1"},
		{"no token", []string{"name", "x", "_csrf", ""}, 403, "h1"},
	} {
		admin.open("/en/admin/keys")
		admin.submit("#make-submit", c.typed...)
		if admin.status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, admin.status, c.status)
		}
		admin.find(c.field)
	}
	admin.open("/en/admin/keys")
	if n := admin.doc.Find("main tbody tr").Length(); n != 0 {
		t.Errorf("%d keys made, want 0", n)
	}
	form := admin.form("#make-submit", "name", "x")
	other := admin.form("#make-submit", "name", "y")
	admin.show(form)
	admin.show(other)
	if admin.status != http.StatusConflict || admin.find("#name").AttrOr("value", "") != "y" ||
		admin.find("#key-error").Text() == "" {
		t.Errorf("resent form with another name: status %d, want 409 and the name kept: %s", admin.status, admin.text("main"))
	}
	admin.submit("#make-submit") // now with a new idempotency key
	if admin.status != http.StatusOK {
		t.Errorf("third submit: status %d, want 200", admin.status)
	}

	for _, id := range []string{uuid.NewString(), "1", "x'", strings.Repeat("9", 400)} {
		admin.open("/en/admin/keys")
		req := admin.form("main tbody details button")
		req.URL.Path = "/en/admin/keys/" + id + "/revoke"
		admin.show(req)
		if admin.status != http.StatusNotFound {
			t.Errorf("revoke %.40s: status %d, want 404", id, admin.status)
		}
	}
	admin.open("/en/admin/keys")
	revoke, create := admin.form("main tbody details button"), admin.form("#make-submit", "name", "theirs")
	user := newVisitor(s, "en")
	user.signIn("#demo-user")
	for _, req := range []*http.Request{revoke, create} {
		user.show(req)
		if user.status != http.StatusNotFound && user.status != http.StatusForbidden {
			t.Errorf("%s by another user: status %d, want 404 or 403", req.URL.Path, user.status)
		}
	}
	if user.open("/en/admin/keys"); user.status != http.StatusNotFound {
		t.Errorf("keys page for another user: status %d, want 404", user.status)
	}
	admin.open("/en/admin/keys")
	if n := admin.doc.Find("main tbody details").Length(); n != 2 {
		t.Errorf("%d valid keys, want 2", n)
	}
}

// In a browser, the keys page fits and is accessible in every state, and a new key is selected for copying.
func TestKeysInTheBrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range views(germanPhone) {
		t.Run(c.String(), func(t *testing.T) {
			b := newBrowser(t, s, c)
			b.expectRefusals = true
			b.open("/" + c.locale + "/login")
			b.click("#sign-in-oidc")
			b.click("#demo-admin")
			b.waitForText("#balance", "")
			page := "/" + c.locale + "/admin/keys"
			b.open(page)
			b.check("admin-keys", page)
			b.run("enter a name", chromedp.SetValue("#name", "A program with a name that is long, "+c.locale, chromedp.ByQuery))
			b.click("#scope-spend") // uncheck
			b.click("#make-submit")
			b.waitForText("#scopes-error", "")
			b.check("admin-keys-invalid", page)
			b.click("#scope-spend")
			b.click("#make-submit")
			b.waitForText("label[for=new-key]", "")
			b.waitUntil("the new key is selected",
				`(() => { const e = document.activeElement; return e.id === "new-key" && e.selectionStart === 0 && e.selectionEnd === e.value.length && e.value.length === 42 })()`)
			b.check("admin-keys-new", page)
			b.run("reload", chromedp.Reload())
			b.waitForText("#key-shown-before", "")
			b.check("admin-keys-reloaded", page)
			b.open(page)
			b.click("main tbody details summary")
			b.check("admin-keys-revoke", page)
			b.click("main tbody details button")
			b.waitForText(`#flash [data-variant="success"]`, "")
			b.check("admin-keys-revoked", page)
		})
	}
}
