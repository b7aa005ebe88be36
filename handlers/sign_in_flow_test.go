package handlers

import (
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/auth"
	"github.com/resume-matcher/credits/services/seal"
)

func TestSignInInTwoTabs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		b, pages := f.browser(), []string{"/en/billing", "/en/history"}
		backs := []string{b.begin("ada@example.com", pages[0]), b.begin("ada@example.com", pages[1])}
		for _, i := range order {
			if r := b.visit(backs[i]); r.status != 303 || r.header.Get("Location") != pages[i] {
				t.Errorf("tabs finished in the order %v: status %d to %q, want 303 to %s", order, r.status,
					r.header.Get("Location"),
					pages[i])
			}
		}
		if r := b.visit("/en/history"); r.status != 200 {
			t.Errorf("tabs finished in the order %v: history has status %d, want 200", order, r.status)
		}
	}
	if n := sessionsOf(t, f); n != 2 { // two browsers
		t.Errorf("%d sessions, want 2, one for each browser", n)
	}
}

func TestRepeatedCallback(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	t.Run("redirects to the requested page after a reload", func(t *testing.T) {
		b := f.browser()
		back := b.begin("ada@example.com", "/en/history")
		for range 3 {
			if r := b.visit(back); r.status != 303 || r.header.Get("Location") != "/en/history" {
				t.Errorf("status %d to %q, want 303 to /en/history", r.status, r.header.Get("Location"))
			}
		}
		if r := b.visit("/en/history"); r.status != 200 {
			t.Errorf("history has status %d, want 200", r.status)
		}
		delete(b.jar, f.handler.Sessions.flowCookieOf(strings.Split(strings.Split(back, "state=")[1], "&")[0]))
		if r := b.visit(back); r.status != 303 || r.header.Get("Location") != "/en/billing" {
			t.Errorf("without its flow cookie: status %d to %q, want 303 to /en/billing", r.status, r.header.Get("Location"))
		}
	})
	t.Run("opens one session for twenty concurrent callbacks", func(t *testing.T) {
		b := f.browser()
		back := b.begin("bob@example.com", "/en/history")
		before := sessionsOf(t, f)
		var wrong atomic.Int64
		dbtest.Concurrently(20, func(int) {
			again := browser{f, maps.Clone(b.jar)}
			if r := again.visit(back); r.status != 303 || r.header.Get("Location") != "/en/history" {
				wrong.Add(1)
			}
		})
		if n := sessionsOf(t, f) - before; n != 1 || wrong.Load() != 0 {
			t.Errorf("%d sessions and %d redirects to other pages, want 1 and 0", n, wrong.Load())
		}
	})
	t.Run("links to the sign-in for a visitor without a flow", func(t *testing.T) {
		r := f.browser().visit("/auth/oidc/callback?state=unknown&code=x")
		if r.status != 400 || !strings.Contains(r.body, `href="/en/login"`) {
			t.Errorf("status %d, want 400 with a link to the sign-in", r.status)
		}
	})
}

func TestStartedSignInsStoreNoRow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	b := f.browser()
	for i := range 3 * maxFlows {
		if r := b.visit("/auth/oidc?locale=en&return_to=/en/" + strings.Repeat("a", 480)); r.status != 302 {
			t.Fatalf("sign-in %d: status %d, want 302", i, r.status)
		}
	}
	for _, table := range []string{"sessions", "used_flows", "identities"} {
		var n int64
		if err := f.db.Raw("SELECT count(*) FROM " + table).Scan(&n).Error; err != nil || n != 0 {
			t.Errorf("%d rows in %s (%v), want 0", n, table, err)
		}
	}
	size := 0
	for _, value := range b.jar {
		size += len(value)
	}
	if len(b.jar) > maxFlows || size > maxFlowBytes+4096 {
		t.Errorf("the browser has %d flow cookies of %d bytes, want at most %d of %d", len(b.jar), size, maxFlows,
			maxFlowBytes+4096)
	}
}

func TestSignInReplacesTheSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	b := f.browser()
	b.jar["session"] = "planted"
	b.signIn("ada@example.com", "")
	first := b.jar["session"]
	if first == "planted" || first == "" {
		t.Fatalf("session = %q, want a new one", first)
	}
	copied := browser{f, map[string]string{"session": first}}
	other := f.browser()
	other.jar["session"] = first // a second tab of this browser signs in as another user
	back := f.browser()
	answer := back.begin("bob@example.com", "")
	maps.Copy(other.jar, back.jar)
	if r := other.visit(answer); r.status != 303 || other.jar["session"] == first {
		t.Errorf("the second sign-in: status %d and the session of the first, want 303 and a new one", r.status)
	}
	if r := copied.visit("/en/history"); r.status != 303 {
		t.Errorf("the replaced session: status %d, want 303 to the sign-in", r.status)
	}
}

func TestFormsOutliveASecretRotation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	ada := f.signInAs("ada@example.com")
	_, doc := ada.open("/en/account")
	token := doc.Find(`input[name="_csrf"]`).First().AttrOr("value", "")
	newest := []byte("a new secret for the test, 32 bytes")
	f.setSignIn(auth.Options{Secrets: seal.Secrets{newest, testSecrets[0]}})
	form := fmt.Sprintf("_csrf=%s&name=Ada&locale=en", token)
	for range 2 { // before and after the session's row is hashed with the new secret
		if r := ada.call("POST", "/en/account", form, "Content-Type: application/x-www-form-urlencoded",
			"Cookie: "+ada.cookie); r.status != 303 {
			t.Errorf("a form from before the rotation: status %d, want 303", r.status)
		}
	}
}

func sessionsOf(t *testing.T, f *fixture) (n int64) {
	t.Helper()
	if err := f.db.Raw(`SELECT count(*) FROM sessions`).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}
