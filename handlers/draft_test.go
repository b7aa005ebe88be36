package handlers

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// drafted returns the draft that a response stores, and the Cookie header's part with it; neither if there is none.
func (f *fixture) drafted(r reply) (d draft, cookie string) {
	f.t.Helper()
	for _, line := range r.header.Values("Set-Cookie") {
		if sealed, ok := strings.CutPrefix(line, draftCookie+"="); ok {
			sealed, _, _ = strings.Cut(sealed, ";")
			plain, ok := f.handler.Sessions.secrets.Open(draftPurpose, sealed)
			if !ok || json.Unmarshal(plain, &d) != nil {
				f.t.Fatalf("the draft %q cannot be read", sealed)
			}
			return d, "; " + draftCookie + "=" + sealed
		}
	}
	return draft{}, ""
}

// typed encodes what a draft has.
func (d draft) typed() string {
	typed := url.Values{}
	for name, value := range d.Fields {
		typed.Set(name, value)
	}
	if d.Form != "" {
		typed.Set("form", d.Form)
	}
	return typed.Encode()
}

// What was typed before a session ended returns on its page alone, in another language too, and goes with the visitor.
func TestDraft(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.user("ada@example.com", 0).ID
	signedOut := member{f, "session=ended"}
	r := signedOut.post("/en/account", url.Values{"name": {"Ada of the draft"}, "locale": {"en"}})
	d, cookie := f.drafted(r)
	back, err := url.QueryUnescape(strings.TrimPrefix(r.header.Get("Location"), "/en/login?return_to="))
	if err != nil || back != "/en/account?draft="+d.ID || d.typed() != "locale=en&name=Ada+of+the+draft" {
		t.Fatalf("redirect to %s with the draft %q, want the sign-in that leads back to what was typed",
			r.header.Get("Location"), d.typed())
	}
	const own = "Test User" // as the account has it
	her := member{f, f.signIn(id) + cookie}
	shown := func(m member, path string) string {
		t.Helper()
		_, doc := m.open(path)
		return doc.Find("#name").AttrOr("value", "")
	}
	for path, want := range map[string]string{
		back: "Ada of the draft", strings.Replace(back, "/en/", "/de/", 1): "Ada of the draft",
		"/en/account": own, "/en/account?draft=" + d.ID + "x": own, "/en/account?draft=": own,
	} {
		if got := shown(her, path); got != want {
			t.Errorf("%s: name %q, want %q", path, got, want)
		}
	}
	if got := shown(member{f, f.signIn(id)}, back); got != own {
		t.Errorf("without the cookie: name %q, want %q", got, own)
	}
	for what, change := range map[string]func(*draft){
		"of another page": func(d *draft) { d.Page = "/admin/keys" },
		"of another form": func(d *draft) { d.Form = "letters" },
		"of another user": func(d *draft) { d.User = id + 1 },
		"of an hour ago":  func(d *draft) { d.Until = time.Now().Add(-time.Hour).Unix() },
	} {
		other := d
		change(&other)
		cookie := "; " + draftCookie + "=" + f.handler.Sessions.secrets.Seal(draftPurpose, []byte(mustJSON(t, other)))
		if got := shown(member{f, f.signIn(id) + cookie}, back); got != own {
			t.Errorf("a draft %s: name %q, want %q", what, got, own)
		}
	}
	for _, leave := range []string{"/logout", "/en/account/sessions/end", "/en/account/delete"} {
		r := f.member(id).post(leave, url.Values{"sure": {"yes"}})
		if !strings.Contains(strings.Join(r.header.Values("Set-Cookie"), "\n"), draftCookie+"=;") {
			t.Errorf("%s: status %d, sets %q, want the draft removed", leave, r.status, r.header.Values("Set-Cookie"))
		}
	}
	crowd := url.Values{}
	for i := range draftFields - 1 { // and the token
		crowd.Set(fmt.Sprint("field", i), "x")
	}
	if d, _ := f.drafted(signedOut.post("/en/account", crowd)); len(d.Fields) != draftFields-1 {
		t.Errorf("a form of %d fields: the draft has %d, want all but the token", len(crowd), len(d.Fields))
	}
	crowd.Set("one more", "x")
	if d, _ := f.drafted(signedOut.post("/en/account", crowd)); d.ID != "" {
		t.Errorf("a form of %d fields: the draft has %d, want none", len(crowd), len(d.Fields))
	}
}

// A box that was unchecked before a session ended comes back unchecked, although the account has it checked.
func TestDraftOfAnUncheckedBox(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	for _, c := range []struct {
		user, path, page, box string
		form                  url.Values
	}{
		{"owner", "/en/account/letters", "/en/account", "#letter-low_balance", url.Values{"letters": {"on"}}},
		{"admin", "/en/admin/letters", "/en/admin/letters", "#digest", url.Values{"low_balance": {""}}},
		{"admin", "/en/admin/features", "/en/admin/features?edit=job_match", "#active",
			url.Values{"feature": {"job_match"}, "existing": {"yes"}, "credits": {"7"}}},
	} {
		session := f.signIn(f.users[c.user])
		wantBox := func(what, cookie, page string, want int) {
			t.Helper()
			_, doc := member{f.fixture, session + cookie}.open(page)
			if box := doc.Find(c.box); box.Length() != 1 || box.Filter("[checked]").Length() != want {
				t.Errorf("%s %s: %d boxes, %d checked, want 1 and %d", what, c.box, box.Length(),
					box.Filter("[checked]").Length(), want)
			}
		}
		wantBox("stored", "", c.page, 1)
		d, cookie := f.drafted(member{f.fixture, "session=ended"}.post(c.path, c.form))
		wantBox("typed", cookie, "/en"+d.Page+"?draft="+d.ID, 0)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
