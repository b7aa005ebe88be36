package handlers

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/webhook"
)

func parsePage(t *testing.T, r reply) *goquery.Document {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// signInFrom signs in at a provider as the given subject and returns the callback's response.
func (b browser) signInFrom(provider, email, subject string) reply {
	b.t.Helper()
	began := b.visit("/auth/" + provider + "?locale=en&return_to=/en/history")
	return b.visit(b.callbackAs(began.header.Get("Location"), email, subject))
}

func TestSignInWithAnAddressInUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	f.browser().signInFrom("oidc", "ada@example.com", "subject-of-2023")

	t.Run("is refused with an explanation for the same provider", func(t *testing.T) {
		b := f.browser()
		r := b.signInFrom("oidc", "ada@example.com", "subject-of-2026")
		doc := parsePage(t, r)
		if r.status != 409 || doc.Find("#held-help").Length() != 1 || doc.Find("#held-ways").Length() != 0 ||
			b.jar["session"] != "" {
			t.Errorf("status %d, signed in: %v; want 409, false and help without a link: %s", r.status, b.jar["session"] != "",
				doc.Find("main").Text())
		}
	})
	t.Run("is not linked by signing in to another account", func(t *testing.T) {
		b := f.browser()
		join := parsePage(t, b.signInFrom("google", "ada@example.com", "h")).Find("#held-ways a").First().AttrOr("href", "")
		began := b.visit(join)
		r := b.visit(f.callbackAs(began.header.Get("Location"), "bob@example.com", "bob"))
		if r.status != 303 || r.flash() != "address_other" {
			t.Errorf("status %d, message %q, want 303 and address_other", r.status, r.flash())
		}
		if again := f.browser().signInFrom("google", "ada@example.com", "h"); again.status != 409 {
			t.Errorf("the next sign-in: status %d, want 409", again.status)
		}
	})
	t.Run("is linked for another provider after signing in the old way", func(t *testing.T) {
		b := f.browser()
		r := b.signInFrom("google", "ada@example.com", "g")
		join := parsePage(t, r).Find("#held-ways a").AttrOr("href", "")
		if r.status != 409 || !strings.HasPrefix(join, "/auth/oidc?") || b.jar["session"] != "" {
			t.Fatalf("status %d with the link %q, want 409 with one to oidc", r.status, join)
		}
		if elsewhere := f.browser().visit(join); strings.Contains(elsewhere.header.Get("Location"), "max_age=0") {
			t.Error("another browser can link the identity")
		}
		began := b.visit(join)
		if !strings.Contains(began.header.Get("Location"), "max_age=0") {
			t.Errorf("the old way starts at %s, want max_age=0", began.header.Get("Location"))
		}
		r = b.visit(f.callbackAs(began.header.Get("Location"), "ada@example.com", "subject-of-2023"))
		if r.status != 303 || r.header.Get("Location") != "/en/history" || r.flash() != "linked" || b.jar["session"] == "" {
			t.Errorf("status %d to %s, message %q, want 303 to /en/history with linked", r.status, r.header.Get("Location"),
				r.flash())
		}
		if again := f.browser().signInFrom("google", "ada@example.com", "g"); again.status != 303 {
			t.Errorf("the linked sign-in: status %d, want 303", again.status)
		}
	})
}

// Browsers drop a cookie that is too long, so the flow gives up a long page to return to and keeps the pending
// identity.
func TestPendingIdentityFitsItsCookie(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	email := "ada@" + strings.Repeat(strings.Repeat("x", 60)+".", 3) + "example.com"
	page := "/en/history?q=" + strings.Repeat("&", maxReturnTo-len("/en/history?q=")) // six bytes each in JSON
	f.browser().signInFrom("oidc", email, "a")
	b := f.browser()
	began := b.visit("/auth/google?locale=en&return_to=" + url.QueryEscape(page))
	join := parsePage(t, b.visit(b.callbackAs(began.header.Get("Location"), email, strings.Repeat("g", 64)))).
		Find("#held-ways a").AttrOr("href", "")
	for name, value := range b.jar {
		if len(name)+len(value) > maxCookie {
			t.Errorf("cookie %s has %d bytes, want at most %d", name, len(name)+len(value), maxCookie)
		}
	}
	began = b.visit(join)
	if r := b.visit(f.callbackAs(began.header.Get("Location"), email, "a")); r.header.Get("Location") != "/en/billing" ||
		r.flash() != "linked" {
		t.Errorf("redirect to %q, message %q, want /en/billing and linked", r.header.Get("Location"), r.flash())
	}
}

func TestAdminLinksARefusedSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.sell()
	f.offer("boss@example.org")
	quiet := slog.New(slog.DiscardHandler)
	f.handler.Webhook = &webhook.Service{DB: f.db, Purchase: f.handler.Purchase, Now: models.Now, Log: quiet}
	f.handler.Admin = &admin.Service{DB: f.db, Purchase: f.handler.Purchase, Webhook: f.handler.Webhook,
		Auth: f.handler.Auth, Sessions: f.handler.Sessions.rows, Keys: f.handler.Keys, Log: quiet}
	old, boss := f.browser(), f.signInAs("boss@example.org")
	old.signInFrom("oidc", "ada@example.com", "subject-of-2023")
	if r := f.browser().signInFrom("oidc", "ada@example.com", "subject-of-2026"); r.status != 409 {
		t.Fatalf("the new sign-in: status %d, want 409", r.status)
	}
	var id int64
	if err := f.db.Raw(`SELECT id FROM users WHERE email = 'ada@example.com'`).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	page := fmt.Sprintf("/en/admin/users/%d", id)
	_, doc := boss.open(page)
	identity := doc.Find(`[name="identity"]`).AttrOr("value", "")
	if text := doc.Find("#access").Text(); !strings.Contains(text, "with Demo and the address ada@example.com") {
		t.Errorf("the card lacks the provider's label: %s", text)
	}
	for _, c := range []struct {
		way, identity, note string
		want                int
	}{{"relink", identity, " ", 422}, {"relink", "another", "Asked on the phone", 404},
		{"relink", identity, "Asked on the phone", 303}} {
		if r := boss.post(page+"/"+c.way, url.Values{"identity": {c.identity}, "note": {c.note}}); r.status != c.want {
			t.Errorf("%+v: status %d", c, r.status)
		}
	}
	if r := old.visit("/en/account"); r.status != 303 {
		t.Errorf("the replaced sign-in: status %d, want 303 to the sign-in", r.status)
	}
	b := f.browser()
	if r := b.signInFrom("oidc", "ada@example.com", "subject-of-2026"); r.status != 303 ||
		b.visit("/en/account").status != 200 {
		t.Errorf("the new sign-in: status %d, want 303 and then the account", r.status)
	}
	if r := boss.post(page+"/sessions", url.Values{"note": {"Lost phone"}}); r.status != 303 ||
		b.visit("/en/account").status != 303 {
		t.Errorf("ending all sessions: status %d, want 303 and the user signed out", r.status)
	}
}
