package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer()
	ada := f.signInAs("ada@example.com")
	var id int64
	if err := f.db.Raw(`SELECT id FROM users`).Scan(&id).Error; err != nil {
		t.Fatal(err)
	}
	f.credit(id, 50)
	t.Run("explains what a deletion removes and keeps", func(t *testing.T) {
		for _, locale := range []string{"en", "de"} {
			r, doc := ada.open("/" + locale + "/account/delete")
			if r.status != 200 || doc.Find("#goes, #stays, #lapses, #delete-account").Length() != 4 ||
				doc.Find("#debt, #live-holds, #awaiting, #disputed").Length() != 0 {
				t.Errorf("%s: status %d, want 200 with the three lists and the form alone: %s", locale, r.status,
					doc.Find("main").Text())
			}
		}
	})
	t.Run("requires the ticked box and the session's token", func(t *testing.T) {
		r := ada.post("/en/account/delete", url.Values{})
		if r.status != 422 || !strings.Contains(r.body, `id="sure-error"`) {
			t.Errorf("without the tick: status %d, want 422 with an error at the box", r.status)
		}
		if r := ada.call("POST", "/en/account/delete", "sure=yes", "Content-Type: application/x-www-form-urlencoded",
			"Cookie: "+ada.cookie); r.status != 403 {
			t.Errorf("without the token: status %d, want 403", r.status)
		}
	})
	t.Run("requires a recent sign-in", func(t *testing.T) {
		late := ada
		late.cookie = f.signIn(id)
		f.age(late.cookie)
		if r := late.post("/en/account/delete", url.Values{"sure": {"yes"}}); r.status != 303 ||
			r.header.Get("Location") != "/en/confirm?return_to=%2Fen%2Faccount%2Fdelete" {
			t.Fatalf("delete after a day: status %d to %s, want 303 to the confirmation", r.status, r.header.Get("Location"))
		}
		r, doc := late.open("/en/account/delete")
		if r.status != 200 || doc.Find("#prove").Length() != 1 || doc.Find("#delete-account").Length() != 0 {
			t.Fatalf("page after a day: status %d, want 200 with the confirmation instead of the form", r.status)
		}
		if text := doc.Find("#prove").Text(); !strings.Contains(text, fmt.Sprintf(" %d\u00a0minutes", reauthMinutes)) {
			t.Errorf("the page says %q, want %d minutes", text, reauthMinutes)
		}
		prove := doc.Find("#prove-oidc").AttrOr("href", "")
		for email, flash := range map[string]string{"bob@example.com": "identity_other", "ada@example.com": "confirmed"} {
			began := late.call("GET", prove, "", "Cookie: "+late.cookie)
			r := late.call("GET", f.callbackFor(began.header.Get("Location"), email), "", "Cookie: "+late.cookie+began.flow())
			if r.flash() != flash || r.header.Get("Location") != "/en/account/delete" {
				t.Errorf("as %s: message %q to %s, want %q to the deletion", email, r.flash(), r.header.Get("Location"), flash)
			}
			if _, doc := late.open("/en/account/delete"); (doc.Find("#delete-account").
				Length() == 1) != (flash == "confirmed") && flash == "confirmed" {
				t.Errorf("as %s: the page lacks the form", email)
			}
			if flash == "identity_other" {
				f.age(late.cookie)
			}
		}
	})
	t.Run("deletes once for twenty concurrent requests", func(t *testing.T) {
		dbtest.Concurrently(20, func(int) {
			if r := ada.post("/en/account/delete", url.Values{"sure": {"yes"}}); r.status != 303 && r.status != 401 {
				t.Errorf("status %d, want 303 or 401", r.status)
			}
		})
		if r, _ := ada.open("/en/account"); r.status != 303 || !strings.Contains(r.header.Get("Location"), "/login") {
			t.Errorf("the deleted account: status %d, want 303 to the sign-in", r.status)
		}
		var entries int64
		if err := f.db.Raw(`SELECT count(*) FROM credit_transactions WHERE user_id = ? AND delta_credits = -50`, id).
			Scan(&entries).Error; err != nil || entries != 1 {
			t.Errorf("%d entries of −50 credits (%v), want 1", entries, err)
		}
		dbtest.CheckLedger(t, f.db)
	})
	t.Run("a later sign-in creates a new account", func(t *testing.T) {
		_, doc := f.signInAs("ada@example.com").open("/en/account/delete")
		if doc.Find("#lapses").Length() != 0 || doc.Find("#stays li").Length() != 2 {
			t.Errorf("the new account has credits or history: %s", doc.Find("main").Text())
		}
	})
}

// age moves a session's reauthentication one day into the past.
func (f *fixture) age(cookie string) {
	f.t.Helper()
	_, key, _ := strings.Cut(cookie, "=")
	done := f.db.Exec(`UPDATE sessions SET proved_at = proved_at - interval '1 day' WHERE key_hash = ?`,
		f.handler.Sessions.rows.KeyHash(key))
	if done.Error != nil || done.RowsAffected != 1 {
		f.t.Fatalf("aged %d sessions (%v), want 1", done.RowsAffected, done.Error)
	}
}
