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
	d := newFixture(t)
	d.offer()
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		b, pages := d.browser(), []string{"/en/billing", "/en/history"}
		backs := []string{b.begin("ada@example.com", pages[0]), b.begin("ada@example.com", pages[1])}
		for _, i := range order {
			if r := b.visit(backs[i]); r.status != 303 || r.header.Get("Location") != pages[i] {
				t.Errorf("tabs finished in the order %v: %d to %q, want 303 to %s", order, r.status, r.header.Get("Location"),
					pages[i])
			}
		}
		if r := b.visit("/en/history"); r.status != 200 {
			t.Errorf("tabs finished in the order %v: signed out at the end: %d", order, r.status)
		}
	}
	if n := sessionsOf(t, d); n != 2 { // two browsers
		t.Errorf("%d sessions, want one a browser", n)
	}
}

func TestComingAgainAfterSigningIn(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.offer()
	t.Run("by the back button or a reload ends on the page that was wanted", func(t *testing.T) {
		b := d.browser()
		back := b.begin("ada@example.com", "/en/history")
		for range 3 {
			if r := b.visit(back); r.status != 303 || r.header.Get("Location") != "/en/history" {
				t.Errorf("%d to %q", r.status, r.header.Get("Location"))
			}
		}
		if r := b.visit("/en/history"); r.status != 200 {
			t.Errorf("signed out: %d", r.status)
		}
		delete(b.jar, d.handler.Sessions.flowCookieOf(strings.Split(strings.Split(back, "state=")[1], "&")[0]))
		if r := b.visit(back); r.status != 303 || r.header.Get("Location") != "/en/billing" {
			t.Errorf("without its flow: %d to %q, want the start page", r.status, r.header.Get("Location"))
		}
	})
	t.Run("twenty times at once opens one session", func(t *testing.T) {
		b := d.browser()
		back := b.begin("bob@example.com", "/en/history")
		before := sessionsOf(t, d)
		var wrong atomic.Int64
		dbtest.Concurrently(20, func(int) {
			again := browser{d, maps.Clone(b.jar)}
			if r := again.visit(back); r.status != 303 || r.header.Get("Location") != "/en/history" {
				wrong.Add(1)
			}
		})
		if n := sessionsOf(t, d) - before; n != 1 || wrong.Load() != 0 {
			t.Errorf("%d sessions and %d answers that lead elsewhere, want 1 and 0", n, wrong.Load())
		}
	})
	t.Run("when nobody is signed in says how to go on", func(t *testing.T) {
		r := d.browser().visit("/auth/oidc/callback?state=unknown&code=x")
		if r.status != 400 || !strings.Contains(r.body, `href="/en/login"`) {
			t.Errorf("%d without a way to sign in", r.status)
		}
	})
}

func TestBeginningToSignInCostsNoRow(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.offer()
	b := d.browser()
	for i := range 3 * maxFlows {
		if r := b.visit("/auth/oidc?locale=en&return_to=/en/" + strings.Repeat("a", 480)); r.status != 302 {
			t.Fatalf("%d. time: %d", i, r.status)
		}
	}
	for _, table := range []string{"sessions", "used_flows", "identities"} {
		var n int64
		if err := d.db.Raw("SELECT count(*) FROM " + table).Scan(&n).Error; err != nil || n != 0 {
			t.Errorf("%d rows in %s, %v; want none", n, table, err)
		}
	}
	size := 0
	for _, value := range b.jar {
		size += len(value)
	}
	if len(b.jar) > maxFlows || size > maxFlowBytes+4096 {
		t.Errorf("the browser carries %d flows of %d bytes", len(b.jar), size)
	}
}

func TestSignInGivesANewSession(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.offer()
	b := d.browser()
	b.jar["session"] = "planted-by-somebody-else"
	b.signIn("ada@example.com", "")
	first := b.jar["session"]
	if first == "planted-by-somebody-else" || first == "" {
		t.Fatalf("session = %q", first)
	}
	copied := browser{d, map[string]string{"session": first}}
	other := d.browser()
	other.jar["session"] = first // the same browser, signed in, whose second tab comes back as somebody else
	back := d.browser()
	answer := back.begin("bob@example.com", "")
	maps.Copy(other.jar, back.jar)
	if r := other.visit(answer); r.status != 303 || other.jar["session"] == first {
		t.Errorf("the second sign-in kept the session of the first: %d", r.status)
	}
	if r := copied.visit("/en/history"); r.status != 303 {
		t.Errorf("the session that was replaced still opens: %d", r.status)
	}
}

func TestRotatingTheSecretKeepsFormsGood(t *testing.T) {
	t.Parallel()
	d := newFixture(t)
	d.offer()
	ada := d.signInAs("ada@example.com")
	_, doc := ada.open("/en/account")
	token := doc.Find(`input[name="_csrf"]`).First().AttrOr("value", "")
	newest := []byte("a new secret for the test, 32 bytes")
	rotated := seal.Secrets{newest, testSecrets[0]}
	d.handler.Sessions = NewSessions(auth.NewSessions(d.db, rotated, nil), rotated, false)
	form := fmt.Sprintf("_csrf=%s&name=Ada&locale=en", token)
	for range 2 { // before and after the session's row has its new name
		if r := ada.call("POST", "/en/account", form, "Content-Type: application/x-www-form-urlencoded",
			"Cookie: "+ada.cookie); r.status != 303 {
			t.Errorf("a form from before the rotation: %d, want 303", r.status)
		}
	}
}

func sessionsOf(t *testing.T, d *fixture) (n int64) {
	t.Helper()
	if err := d.db.Raw(`SELECT count(*) FROM sessions`).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}
