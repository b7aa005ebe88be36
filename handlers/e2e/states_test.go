package e2e

import (
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

// state is a page as somebody sees it to whom something has happened. Where a button is named, it is pressed, with these
// values typed in, and the answer is the page. Addresses are without language; {paid} is the id of that purchase of testdata/states.sql.
type state struct {
	name   string
	who    string // the address before the @, "admin", or nobody
	path   string
	status int // 0 is 200
	button string
	typed  []string
}

const (
	hostileText = `"><script>alert(1)</script> 👍 ` + "\u202eأهلا"
	wrongPeriod = "/admin/events?from=2026-02-02&until=2026-02-01"
)

var states = []state{
	{name: "landing", path: ""},
	{name: "login", path: "/login"},
	{name: "login-back", path: "/login?return_to=/de/history"},
	{name: "withdrawal-stranger", path: "/withdrawal"},
	{name: "withdrawal-empty", path: "/withdrawal", status: 422, button: "#confirm-withdrawal"},
	{name: "withdrawal-wrong", path: "/withdrawal", status: 422, button: "#confirm-withdrawal", typed: []string{"name", "Ada", "email", "nowhere", "contract", hostileText}},
	{name: "docs", path: "/api/docs"},
	{name: "components", path: "/dev/components"},
	{name: "error-404", path: "/nothing", status: 404},
	{name: "error-sign-in", path: "/auth/oidc/callback", status: 400},
	{name: "held", path: "/auth/oidc?locale={locale}", status: 409, button: "#custom-user button", typed: []string{"name", "Ada Example", "email", "second@example.com", "subject", "another"}},

	{name: "landing-in", who: "zero", path: ""},
	{name: "billing-zero", who: "zero", path: "/billing"},
	{name: "billing-low", who: "low", path: "/billing"},
	{name: "billing-debt", who: "debt", path: "/billing"},
	{name: "billing-rich", who: "rich", path: "/billing"},
	{name: "billing-held", who: "holder", path: "/billing"},
	{name: "billing-long", who: "long", path: "/billing"},
	{name: "billing-short", who: "short", path: "/billing"},
	{name: "spent", who: "rich", path: "/billing", button: "#spend-job_match"},
	{name: "too-few", who: "zero", path: "/billing", status: 402, button: "#spend-resume_analysis"},
	{name: "too-few-low", who: "low", path: "/billing", status: 402, button: "#spend-resume_improvement"},
	{name: "too-few-debt", who: "debt", path: "/billing", status: 402, button: "#spend-job_match"},
	{name: "spend-key-missing", who: "rich", path: "/billing", status: 400, button: "#spend-job_match", typed: []string{"idempotency_key", ""}},
	{name: "error-403", who: "rich", path: "/billing", status: 403, button: "#spend-job_match", typed: []string{"_csrf", "wrong"}},
	{name: "error-404-in", who: "long", path: "/nothing", status: 404},
	{name: "back-processing", who: "buyer", path: "/billing?success=true&session_id=cs_state_pending"},
	{name: "back-slow", who: "buyer", path: "/billing?success=true&session_id=cs_state_pending&poll=30"},
	{name: "back-awaiting", who: "buyer", path: "/billing?success=true&session_id=cs_state_awaiting"},
	{name: "back-failed", who: "buyer", path: "/billing?success=true&session_id=cs_state_failed"},
	{name: "back-expired", who: "buyer", path: "/billing?success=true&session_id=cs_state_expired"},
	{name: "back-review", who: "buyer", path: "/billing?success=true&session_id=cs_state_review"},
	{name: "back-booked", who: "buyer", path: "/billing?success=true&session_id=cs_state_paid"},
	{name: "back-canceled", who: "zero", path: "/billing?canceled=true"},
	{name: "back-canceled-order", who: "buyer", path: "/billing?canceled=true"},

	{name: "purchase", who: "zero", path: "/purchase"},
	{name: "purchase-chosen", who: "rich", path: "/purchase?package=1200&quantity=100"},
	{name: "purchase-debt", who: "debt", path: "/purchase"},
	{name: "purchase-wrong", who: "long", path: "/purchase", status: 422, button: "#buy-500", typed: []string{"quantity", "1,5"}},
	{name: "purchase-much", who: "long", path: "/purchase", status: 422, button: "#buy-1200", typed: []string{"quantity", strings.Repeat("9", 10_000)}},
	{name: "purchase-unknown", who: "long", path: "/purchase", status: 422, button: "#buy-500", typed: []string{"price_id", "price_nobody"}},
	{name: "detail-pending", who: "buyer", path: "/purchase/{pending}"},
	{name: "detail-awaiting", who: "buyer", path: "/purchase/{awaiting}"},
	{name: "detail-failed", who: "buyer", path: "/purchase/{failed}"},
	{name: "detail-expired", who: "buyer", path: "/purchase/{expired}"},
	{name: "detail-review", who: "buyer", path: "/purchase/{review}"},
	{name: "detail-back", who: "buyer", path: "/purchase/{back}"},
	{name: "detail-foreign", who: "buyer", path: "/purchase/{foreign}"},
	{name: "detail-paid", who: "buyer", path: "/purchase/{paid}"},
	{name: "detail-partly", who: "buyer", path: "/purchase/{partly}"},
	{name: "detail-returned", who: "buyer", path: "/purchase/{returned}"},
	{name: "detail-disputed", who: "buyer", path: "/purchase/{disputed}"},
	{name: "detail-won", who: "buyer", path: "/purchase/{won}"},
	{name: "detail-lost", who: "buyer", path: "/purchase/{lost}"},
	{name: "receipt-none", who: "buyer", path: "/purchase/{pending}/receipt", status: 404},
	{name: "detail-moved", who: "second", path: "/purchase/{moved}"},
	{name: "detail-other", who: "rich", path: "/purchase/{paid}", status: 404},
	{name: "back-other", who: "rich", path: "/billing?success=true&session_id=cs_state_paid"},
	{name: "withdrawal-of", who: "buyer", path: "/withdrawal?purchase={paid}"},
	{name: "withdrawal-received", who: "second", path: "/withdrawal?purchase={withdrawn}"},

	{name: "history-empty", who: "zero", path: "/history"},
	{name: "history-kinds", who: "buyer", path: "/history"},
	{name: "history-debt", who: "debt", path: "/history"},
	{name: "history-moved", who: "second", path: "/history"},
	{name: "history-holds", who: "holder", path: "/history"},
	{name: "history-pages", who: "rich", path: "/history"},
	{name: "history-none", who: "rich", path: "/history?q=%F0%9F%91%8D"},
	{name: "history-filtered", who: "rich", path: "/history?kind=job_match"},
	{name: "history-wrong", who: "rich", path: "/history?kind=nonsense&month=2026-99&q=" + strings.Repeat("x", 101), status: 422},
	{name: "history-lost", who: "rich", path: "/history?cursor=x", status: 422},

	{name: "account", who: "second", path: "/account"},
	{name: "account-long", who: "long", path: "/account"},
	{name: "account-short", who: "short", path: "/account"},
	{name: "account-saved", who: "short", path: "/account", button: "#profile-save", typed: []string{"locale", "{locale}"}},
	{name: "account-wrong", who: "short", path: "/account", status: 422, button: "#profile-save", typed: []string{"name", strings.Repeat("W", 201)}},
	{name: "account-nameless", who: "short", path: "/account", status: 422, button: "#profile-save", typed: []string{"name", ""}},
	{name: "confirm", who: "short", path: "/confirm"},
	{name: "delete", who: "holder", path: "/account/delete"},
	{name: "delete-unproved", who: "short", path: "/account/delete"},
	{name: "delete-debt", who: "debt", path: "/account/delete"},
	{name: "delete-disputed", who: "disputer", path: "/account/delete"},
	{name: "delete-unsure", who: "rich", path: "/account/delete", status: 422, button: "#delete-account"},

	{name: "admin", who: "admin", path: "/admin"},
	{name: "admin-months", who: "admin", path: "/admin?period=months"},
	{name: "admin-nobody", who: "admin", path: "/admin?email=%F0%9F%91%8D"},
	{name: "admin-lost", who: "admin", path: "/admin?after=x", status: 422},
	{name: "admin-user-buyer", who: "admin", path: "/admin/users/{buyer}"},
	{name: "admin-user-debt", who: "admin", path: "/admin/users/{debt}"},
	{name: "admin-user-rich", who: "admin", path: "/admin/users/{rich}"},
	{name: "admin-user-long", who: "admin", path: "/admin/users/{long}"},
	{name: "admin-user-held", who: "admin", path: "/admin/users/{holder}"},
	{name: "admin-user-zero", who: "admin", path: "/admin/users/{zero}"},
	{name: "admin-user-deleted", who: "admin", path: "/admin/users/{deleted}"},
	{name: "admin-user-lookalike", who: "admin", path: "/admin/users/{b\u043ess}"},
	{name: "admin-user-merged", who: "admin", path: "/admin/users/{merged}"},
	{name: "admin-access-silent", who: "admin", path: "/admin/users/{debt}", status: 422, button: `button[id^="access-relink-"]`, typed: []string{"note", ""}},
	{name: "admin-grant-wrong", who: "admin", path: "/admin/users/{zero}", status: 422, button: "#grant-submit", typed: []string{"credits", "1,5", "note", hostileText}},
	{name: "admin-grant-silent", who: "admin", path: "/admin/users/{zero}", status: 422, button: "#grant-submit", typed: []string{"credits", "5", "note", ""}},
	{name: "admin-grant-preview", who: "admin", path: "/admin/users/{rich}", button: "#grant-preview", typed: []string{"credits", "100000"}},
	{name: "admin-correct-too-much", who: "admin", path: "/admin/users/{low}", status: 422, button: "#grant-submit", typed: []string{"credits", "100", "direction", "correct", "note", "x"}},
	{name: "admin-purchase-pending", who: "admin", path: "/admin/purchases/{pending}"},
	{name: "admin-purchase-awaiting", who: "admin", path: "/admin/purchases/{awaiting}"},
	{name: "admin-purchase-review", who: "admin", path: "/admin/purchases/{review}"},
	{name: "admin-purchase-unknown", who: "admin", path: "/admin/purchases/{unknown}"},
	{name: "admin-purchase-back", who: "admin", path: "/admin/purchases/{back}"},
	{name: "admin-purchase-foreign", who: "admin", path: "/admin/purchases/{foreign}"},
	{name: "admin-book-silent", who: "admin", path: "/admin/purchases/{unknown}", status: 422, button: "#decide-book", typed: []string{"credits", "many", "note", ""}},
	{name: "admin-share", who: "admin", path: "/admin/purchases/{won}"},
	{name: "admin-share-wrong", who: "admin", path: "/admin/purchases/{won}", status: 422, button: `[id^="decide-share-"]`, typed: []string{"share", "1.234,567", "note", hostileText}},
	{name: "admin-event", who: "admin", path: "/admin/events/evt_state_waits"},
	{name: "admin-event-silent", who: "admin", path: "/admin/events/evt_state_waits", status: 422, button: "#decide-foreign", typed: []string{"note", ""}},
	{name: "admin-finding", who: "admin", path: "/admin/findings/{finding}"},
	{name: "admin-purchase-paid", who: "admin", path: "/admin/purchases/{paid}"},
	{name: "admin-purchase-partly", who: "admin", path: "/admin/purchases/{partly}"},
	{name: "admin-purchase-returned", who: "admin", path: "/admin/purchases/{returned}"},
	{name: "admin-purchase-disputed", who: "admin", path: "/admin/purchases/{disputed}"},
	{name: "admin-purchase-moved", who: "admin", path: "/admin/purchases/{moved}"},
	{name: "admin-move-wrong", who: "admin", path: "/admin/purchases/{paid}", status: 422, button: "#move-submit", typed: []string{"to", "nobody@example.com", "note", hostileText}},
	{name: "admin-move-unsent", who: "admin", path: "/admin/purchases/{owed}", button: "#move-preview", typed: []string{"to", "long@example.com"}},
	{name: "admin-refund-wrong", who: "admin", path: "/admin/purchases/{paid}", status: 422, button: "#refund-submit", typed: []string{"amount", "1.234,567", "note", hostileText}},
	{name: "admin-refund-silent", who: "admin", path: "/admin/purchases/{paid}", status: 422, button: "#refund-submit", typed: []string{"amount", "5", "note", ""}},
	{name: "admin-events", who: "admin", path: "/admin/events"},
	{name: "admin-events-none", who: "admin", path: "/admin/events?q=nothing"},
	{name: "admin-events-review", who: "admin", path: "/admin/events?status=review"},
	{name: "admin-events-wrong", who: "admin", path: wrongPeriod, status: 422},
	{name: "admin-audit", who: "admin", path: "/admin/audit"},
	{name: "admin-audit-none", who: "admin", path: "/admin/audit?user=0"},
	{name: "admin-audit-wrong", who: "admin", path: "/admin/audit?until=31.12.2026&kind=x", status: 422},
	{name: "admin-withdrawals", who: "admin", path: "/admin/withdrawals"},
	{name: "admin-features", who: "admin", path: "/admin/features"},
	{name: "admin-feature-wrong", who: "admin", path: "/admin/features", status: 422, button: "#feature-submit", typed: []string{"feature", "Ä", "credits", "0"}},
	{name: "admin-keys", who: "admin", path: "/admin/keys"},
	{name: "admin-key-made", who: "admin", path: "/admin/keys", button: "#make-submit", typed: []string{"name", strings.Repeat("matcher", 11), "scope_spend", "on"}},
	{name: "admin-key-wrong", who: "admin", path: "/admin/keys", status: 422, button: "#make-submit", typed: []string{"name", "", "per_minute", "x"}},
}

// Every page in every state: in both languages as it comes over the wire, and in a browser, there in one of four views,
// which the states share out evenly, and on the narrowest phone there is.
func TestStates(t *testing.T) {
	t.Parallel()
	sc := newScene(t, "en", "de")
	texts := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}
	valid := workDir(t)
	known := map[string]bool{}
	t.Run("on the wire", func(t *testing.T) {
		for locale, who := range sc.cast {
			c := &crawler{locale: locale, texts: texts, foreign: telltales(texts[locale], texts[other(locale)])}
			for _, st := range states {
				c.visitor = who[st.who]
				c.visitor.t = t
				for _, is := range c.readState(st, sc.ids, valid) {
					known[is] = true
				}
			}
		}
		for _, f := range forms {
			if !known[f.is] {
				t.Errorf("no page has the form %s", f.is)
			}
		}
		validate(t, valid)
	})
	for _, v := range allViews {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, sc.site, v)
			for _, name := range append(slices.Sorted(maps.Keys(people)), "admin", "") {
				b.be(sc.cast[v.locale][name])
				for i, st := range states {
					if st.who == name && (dbtest.Full() || dealt(i) == v) {
						b.become(st, sc.ids)
					}
				}
			}
		})
	}
}

// readState brings about a state, reads the page as it comes over the wire, and keeps it in a directory. It returns the
// page's forms.
func (c *crawler) readState(st state, ids *strings.Replacer, dir string) (forms []string) {
	v := c.visitor
	v.t.Helper()
	v.become(st, ids)
	c.readWords(st.name, v.doc)
	c.readIDs(st.name, v.doc)
	if st.path != "/dev/components" { // what stands there is for show
		forms = wantKnown(v.t, st.name, v.doc)
	}
	if v.doc.Find("h1").Length() != 1 || v.doc.Find("html").AttrOr("lang", "") != c.locale {
		v.t.Errorf("%s %s: no page with one heading in its language", c.locale, st.name)
	}
	if err := os.WriteFile(filepath.Join(dir, c.locale+"-"+st.name+".html"), []byte(v.source), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return forms
}

// validate wants the pages in a directory to be valid HTML.
func validate(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("../../node_modules/.bin/html-validate", "--config", "testdata/htmlvalidate.json", dir).CombinedOutput(); err != nil {
		t.Errorf("html-validate (npm ci brings it): %v\n%s", err, out)
	}
}

// dealt is the view in which a state is seen in make test; make test-full sees each in all four, which get as many each.
func dealt(state int) view {
	return allViews[state%len(allViews)]
}

// What is wrong on our side: a table that is not as the program wants it, and a database that is away.
func TestStatesOfTrouble(t *testing.T) {
	t.Parallel()
	server, err := localpg.Start(t.Context(), localpg.Options{Dir: workDir(t), Unsafe: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "DATABASE_URL="+server.URL())
	cast := map[string]*visitor{"en": newVisitor(s, "en"), "de": newVisitor(s, "de")}
	db, err := postgres.Open(server.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	look := func(st state, seen view) {
		for locale, v := range cast {
			v.become(st, strings.NewReplacer())
			if locale != seen.locale && !dbtest.Full() {
				continue
			}
			b := newBrowser(t, s, view{locale, seen.width, seen.height})
			b.broken = true
			b.be(v)
			b.become(st, strings.NewReplacer())
		}
	}
	exec := func(statement string) {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range cast {
		v.signInAs("ada@example.com")
	}
	exec(`INSERT INTO rate_windows (subject, minute, taken, granted, ends_at)
		SELECT 'account:user:' || id, begins, 30, 1, begins + interval '1 minute' FROM users,
			generate_series(date_trunc('minute', now()), now() + interval '1 hour', interval '1 minute') begins`)
	look(state{name: "error-429", path: "/account", status: http.StatusTooManyRequests, button: "#profile-save", typed: []string{"name", hostileText}}, view{"de", 375, 812})
	for locale, words := range map[string]string{"en": "Please wait", "de": "warten Sie"} {
		if v := cast[locale]; !strings.Contains(v.text("main"), words) || v.find("#error-resend").Closest("form").Find("[name=name]").AttrOr("value", "") != hostileText {
			t.Errorf("who was too fast reads %q, want %q and the form to send again", v.text("main"), words)
		}
	}
	exec(`ALTER TABLE feature_prices RENAME TO lost`)
	postgres.Close(db)
	look(state{name: "error-500", path: "/billing", status: http.StatusInternalServerError}, view{"en", 1280, 900})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	look(state{name: "error-503", path: "/billing", status: http.StatusServiceUnavailable}, view{"de", 375, 812})
}
