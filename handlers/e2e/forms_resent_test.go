package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
)

// A form that is sent twice takes effect once. An expired form, or one of another session, offers a way to continue.
func TestFormsResent(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{"en", "de"} { // each with its own users, because the test signs them out
		fx := newStateFixture(t, locale)
		visitors := fx.visitors[locale]
		for _, f := range forms {
			t.Run(locale+" "+f.action, func(t *testing.T) {
				v := visitors[f.user]
				v.t = t
				f.reset(t, fx)
				if strings.HasPrefix(f.action, "POST") && !f.public {
					f.checkStale(fx, v, visitors["disputer"])
				}
				if f.action != "POST /logout" { // it has signed v out
					f.checkTwice(fx, v)
				}
			})
		}
		dbtest.CheckLedger(t, fx.db)
	}
}

// checkStale sends v's form without a session and with another user's token.
func (f form) checkStale(fx *stateFixture, v, other *visitor) {
	v.t.Helper()
	v.open("/" + v.locale + fx.ids.Replace(f.path))
	signedOut := newVisitor(fx.site, v.locale)
	signedOut.t, signedOut.at = v.t, v.at
	typed := f.visibleInput(v.locale)
	signedOut.show(v.form(f.button, typed...))
	if f.action == "POST /logout" {
		if !slices.Contains([]int{http.StatusOK, http.StatusForbidden}, signedOut.status) {
			v.t.Errorf("second sign-out: status %d, want 200 or 403", signedOut.status)
		}
		return
	}
	if signedOut.status != http.StatusOK || signedOut.at.Path != "/"+v.locale+"/login" || signedOut.text("#flash") == "" ||
		signedOut.at.Query().Get("return_to") == "" {
		v.t.Errorf("form without a session: status %d at %s, want the sign-in with a message and return_to",
			signedOut.status, signedOut.at)
	}
	back := signedOut.at.Query().Get("return_to")
	for _, cookie := range v.client.Jar.Cookies(signedOut.at) {
		if cookie.Name == "session" { // as if v had signed in there
			signedOut.client.Jar.SetCookies(signedOut.at, []*http.Cookie{cookie})
		}
	}
	if signedOut.open(back); len(f.fields) > 0 {
		f.checkKept(signedOut, typed, f.action+": after the sign-in", "consent_early_start", "consent_compensation")
	}
	other.open("/" + v.locale + "/billing")
	token := other.find(`[name="_csrf"]`).AttrOr("value", "")
	v.submit(f.button, append(f.validInput(v.locale), "_csrf", token)...)
	if again := v.doc.Find("#error-again").AttrOr("href", ""); v.status != http.StatusForbidden || again == "" {
		v.t.Errorf("token of another session: status %d, retry link %q, want 403 and a link", v.status, again)
	}
}

// checkTwice sends the same form twice.
func (f form) checkTwice(fx *stateFixture, v *visitor) {
	v.t.Helper()
	count := func() (n int64) {
		if err := fx.db.Raw(f.countSQL).Scan(&n).Error; err != nil {
			v.t.Fatal(err)
		}
		return n
	}
	v.open("/" + v.locale + fx.ids.Replace(f.path))
	typed := f.validInput(v.locale)
	first, second := v.form(f.button, typed...), v.form(f.button, typed...)
	at := *v.at
	if f.countSQL == "" { // resending changes nothing
		v.show(first)
		v.at = &at
		if v.show(second); v.status >= 500 {
			v.t.Errorf("second submit: status %d, want no server error", v.status)
		}
		return
	}
	before := count()
	v.show(first)
	if v.status >= 400 {
		v.t.Errorf("first submit: status %d, want success", v.status)
	}
	v.at = &at
	v.show(second)
	if n := count() - before; n != 1 || v.status >= 500 {
		v.t.Errorf("two submits took effect %d times (second status %d), want once", n, v.status)
	}
}

// Another user's objects answer 404, to a signed-in user as to an anonymous one.
func TestOtherUsersObjectsAreNotFound(t *testing.T) {
	t.Parallel()
	fx := newStateFixture(t, "en", "de")
	readText := func(query string) (text string) {
		if err := fx.db.Raw(query).Scan(&text).Error; err != nil {
			t.Fatal(err)
		}
		return text
	}
	const effects = `SELECT concat_ws(' ', (SELECT count(*) FROM audit_log WHERE action <> 'admin.deny'), (SELECT count(*) FROM api_keys WHERE revoked_at IS NULL), (SELECT count(*) FROM refund_requests), (SELECT count(*) FROM feature_prices),
		(SELECT count(*) FROM withdrawals WHERE handled_at IS NULL), (SELECT count(*) FROM credit_transactions), (SELECT count(*) FROM reconciliations))`
	withdrawal, key, before := readText(`SELECT min(id::text) FROM withdrawals WHERE handled_at IS NULL`),
		readText(`SELECT min(id::text) FROM api_keys WHERE revoked_at IS NULL`), readText(effects)
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
			t.Fatalf("actions of a user with two sign-ins and two sessions = %v, want at least 3", actions)
		}
		other.open("/" + locale + "/account")
		token := other.find(`[name="_csrf"]`).AttrOr("value", "")
		for _, action := range append(actions, "/"+locale+fx.ids.Replace("/admin/users/{rich}/grant"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{paid}/refund"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{paid}/check"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{paid}/move"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{review}/book"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{review}/foreign"),
			"/"+locale+fx.ids.Replace("/admin/purchases/{won}/share"),
			"/"+locale+"/admin/events/evt_state_waits/foreign", "/"+locale+"/admin/events/evt_state_waits/close",
			"/"+locale+fx.ids.Replace("/admin/findings/{finding}/close"),
			"/"+locale+fx.ids.Replace("/admin/resumes/{deleted}/close"),
			"/"+locale+fx.ids.Replace("/admin/resumes/{deleted}/retry"),
			"/"+locale+"/admin/events/evt_seed_4/retry", "/"+locale+"/admin/withdrawals/"+withdrawal+"/close",
			"/"+locale+"/admin/keys/"+key+"/revoke",
			"/"+locale+"/admin/reconcile", "/"+locale+"/admin/keys", "/"+locale+"/admin/webhooks",
			"/"+locale+"/admin/letters/retry",
			"/"+locale+"/admin/features") {
			req, err := http.NewRequest(http.MethodPost, fx.site.url+action,
				strings.NewReader(url.Values{"_csrf": {token}, "credits": {"5"}, "note": {"x"}, "direction": {"grant"},
					"idempotency_key": {"theft"}, "amount": {"1"}, "name": {"x"}, "scope_spend": {"on"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			other.show(req)
			// Ending a session or sign-in twice is not an error, so another user's looks like one that has ended.
			if ended := strings.Contains(action, "/account/") &&
				other.at.Path == "/"+locale+"/account"; other.status != http.StatusNotFound && !ended {
				t.Errorf("%s by another user: status %d, want 404", action, other.status)
			}
			other.open("/" + locale + "/account")
		}
		for _, path := range []string{"/purchase/{paid}", "/purchase/{paid}/receipt", "/withdrawal?purchase={paid}", "/admin",
			"/admin/users/{rich}",
			"/admin/purchases/{paid}", "/admin/events", "/admin/events/evt_state_waits", "/admin/findings/{finding}",
			"/admin/resumes/{deleted}",
			"/admin/audit", "/admin/keys", "/admin/webhooks", "/admin/letters", "/admin/features", "/admin/withdrawals"} {
			if other.open("/" + locale + fx.ids.Replace(path)); other.status != http.StatusNotFound {
				t.Errorf("%s for another user: status %d, want 404", path, other.status)
			}
		}
		if owner.open("/" + locale + "/account"); owner.doc.Find("#sign-ins .lines li").Length() != 2 ||
			owner.status != http.StatusOK {
			t.Errorf("owner: status %d, %d sign-ins, want 200 and 2", owner.status,
				owner.doc.Find("#sign-ins .lines li").Length())
		}
	}
	if after := readText(effects); after != before {
		t.Errorf("counts after the forbidden actions = %s, want %s", after, before)
	}
}
