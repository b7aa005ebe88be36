package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/auth"
)

// guarded are the routes that require a reauthentication, each with a form's input and the page that shows it again,
// with what its draft has.
var guarded = []struct{ method, path, input, back string }{
	{"POST", "/de/account/sign-ins/0/unlink", "", "/de/account"},
	{"POST", "/de/account/delete", "sure=yes", "/de/account/delete"},
	{"GET", "/de/account/export.zip", "", "/de/account"},
	{"POST", "/de/admin/users/{user}/grant", "direction=correct&credits=12&note=Müll & Mehr&idempotency_key=k",
		"/de/admin/users/{user}?credits=12&direction=correct&form=grant&note=M%C3%BCll+%26+Mehr"},
	{"POST", "/de/admin/users/{user}/relink", "identity=0&note=Phoned",
		"/de/admin/users/{user}?form=relink&identity=0&note=Phoned"},
	{"POST", "/de/admin/users/{user}/right", "identity=0&note=Phoned",
		"/de/admin/users/{user}?form=right&identity=0&note=Phoned"},
	{"POST", "/de/admin/users/{user}/sessions", "note=Lost phone", "/de/admin/users/{user}?form=sessions&note=Lost+phone"},
	{"POST", "/de/admin/purchases/{purchase}/refund", "amount=1,50&seen=0",
		"/de/admin/purchases/{purchase}?amount=1%2C50&form=refund"},
	{"POST", "/de/admin/purchases/{purchase}/move", "to=eve@example.org&seen=1",
		"/de/admin/purchases/{purchase}?form=move&to=eve%40example.org"},
	{"POST", "/de/admin/purchases/{purchase}/book", "credits=5&note=As agreed",
		"/de/admin/purchases/{purchase}?credits=5&form=book&note=As+agreed"},
	{"POST", "/de/admin/purchases/{purchase}/foreign", "note=Not ours",
		"/de/admin/purchases/{purchase}?form=foreign&note=Not+ours"},
	{"POST", "/de/admin/purchases/{purchase}/share", "dispute_id=dp_1&share=1,00&note=As agreed",
		"/de/admin/purchases/{purchase}?dispute_id=dp_1&form=share&note=As+agreed&share=1%2C00"},
	{"POST", "/de/admin/keys", "name=A&scope_read=on&per_minute=7&expires_days=90",
		"/de/admin/keys?expires_days=90&name=A&per_minute=7&scope_read=on"},
	{"POST", "/de/admin/keys/{key}/revoke", "", "/de/admin/keys"},
	{"POST", "/de/admin/withdrawals/{withdrawal}/refund", "", "/de/admin/withdrawals"},
	{"POST", "/de/admin/webhooks", "url=https://example.com&credits.low=on&low_threshold=7",
		"/de/admin/webhooks?credits.low=on&low_threshold=7&url=https%3A%2F%2Fexample.com"},
	{"POST", "/de/admin/webhooks/{endpoint}/rotate", "idempotency_key=k", "/de/admin/webhooks"},
	{"POST", "/de/admin/webhooks/{endpoint}/disable", "", "/de/admin/webhooks"},
	{"POST", "/de/admin/webhooks/{endpoint}/enable", "", "/de/admin/webhooks"},
	{"POST", "/de/admin/webhooks/{endpoint}/remove", "", "/de/admin/webhooks"},
}

func TestProofIsWanted(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss := member{f.fixture, f.signIn(f.users["admin"])}
	f.age(boss.cookie)
	before := f.entryCount()
	for _, g := range guarded {
		t.Run(g.method+" "+g.path, func(t *testing.T) {
			form := url.Values{}
			for field := range strings.SplitSeq(g.input, "&") {
				if name, value, ok := strings.Cut(field, "="); ok {
					form.Set(name, value)
				} else if name != "" { // the note contains an &
					form.Set("note", form.Get("note")+"&"+name)
				}
			}
			path := f.paths.Replace(g.path)
			back, typed, _ := strings.Cut(f.paths.Replace(g.back), "?")
			r := boss.call("GET", path, "", "Cookie: "+boss.cookie)
			if g.method == "POST" {
				r = boss.post(path, form)
			}
			d, cookie := f.drafted(r)
			if d.typed() != typed {
				t.Errorf("the draft has %q, want %q", d.typed(), typed)
			}
			if typed != "" {
				back += "?draft=" + d.ID
			}
			want := "/de/confirm?return_to=" + url.QueryEscape(back)
			if r.status != 303 || r.header.Get("Location") != want {
				t.Errorf("status %d to %s, want 303 to %s", r.status, r.header.Get("Location"), want)
			}
			if r, doc := boss.open(want); r.status != 200 || doc.Find("#confirm-back").AttrOr("href", "") != back {
				t.Errorf("status %d, the page links back to %q, want 200 and %q", r.status,
					doc.Find("#confirm-back").AttrOr("href", ""), back)
			}
			if r := boss.call("GET", back, "", "Cookie: "+boss.cookie+cookie); r.status != 200 {
				t.Errorf("the page with the input: status %d, want 200", r.status)
			}
		})
	}
	if n := f.entryCount(); n != before {
		t.Errorf("%d entries were posted without a reauthentication, want 0", n-before)
	}
	t.Run("fills the form with the input", func(t *testing.T) {
		doc := f.restored(boss, "/de/admin/users/{user}/grant",
			url.Values{"direction": {"correct"}, "credits": {"12"}, "note": {"Müll & Mehr"}})
		if doc.Find("#credits").AttrOr("value", "") != "12" ||
			doc.Find(`input[name="direction"][value="correct"][checked]`).Length() != 1 ||
			!strings.Contains(doc.Find("#grant").Text()+doc.Find("#note").AttrOr("value", ""), "Müll & Mehr") {
			t.Errorf("the form has %s, want the correction of 12 credits and its reason", doc.Find("#grant").Text())
		}
		doc = f.restored(boss, "/de/admin/users/{user}/sessions", url.Values{"note": {"Lost phone"}})
		if got, other := doc.Find("#access-sessions-note").Text(), doc.Find("#grant").Text(); got != "Lost phone" ||
			strings.Contains(other, got) {
			t.Errorf("sign-out reason = %q, want %q there alone; the other form has %s", got, "Lost phone", other)
		}
	})
	t.Run("fills in a decision's reason and a key's expiry", func(t *testing.T) {
		waits := f.waitForDecision()["POST /:locale/admin/purchases/:id/book"]
		doc := f.restored(boss, waits, url.Values{"note": {"As agreed"}})
		if got := doc.Find("#book-note").Text(); got != "As agreed" {
			t.Errorf("reason = %q, want %q", got, "As agreed")
		}
		doc = f.restored(boss, "/de/admin/keys", url.Values{"name": {"A"}, "expires_days": {"90"}})
		if got := doc.Find("#expires-days option[selected]").AttrOr("value", ""); got != "90" {
			t.Errorf("expiry = %q days, want 90", got)
		}
	})
	t.Run("allows a preview, which posts nothing", func(t *testing.T) {
		before := f.entryCount()
		r := boss.post(f.paths.Replace("/de/admin/users/{user}/grant"),
			url.Values{"preview": {"credits"}, "direction": {"grant"}, "credits": {"5"}})
		if r.status != 200 || f.entryCount() != before {
			t.Errorf("status %d and %d new entries, want 200 and 0", r.status, f.entryCount()-before)
		}
	})
	t.Run("refuses the preview field on other forms", func(t *testing.T) {
		r := boss.post(f.paths.Replace("/de/admin/keys"),
			url.Values{"preview": {"x"}, "name": {"A"}, "idempotency_key": {"k"}})
		if r.status != 303 {
			t.Errorf("status %d, want 303", r.status)
		}
	})
	t.Run("redirects the whole page of an htmx request", func(t *testing.T) {
		r := boss.call("POST", f.paths.Replace("/de/admin/users/{user}/grant"),
			url.Values{"_csrf": {f.handler.Sessions.token(sessionOf(boss.cookie))}}.Encode(),
			"Content-Type: application/x-www-form-urlencoded", "Cookie: "+boss.cookie, "HX-Request: true")
		if !strings.HasPrefix(r.header.Get("HX-Redirect"), "/de/confirm?") || r.body != "" {
			t.Errorf("status %d, HX-Redirect %q, want /de/confirm and no body", r.status, r.header.Get("HX-Redirect"))
		}
	})
	t.Run("drops input that is too long for a cookie", func(t *testing.T) {
		grant := f.paths.Replace("/de/admin/users/{user}/grant")
		for note, want := range map[string]string{strings.Repeat("ü", 1000): "credits=5&direction=grant&form=grant&note=" +
			url.QueryEscape(strings.Repeat("ü", 1000)), strings.Repeat("ü", 2000): "credits=5&direction=grant&form=grant"} {
			r := boss.post(grant, url.Values{"direction": {"grant"}, "credits": {"5"}, "note": {note}})
			if d, cookie := f.drafted(r); d.typed() != want || len(cookie)-len("; ") > maxCookie {
				t.Errorf("a note of %d bytes: the draft has %q in %d bytes, want %q", len(note), d.typed(), len(cookie), want)
			}
		}
		long := strings.Repeat("x", 5000)
		if r := boss.post(grant, url.Values{"note": {long}, "credits": {long}}); strings.Contains(r.header.Get("Location"),
			paramDraft) {
			t.Errorf("two long values: redirect to %s, want no draft", r.header.Get("Location"))
		}
	})
}

func TestIdleAdminSessionEnds(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	for role, want := range map[string]int{"admin": 303, "helper": 303, "owner": 200} {
		m := member{f.fixture, f.signIn(f.users[role])}
		lastSeen := func(ago string) {
			if err := f.db.Exec(`UPDATE sessions SET last_seen_at = now() - ?::interval WHERE user_id = ?`, ago, f.users[role]).
				Error; err != nil {
				t.Fatal(err)
			}
		}
		lastSeen("29 minutes")
		if r, _ := m.open("/en/billing"); r.status != 200 {
			t.Errorf("%s a minute before %v: status %d, want 200", role, auth.AdminIdle, r.status)
		}
		lastSeen("30 minutes")
		for range 2 { // the second request finds the session ended
			if r, _ := m.open("/en/billing"); r.status != want {
				t.Errorf("%s after %v: status %d, want %d", role, auth.AdminIdle, r.status, want)
			}
		}
	}
}

// restored posts a form that wants a reauthentication, and opens its page with the draft.
func (f *rolesFixture) restored(m member, path string, form url.Values) *goquery.Document {
	f.t.Helper()
	r := m.post(f.paths.Replace(path), form)
	_, cookie := f.drafted(r)
	back, err := url.QueryUnescape(strings.TrimPrefix(r.header.Get("Location"), "/de/confirm?return_to="))
	if err != nil || cookie == "" {
		f.t.Fatalf("%s redirects to %s, want the confirmation with a draft", path, r.header.Get("Location"))
	}
	_, doc := member{f.fixture, m.cookie + cookie}.open(back)
	return doc
}

// sessionOf returns a session with the cookie's key, from which CSRF tokens are made.
func sessionOf(cookie string) *models.Session {
	_, key, _ := strings.Cut(cookie, "=")
	return &models.Session{Key: key}
}

// A reauthentication counts only in the session that asked for it, once for each callback, and ends with the session.
func TestProofBelongsToItsSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	here, there := f.signInAs("ada@example.com"), f.signInAs("ada@example.com")
	f.age(here.cookie)
	f.age(there.cookie)
	reauthenticated := func(m member) bool {
		t.Helper()
		_, doc := m.open("/en/account/delete")
		return doc.Find("#delete-account").Length() == 1
	}
	prove := func() (callback, flow string) {
		t.Helper()
		_, doc := here.open("/en/confirm")
		began := here.call("GET", doc.Find("#prove-oidc").AttrOr("href", ""), "", "Cookie: "+here.cookie)
		return f.callbackFor(began.header.Get("Location"), "ada@example.com"), began.flow()
	}
	callback, flow := prove()
	if r := there.call("GET", callback, "", "Cookie: "+there.cookie+flow); r.status != 303 ||
		r.flash() != "purpose_session" || reauthenticated(there) || reauthenticated(here) {
		t.Errorf("in the user's other session: status %d, message %q, want purpose_session and no effect", r.status,
			r.flash())
	}
	callback, flow = prove()
	if r := here.call("GET", callback, "", "Cookie: "+here.cookie+flow); r.flash() != "confirmed" ||
		!reauthenticated(here) || reauthenticated(there) {
		t.Errorf("in its own session: message %q, want confirmed and an effect there alone", r.flash())
	}
	f.age(here.cookie)
	if r := here.call("GET", callback, "", "Cookie: "+here.cookie+flow); r.status != 303 || reauthenticated(here) {
		t.Errorf("a repeated callback: status %d, want 303 and no effect", r.status)
	}
	callback, flow = prove()
	here.call("GET", callback, "", "Cookie: "+here.cookie+flow)
	here.post("/logout", url.Values{})
	if r := here.call("GET", "/en/account/export.zip", "", "Cookie: "+here.cookie); r.status != 303 ||
		!strings.HasPrefix(r.header.Get("Location"), "/en/login") {
		t.Errorf("after signing out: status %d to %s, want 303 to /en/login", r.status, r.header.Get("Location"))
	}
}
