package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// pageState is a page as a user in some state sees it. If it names a button, the button is pressed with these values
// typed, and the response is the page. Paths have no locale; {paid} is the id of that purchase in testdata/states.sql.
type pageState struct {
	name   string
	user   string // the address before the @, "admin", or "" for a signed-out visitor
	path   string
	status int // 0 means 200
	button string
	typed  []string
}

const (
	hostileText = `"><script>alert(1)</script> 👍 ` + "\u202eأهلا"
	wrongPeriod = "/admin/events?from=2026-02-02&until=2026-02-01"
)

var states = []pageState{
	{name: "landing", path: ""},
	{name: "login", path: "/login"},
	{name: "login-back", path: "/login?return_to=/de/history"},
	{name: "withdrawal-stranger", path: "/withdrawal"},
	{name: "legal-accessibility", path: "/legal/accessibility"},
	{name: "legal-withdrawal", path: "/legal/withdrawal"},
	{name: "legal-form", path: "/legal/form"},
	{name: "withdrawal-empty", path: "/withdrawal", status: 422, button: "#confirm-withdrawal"},
	{name: "withdrawal-wrong", path: "/withdrawal", status: 422, button: "#confirm-withdrawal",
		typed: []string{"name", "Ada", "email", "nowhere", "contract", hostileText}},
	{name: "unsubscribe", path: "/letters/{reminder}/unsubscribe"},
	{name: "unsubscribed", path: "/letters/{stopped}/unsubscribe"},
	{name: "docs", path: "/api/docs"},
	{name: "components", path: "/dev/components"},
	{name: "letters", path: "/dev/letters?sample=purchase_paid"},
	{name: "error-404", path: "/nothing", status: 404},
	{name: "error-sign-in", path: "/auth/oidc/callback", status: 400},
	{name: "held", path: "/auth/oidc?locale={locale}", status: 409, button: "#custom-user button",
		typed: []string{"name", "Ada Example", "email", "second@example.com", "subject", "another"}},

	{name: "landing-in", user: "zero", path: ""},
	{name: "billing-zero", user: "zero", path: "/billing"},
	{name: "billing-low", user: "low", path: "/billing"},
	{name: "billing-debt", user: "debt", path: "/billing"},
	{name: "billing-rich", user: "rich", path: "/billing"},
	{name: "billing-held", user: "holder", path: "/billing"},
	{name: "billing-long", user: "long", path: "/billing"},
	{name: "billing-short", user: "short", path: "/billing"},
	{name: "order-key-missing", user: "rich", path: "/purchase?package=500", status: 400, button: "#place-order",
		typed: []string{"idempotency_key", ""}},
	{name: "error-403", user: "rich", path: "/purchase?package=500", status: 403, button: "#place-order",
		typed: []string{"_csrf", "wrong"}},
	{name: "error-404-in", user: "long", path: "/nothing", status: 404},
	{name: "back-processing", user: "buyer", path: "/billing?success=true&session_id=cs_state_pending"},
	{name: "back-slow", user: "buyer", path: "/billing?success=true&session_id=cs_state_pending&poll=30"},
	{name: "back-awaiting", user: "buyer", path: "/billing?success=true&session_id=cs_state_awaiting"},
	{name: "back-failed", user: "buyer", path: "/billing?success=true&session_id=cs_state_failed"},
	{name: "back-expired", user: "buyer", path: "/billing?success=true&session_id=cs_state_expired"},
	{name: "back-review", user: "buyer", path: "/billing?success=true&session_id=cs_state_review"},
	{name: "back-booked", user: "buyer", path: "/billing?success=true&session_id=cs_state_paid"},
	{name: "back-canceled", user: "zero", path: "/billing?canceled=true"},
	{name: "back-canceled-order", user: "buyer", path: "/billing?canceled=true"},

	{name: "purchase", user: "zero", path: "/purchase"},
	{name: "purchase-chosen", user: "rich", path: "/purchase?package=1200&quantity=100"},
	{name: "purchase-debt", user: "debt", path: "/purchase"},
	{name: "purchase-wrong", user: "long", path: "/purchase?package=500", status: 422, button: "#place-order",
		typed: []string{"quantity", "1,5"}},
	{name: "purchase-much", user: "long", path: "/purchase?package=1200", status: 422, button: "#place-order",
		typed: []string{"quantity", strings.Repeat("9", 10_000)}},
	{name: "purchase-unknown", user: "long", path: "/purchase?package=500", status: 422, button: "#place-order",
		typed: []string{"price_id", "price_unknown"}},
	{name: "detail-pending", user: "buyer", path: "/purchase/{pending}"},
	{name: "detail-awaiting", user: "buyer", path: "/purchase/{awaiting}"},
	{name: "detail-failed", user: "buyer", path: "/purchase/{failed}"},
	{name: "detail-expired", user: "buyer", path: "/purchase/{expired}"},
	{name: "detail-review", user: "buyer", path: "/purchase/{review}"},
	{name: "detail-back", user: "buyer", path: "/purchase/{back}"},
	{name: "detail-foreign", user: "buyer", path: "/purchase/{foreign}"},
	{name: "detail-paid", user: "buyer", path: "/purchase/{paid}"},
	{name: "detail-kept", user: "buyer", path: "/purchase/{kept}"},
	{name: "detail-held", user: "holder", path: "/purchase/{held}"},
	{name: "use-now", user: "holder", path: "/purchase/{held}/use-now"},
	{name: "use-now-incomplete", user: "holder", path: "/purchase/{held}/use-now", status: 422, button: "#use-now"},
	{name: "refund-ask", user: "buyer", path: "/purchase/{kept}/refund"},
	{name: "refund-changed", user: "buyer", path: "/purchase/{kept}/refund", status: 409, button: "#refund-unused",
		typed: []string{"cents", "1"}},
	{name: "detail-partly", user: "buyer", path: "/purchase/{partly}"},
	{name: "detail-returned", user: "buyer", path: "/purchase/{returned}"},
	{name: "detail-disputed", user: "buyer", path: "/purchase/{disputed}"},
	{name: "detail-won", user: "buyer", path: "/purchase/{won}"},
	{name: "detail-lost", user: "buyer", path: "/purchase/{lost}"},
	{name: "receipt-none", user: "buyer", path: "/purchase/{pending}/receipt", status: 404},
	{name: "detail-moved", user: "second", path: "/purchase/{moved}"},
	{name: "detail-other", user: "rich", path: "/purchase/{paid}", status: 404},
	{name: "back-other", user: "rich", path: "/billing?success=true&session_id=cs_state_paid"},
	{name: "withdrawal-of", user: "buyer", path: "/withdrawal?purchase={paid}"},
	{name: "withdrawal-received", user: "second", path: "/withdrawal?purchase={withdrawn}"},

	{name: "history-empty", user: "zero", path: "/history"},
	{name: "history-kinds", user: "buyer", path: "/history"},
	{name: "history-debt", user: "debt", path: "/history"},
	{name: "history-moved", user: "second", path: "/history"},
	{name: "history-holds", user: "holder", path: "/history"},
	{name: "history-pages", user: "rich", path: "/history"},
	{name: "history-none", user: "rich", path: "/history?q=%F0%9F%91%8D"},
	{name: "history-filtered", user: "rich", path: "/history?kind=job_match"},
	{name: "history-wrong", user: "rich", path: "/history?kind=nonsense&month=2026-99&q=" + strings.Repeat("x", 101),
		status: 422},
	{name: "history-lost", user: "rich", path: "/history?cursor=x", status: 422},

	{name: "account", user: "second", path: "/account"},
	{name: "account-long", user: "long", path: "/account"},
	{name: "account-bounced", user: "debt", path: "/account"},
	{name: "account-short", user: "short", path: "/account"},
	{name: "account-saved", user: "short", path: "/account", button: "#profile-save",
		typed: []string{"locale", "{locale}"}},
	{name: "account-wrong", user: "short", path: "/account", status: 422, button: "#profile-save",
		typed: []string{"name", strings.Repeat("W", 201)}},
	{name: "account-nameless", user: "short", path: "/account", status: 422, button: "#profile-save",
		typed: []string{"name", ""}},
	{name: "confirm", user: "short", path: "/confirm"},
	{name: "account-delete-refund", user: "second", path: "/account/delete"},
	{name: "delete", user: "holder", path: "/account/delete"},
	{name: "delete-unproved", user: "short", path: "/account/delete"},
	{name: "delete-debt", user: "debt", path: "/account/delete"},
	{name: "delete-disputed", user: "disputer", path: "/account/delete"},
	{name: "delete-unsure", user: "rich", path: "/account/delete", status: 422, button: "#delete-account"},

	{name: "admin", user: "admin", path: "/admin"},
	{name: "admin-months", user: "admin", path: "/admin?period=months"},
	{name: "admin-no-match", user: "admin", path: "/admin?q=%F0%9F%91%8D"},
	{name: "admin-lost", user: "admin", path: "/admin?after=x", status: 422},
	{name: "admin-user-buyer", user: "admin", path: "/admin/users/{buyer}"},
	{name: "admin-user-debt", user: "admin", path: "/admin/users/{debt}"},
	{name: "admin-user-rich", user: "admin", path: "/admin/users/{rich}"},
	{name: "admin-user-long", user: "admin", path: "/admin/users/{long}"},
	{name: "admin-user-held", user: "admin", path: "/admin/users/{holder}"},
	{name: "admin-user-zero", user: "admin", path: "/admin/users/{zero}"},
	{name: "admin-user-deleted", user: "admin", path: "/admin/users/{deleted}"},
	{name: "admin-user-lookalike", user: "admin", path: "/admin/users/{b\u043ess}"},
	{name: "admin-user-merged", user: "admin", path: "/admin/users/{merged}"},
	{name: "admin-access-silent", user: "admin", path: "/admin/users/{debt}", status: 422,
		button: `button[id^="access-relink-"]`, typed: []string{"note", ""}},
	{name: "admin-grant-wrong", user: "admin", path: "/admin/users/{zero}", status: 422, button: "#grant-submit",
		typed: []string{"credits", "1,5", "note", hostileText}},
	{name: "admin-grant-silent", user: "admin", path: "/admin/users/{zero}", status: 422, button: "#grant-submit",
		typed: []string{"credits", "5", "note", ""}},
	{name: "admin-grant-summary", user: "admin", path: "/admin/users/{rich}", button: "#grant-submit",
		typed: []string{"credits", "100000", "note", hostileText}},
	{name: "admin-correct-summary", user: "admin", path: "/admin/users/{rich}", button: "#grant-submit",
		typed: []string{"credits", "5", "direction", "correct", "note", "x"}},
	{name: "admin-correct-too-much", user: "admin", path: "/admin/users/{low}", status: 422, button: "#grant-submit",
		typed: []string{"credits", "100", "direction", "correct", "note", "x"}},
	{name: "admin-purchase-pending", user: "admin", path: "/admin/purchases/{pending}"},
	{name: "admin-purchase-awaiting", user: "admin", path: "/admin/purchases/{awaiting}"},
	{name: "admin-purchase-review", user: "admin", path: "/admin/purchases/{review}"},
	{name: "admin-purchase-unknown", user: "admin", path: "/admin/purchases/{unknown}"},
	{name: "admin-dossier", user: "admin", path: "/admin/purchases/{withdrawn}/dossier"},
	{name: "admin-purchase-back", user: "admin", path: "/admin/purchases/{back}"},
	{name: "admin-purchase-foreign", user: "admin", path: "/admin/purchases/{foreign}"},
	{name: "admin-book-silent", user: "admin", path: "/admin/purchases/{unknown}", status: 422, button: "#decide-book",
		typed: []string{"credits", "many", "note", ""}},
	{name: "admin-share", user: "admin", path: "/admin/purchases/{won}"},
	{name: "admin-share-wrong", user: "admin", path: "/admin/purchases/{won}", status: 422,
		button: `[id^="decide-share-"]`, typed: []string{"share", "1.234,567", "note", hostileText}},
	{name: "admin-event", user: "admin", path: "/admin/events/evt_state_waits"},
	{name: "admin-event-silent", user: "admin", path: "/admin/events/evt_state_waits", status: 422,
		button: "#decide-foreign", typed: []string{"note", ""}},
	{name: "admin-finding", user: "admin", path: "/admin/findings/{finding}"},
	{name: "admin-resumes", user: "admin", path: "/admin/resumes/{deleted}"},
	{name: "admin-purchase-paid", user: "admin", path: "/admin/purchases/{paid}"},
	{name: "admin-purchase-partly", user: "admin", path: "/admin/purchases/{partly}"},
	{name: "admin-purchase-returned", user: "admin", path: "/admin/purchases/{returned}"},
	{name: "admin-purchase-disputed", user: "admin", path: "/admin/purchases/{disputed}"},
	{name: "admin-purchase-moved", user: "admin", path: "/admin/purchases/{moved}"},
	{name: "admin-move-wrong", user: "admin", path: "/admin/purchases/{paid}", status: 422, button: "#move-submit",
		typed: []string{"to", "unknown@example.com", "note", hostileText}},
	{name: "admin-move-summary", user: "admin", path: "/admin/purchases/{owed}", button: "#move-submit",
		typed: []string{"to", "long@example.com", "note", hostileText}},
	{name: "admin-refund-summary", user: "admin", path: "/admin/purchases/{paid}", button: "#refund-submit",
		typed: []string{"amount", "1", "note", hostileText}},
	{name: "admin-book-summary", user: "admin", path: "/admin/purchases/{review}", button: "#decide-book",
		typed: []string{"note", hostileText}},
	{name: "admin-share-summary", user: "admin", path: "/admin/purchases/{won}", button: `[id^="decide-share-"]`,
		typed: []string{"share", "1", "note", hostileText}},
	{name: "admin-withdrawal-summary", user: "admin", path: "/admin/withdrawals", button: `[id^="refund-"]`},
	{name: "admin-search-hits", user: "admin", path: "/admin?q=cus_"},
	{name: "admin-refund-wrong", user: "admin", path: "/admin/purchases/{paid}", status: 422, button: "#refund-submit",
		typed: []string{"amount", "1.234,567", "note", hostileText}},
	{name: "admin-refund-silent", user: "admin", path: "/admin/purchases/{paid}", status: 422, button: "#refund-submit",
		typed: []string{"amount", "5", "note", ""}},
	{name: "admin-events", user: "admin", path: "/admin/events"},
	{name: "admin-events-none", user: "admin", path: "/admin/events?q=nothing"},
	{name: "admin-events-review", user: "admin", path: "/admin/events?status=review"},
	{name: "admin-events-wrong", user: "admin", path: wrongPeriod, status: 422},
	{name: "admin-audit", user: "admin", path: "/admin/audit"},
	{name: "admin-audit-none", user: "admin", path: "/admin/audit?user=0"},
	{name: "admin-audit-wrong", user: "admin", path: "/admin/audit?until=31.12.2026&kind=x", status: 422},
	{name: "admin-withdrawals", user: "admin", path: "/admin/withdrawals"},
	{name: "admin-features", user: "admin", path: "/admin/features"},
	{name: "admin-feature-wrong", user: "admin", path: "/admin/features", status: 422, button: "#feature-submit",
		typed: []string{"feature", "Ä", "credits", "0"}},
	{name: "admin-keys", user: "admin", path: "/admin/keys"},
	{name: "admin-key-made", user: "admin", path: "/admin/keys", button: "#make-submit",
		typed: []string{"name", strings.Repeat("matcher", 11), "scope_spend", "on"}},
	{name: "admin-key-wrong", user: "admin", path: "/admin/keys", status: 422, button: "#make-submit",
		typed: []string{"name", "", "per_minute", "x"}},
	{name: "admin-letters", user: "admin", path: "/admin/letters"},
	{name: "admin-letters-wrong", user: "admin", path: "/admin/letters", status: 422, button: "#letter-settings-submit",
		typed: []string{"low_balance", "-1"}},
	{name: "admin-webhooks", user: "admin", path: "/admin/webhooks"},
	{name: "admin-webhook-added", user: "admin", path: "/admin/webhooks", button: "#add-submit",
		typed: []string{"url", "https://example.com/" + strings.Repeat("hook", 30)}},
	{name: "admin-webhook-wrong", user: "admin", path: "/admin/webhooks", status: 422, button: "#add-submit",
		typed: []string{"url", "ftp://example.com", "low_threshold", "x"}},
}

// Every page is valid, complete and accessible in every state: over HTTP in both languages, and in a browser in one of
// four views, which the states share evenly, and at the narrowest width.
func TestStates(t *testing.T) {
	t.Parallel()
	fx := newStateFixture(t, "en", "de")
	texts := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}
	pages := workDir(t)
	known := map[string]bool{}
	t.Run("over HTTP", func(t *testing.T) {
		for locale, visitors := range fx.visitors {
			c := &crawler{locale: locale, texts: texts, foreign: foreignWords(texts[locale], texts[otherLocale(locale)])}
			for i, st := range states {
				c.visitor = visitors[st.user]
				c.visitor.t = t
				for _, action := range c.checkState(st, fx.ids) {
					known[action] = true
				}
				if dbtest.Full() || dailyView(i).locale == locale { // one template makes both languages
					c.store(pages, st.name)
				}
			}
		}
		for _, f := range forms {
			if !known[f.action] {
				t.Errorf("no state shows the form %s", f.action)
			}
		}
		checkHTML(t, pages)
	})
	for _, v := range allViews {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, fx.site, v)
			for _, name := range append(slices.Sorted(maps.Keys(userNames)), "admin", "") {
				b.copySession(fx.visitors[v.locale][name])
				for i, st := range states {
					if st.user == name && (dbtest.Full() || dailyView(i) == v) {
						b.showState(st, fx.ids)
					}
				}
			}
		})
	}
}

// checkState shows a state, checks the response, and returns the page's forms.
func (c *crawler) checkState(st pageState, ids *strings.Replacer) (forms []string) {
	v := c.visitor
	v.t.Helper()
	v.showState(st, ids)
	c.checkWords(st.name, v.doc)
	c.checkIDs(st.name, v.doc)
	if st.path != "/dev/components" { // its forms are samples
		forms = checkForms(v.t, st.name, v.doc)
		c.checkButtons(st.name, v.doc)
	}
	if v.doc.Find("h1").Length() != 1 || v.doc.Find("html").AttrOr("lang", "") != c.locale {
		v.t.Errorf("%s %s: want one h1 and lang=%q", c.locale, st.name, c.locale)
	}
	return forms
}

// store stores the current page in dir for checkHTML.
func (c *crawler) store(dir, name string) {
	if err := os.WriteFile(filepath.Join(dir, c.locale+"-"+name+".html"), []byte(c.visitor.source), 0o600); err != nil {
		c.visitor.t.Fatal(err)
	}
}

// checkHTML requires that all pages in a directory are valid HTML.
func checkHTML(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("../../node_modules/.bin/html-validate", "--config", "testdata/htmlvalidate.json",
		dir).CombinedOutput(); err != nil {
		t.Errorf("html-validate (make generate installs it): %v\n%s", err, out)
	}
}

// dailyView returns the one view of a state in make test. Each view gets as many states; make test-full uses all four.
func dailyView(state int) view {
	return allViews[state%len(allViews)]
}
