package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestLinkAnotherSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	ada, bob := f.signInAs("ada@example.com"), f.signInAs("bob@example.com")
	linkURL := func(m member) string {
		_, doc := m.open("/en/account")
		return doc.Find("#link-oidc").AttrOr("href", "")
	}
	link := func(m member, email string) reply {
		t.Helper()
		r := m.call("GET", linkURL(m), "", "Cookie: "+m.cookie)
		if r.status != 302 || !strings.Contains(r.header.Get("Location"), "prompt=select_account") {
			t.Fatalf("start linking: status %d to %s, want 302 to the choice of an account", r.status, r.header.Get("Location"))
		}
		return m.call("GET", f.callbackFor(r.header.Get("Location"), email), "", "Cookie: "+m.cookie+r.flow())
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
			t.Errorf("linking %s: status %d to %s, message %q, %d sign-ins; want %q and %d", c.email, r.status,
				r.header.Get("Location"),
				r.flash(), got, c.flash, c.signIns)
		}
	}
	t.Run("links only from a page of the same session", func(t *testing.T) {
		own := linkURL(ada)
		for name, try := range map[string]struct {
			path, cookie string
			status       int
		}{
			"without a token":              {"/auth/oidc?purpose=link", ada.cookie, 403},
			"with another user's token":    {linkURL(bob), ada.cookie, 403},
			"with another flow's token":    {strings.Replace(own, "purpose=link", "purpose=confirm", 1), ada.cookie, 403},
			"with an unknown kind of flow": {strings.Replace(own, "purpose=link", "purpose=other", 1), ada.cookie, 400},
			"without a session":            {own, "x=y", 303},
			"with a forged state":          {own + "&state=x", ada.cookie, 400},
		} {
			if r := f.call("GET", try.path, "", "Cookie: "+try.cookie); r.status != try.status {
				t.Errorf("%s: status %d, want %d", name, r.status, try.status)
			}
		}
	})
	t.Run("accepts a callback once, in its own signed-in browser", func(t *testing.T) {
		began := ada.call("GET", linkURL(ada), "", "Cookie: "+ada.cookie)
		back := f.callbackFor(began.header.Get("Location"), "third@example.com")
		if r := bob.call("GET", back, "", "Cookie: "+bob.cookie); r.status != 303 ||
			r.header.Get("Location") != "/en/billing" {
			t.Errorf("in another user's browser: status %d to %s, want 303 to /en/billing", r.status, r.header.Get("Location"))
		}
		if r := ada.call("GET", back+"&state=other", "", "Cookie: "+ada.cookie+began.flow()); r.flash() != "sign_in_failed" {
			t.Errorf("with another state: status %d, message %q, want sign_in_failed", r.status, r.flash())
		}
		if r := ada.call("GET", back, "", "Cookie: "+ada.cookie+began.flow()); r.status != 303 ||
			r.header.Get("Location") != "/en/account" || r.flash() != "" {
			t.Errorf("a second time: status %d to %s, message %q, want 303 to /en/account without a message", r.status,
				r.header.Get("Location"), r.flash())
		}
		began = ada.call("GET", linkURL(ada), "", "Cookie: "+ada.cookie)
		back = f.callbackFor(began.header.Get("Location"), "fifth@example.com")
		if r := bob.call("GET", back, "", "Cookie: "+bob.cookie+began.flow()); r.status != 303 ||
			r.flash() != "purpose_session" {
			t.Errorf("with another session's flow: status %d, message %q, want 303 and purpose_session", r.status, r.flash())
		}
		began = ada.call("GET", linkURL(ada), "", "Cookie: "+ada.cookie)
		back = f.callbackFor(began.header.Get("Location"), "fourth@example.com")
		ada.post("/logout", url.Values{})
		if r := ada.call("GET", back, "", "Cookie: "+ada.cookie+began.flow()); r.header.Get("Location") != "/en/login" {
			t.Errorf("after signing out: status %d to %s, want the sign-in", r.status, r.header.Get("Location"))
		}
		for _, email := range []string{"third@example.com", "fourth@example.com", "fifth@example.com"} {
			if traces := dbtest.Traces(t, f.db, email); len(traces) > 0 {
				t.Errorf("%s is stored in %v, want nowhere", email, traces)
			}
		}
	})
}
