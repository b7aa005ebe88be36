package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

func TestMovePurchase(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss, owner, other := f.member(f.users["admin"]), f.member(f.users["owner"]), f.member(f.users["other"])
	path := f.paths.Replace("/en/admin/purchases/{purchase}")
	form := func(to, note string, more ...string) url.Values {
		values := url.Values{"to": {to}, "note": {note}, "seen": {fmt.Sprint(f.users["owner"])}}
		for _, name := range more {
			values.Set(name, "yes")
		}
		return values
	}
	balances := func() (got [2]models.Credits) {
		for i, role := range []string{"owner", "other"} {
			var user models.User
			if err := f.db.Take(&user, f.users[role]).Error; err != nil {
				t.Fatal(err)
			}
			got[i] = user.CreditsBalance
		}
		dbtest.CheckLedger(t, f.db)
		return got
	}
	t.Run("shows a summary without moving", func(t *testing.T) {
		r := boss.post(path+"/move", form("EVE@example.org.", "mistyped"))
		if r.status != 200 || !strings.Contains(r.body, "Move it with 500\u00a0credits") ||
			balances() != [2]models.Credits{600, 100} {
			t.Errorf("status %d, balances %v credits, want a summary of the move: %s", r.status, balances(), r.body)
		}
	})
	t.Run("refuses invalid input and moves nothing", func(t *testing.T) {
		for name, c := range map[string]struct {
			form url.Values
			want string
			code int
		}{
			"an unknown address":     {form("unknown@example.org", "typo"), "move-to-error", 422},
			"an unknown number":      {form("4711", "typo"), "move-to-error", 422},
			"a look-alike's address": {form("\u212aarla@example.org", "typo"), "move-to-error", 422},
			"the same account":       {form(fmt.Sprint(f.users["owner"]), "typo"), "move-to-error", 422},
			"no reason":              {form("eve@example.org", " "), "move-note-error", 422},
			"a purchase moved since": {url.Values{"to": {"eve@example.org"}, "note": {"typo"},
				"seen": {fmt.Sprint(f.users["admin"])}}, "move-error", 409},
		} {
			if r := boss.post(path+"/move", c.form); r.status != c.code || !strings.Contains(r.body, c.want) {
				t.Errorf("%s: status %d, want %d with %s", name, r.status, c.code, c.want)
			}
		}
		if got := balances(); got != [2]models.Credits{600, 100} {
			t.Errorf("balances = %v credits, want 600 and 100", got)
		}
	})
	t.Run("moves once and shows it on every page", func(t *testing.T) {
		for range 2 { // the form is sent twice
			r := boss.post(path+"/move", form(fmt.Sprintf("#%d", f.users["other"]), "mistyped address", "confirmed"))
			if r.status != 303 {
				t.Fatalf("status %d, want 303: %s", r.status, r.body)
			}
		}
		if got := balances(); got != [2]models.Credits{100, 600} {
			t.Errorf("balances = %v credits, want 100 and 600", got)
		}
		purchase := f.paths.Replace("/en/purchase/{purchase}")
		for name, c := range map[string]struct {
			who   member
			path  string
			words []string
		}{
			"the admin's page of the purchase": {boss, path,
				[]string{"500\u00a0credits moved with the purchase", "Purchase moved from another account"}},
			"the audit log": {boss, "/en/admin/audit", []string{"Purchase moved", "mistyped address"}},
			"the new owner's purchase": {other, purchase,
				[]string{"Purchase moved from another account", "mistyped address"}},
			"the new owner's history": {other, "/en/history", []string{"Purchase moved from another account", purchase}},
			"the former owner's history": {owner, "/en/history",
				[]string{"Purchase moved to another account", "mistyped address"}},
		} {
			r, _ := c.who.open(c.path)
			for _, words := range c.words {
				if r.status != 200 || !strings.Contains(r.body, words) {
					t.Errorf("%s: status %d, want the words %q", name, r.status, words)
				}
			}
		}
		if r, _ := owner.open("/en/history"); strings.Contains(r.body, purchase) {
			t.Error("the former owner's history links to the moved purchase")
		}
		if r, _ := other.open(purchase); strings.Contains(r.body, "Credits bought") {
			t.Error("the new owner sees the former owner's entries")
		}
		var entries int64
		if err := f.db.Raw(`SELECT count(*) FROM audit_log WHERE action = 'purchase.move' AND actor_id = ? AND user_id = ?`,
			f.users["admin"], f.users["other"]).Scan(&entries).Error; err != nil || entries != 1 {
			t.Errorf("%d entries in the audit log (%v), want 1", entries, err)
		}
	})
}
