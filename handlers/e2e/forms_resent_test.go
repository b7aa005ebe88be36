package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
)

// The same form sent twice does once what it does; one that is too old, or of another session, leads on.
func TestFormsSentAgain(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{"en", "de"} { // each with people of its own, for they are signed out on the way
		fx := newStateFixture(t, locale)
		count := func(query string) (n int64) {
			if err := fx.db.Raw(query).Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		visitors := fx.visitors[locale]
		for _, f := range forms {
			t.Run(locale+" "+f.action, func(t *testing.T) {
				v := visitors[f.user]
				v.t = t
				page := "/" + locale + fx.ids.Replace(f.path)
				f.reset(t, fx)
				if strings.HasPrefix(f.action, "POST") && !f.public {
					v.open(page)
					late := v.form(f.button, f.validInput(locale)...)
					gone := newVisitor(fx.site, locale)
					gone.t, gone.at = t, v.at
					gone.show(late)
					if f.action == "POST /logout" {
						if gone.status != http.StatusOK && gone.status != http.StatusUnauthorized && gone.status != http.StatusForbidden {
							t.Errorf("signing out twice: %d", gone.status)
						}
						return
					}
					if back := gone.doc.Find("#error-sign-in").AttrOr("href", ""); gone.status != http.StatusUnauthorized || !strings.Contains(back, "return_to=") {
						t.Errorf("after signing out: %d, and signing in leads to %q", gone.status, back)
					}
					stranger := visitors["disputer"]
					stranger.open("/" + locale + "/billing")
					v.submit(f.button, append(f.validInput(locale), "_csrf", stranger.find(`[name="_csrf"]`).AttrOr("value", ""))...)
					if again := v.doc.Find("#error-again").AttrOr("href", ""); v.status != http.StatusForbidden || again == "" {
						t.Errorf("with a token of another session: %d, and again leads to %q", v.status, again)
					}
				}
				v.open(page)
				typed := f.validInput(locale)
				first, second := v.form(f.button, typed...), v.form(f.button, typed...)
				at := *v.at
				if f.countSQL == "" { // what is so already stays so
					v.show(first)
					v.at = &at
					if v.show(second); v.status >= 500 {
						t.Errorf("sent twice: %d", v.status)
					}
					return
				}
				before := count(f.countSQL)
				v.show(first)
				if v.status >= 400 {
					t.Errorf("the first time: %d", v.status)
				}
				v.at = &at
				v.show(second)
				if n := count(f.countSQL) - before; n != 1 || v.status >= 500 {
					t.Errorf("sent twice (%d the second time), it was done %d times", v.status, n)
				}
			})
		}
		dbtest.CheckLedger(t, fx.db)
	}
}

// What belongs to somebody else is not there, for whoever is signed in and for nobody.
func TestOthersBelongings(t *testing.T) {
	t.Parallel()
	fx := newStateFixture(t, "en", "de")
	one := func(query string) (text string) {
		if err := fx.db.Raw(query).Scan(&text).Error; err != nil {
			t.Fatal(err)
		}
		return text
	}
	const there = `SELECT concat_ws(' ', (SELECT count(*) FROM audit_log WHERE action <> 'admin.deny'), (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL), (SELECT count(*) FROM refund_requests), (SELECT count(*) FROM feature_prices),
		(SELECT count(*) FROM withdrawals WHERE handled_at IS NULL), (SELECT count(*) FROM credit_transactions), (SELECT count(*) FROM reconciliations))`
	withdrawal, key, before := one(`SELECT min(id::text) FROM withdrawals WHERE handled_at IS NULL`), one(`SELECT min(id::text) FROM api_keys WHERE revoked_at IS NULL`), one(there)
	for locale, visitors := range fx.visitors {
		owner, other := visitors["second"], visitors["rich"]
		owner.t, other.t = t, t
		owner.open("/" + locale + "/account")
		var actions []string
		owner.doc.Find(`form[action*="/sessions/"], form[action*="/sign-ins/"]`).Each(func(_ int, f *goquery.Selection) {
			if action := f.AttrOr("action", ""); idInPath.MatchString(action) {
				actions = append(actions, action)
			}
		})
		if len(actions) < 3 {
			t.Fatalf("somebody with two sign-ins and two sessions has only %v", actions)
		}
		other.open("/" + locale + "/account")
		token := other.find(`[name="_csrf"]`).AttrOr("value", "")
		for _, action := range append(actions, "/"+locale+fx.ids.Replace("/admin/users/{rich}/grant"), "/"+locale+fx.ids.Replace("/admin/purchases/{paid}/refund"), "/"+locale+fx.ids.Replace("/admin/purchases/{paid}/check"), "/"+locale+fx.ids.Replace("/admin/purchases/{paid}/move"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{review}/book"), "/"+locale+fx.ids.Replace("/admin/purchases/{review}/foreign"), "/"+locale+fx.ids.Replace("/admin/purchases/{won}/share"),
			"/"+locale+"/admin/events/evt_state_waits/foreign", "/"+locale+"/admin/events/evt_state_waits/close", "/"+locale+fx.ids.Replace("/admin/findings/{finding}/close"),
			"/"+locale+"/admin/events/evt_seed_4/retry", "/"+locale+"/admin/withdrawals/"+withdrawal+"/close", "/"+locale+"/admin/keys/"+key+"/revoke",
			"/"+locale+"/admin/reconcile", "/"+locale+"/admin/keys", "/"+locale+"/admin/features") {
			req, err := http.NewRequest(http.MethodPost, fx.site.url+action, strings.NewReader(url.Values{"_csrf": {token}, "credits": {"5"}, "note": {"x"}, "direction": {"grant"},
				"idempotency_key": {"theft"}, "amount": {"1"}, "name": {"x"}, "scope_spend": {"on"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			other.show(req)
			// Ending what has ended is no fault, for a button may be pressed twice; so what is another's is as if it had ended.
			if ended := strings.Contains(action, "/account/") && other.at.Path == "/"+locale+"/account"; other.status != http.StatusNotFound && !ended {
				t.Errorf("%s by somebody else: %d, want 404", action, other.status)
			}
			other.open("/" + locale + "/account")
		}
		for _, path := range []string{"/purchase/{paid}", "/purchase/{paid}/receipt", "/withdrawal?purchase={paid}", "/admin", "/admin/users/{rich}",
			"/admin/purchases/{paid}", "/admin/events", "/admin/events/evt_state_waits", "/admin/findings/{finding}", "/admin/audit", "/admin/keys", "/admin/features", "/admin/withdrawals"} {
			if other.open("/" + locale + fx.ids.Replace(path)); other.status != http.StatusNotFound {
				t.Errorf("%s for somebody else: %d, want 404", path, other.status)
			}
		}
		if owner.open("/" + locale + "/account"); owner.doc.Find("#sign-ins .lines li").Length() != 2 || owner.status != http.StatusOK {
			t.Errorf("the owner has lost a sign-in or the session: %d", owner.status)
		}
	}
	if after := one(there); after != before {
		t.Errorf("something was done for somebody who may not: there are %s, there were %s", after, before)
	}
}
