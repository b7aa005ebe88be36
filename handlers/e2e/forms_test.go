package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
)

// typist is what is typed into one field of a form.
type typist struct {
	name   string
	good   string   // {n} is another number each time
	takes  []string // those of the hostile values that are good as well
	either []string // those that may be good or not, by the language or by what was before
	hidden bool     // the page fills it in: nobody can be told beside it what is wrong
}

// form is one of our own. Buttons that send nothing but who pressed them have no fields.
type form struct {
	is     string // method and kind of address
	who    string // of the scene
	path   string
	button string
	fields []typist
	counts string // what must grow by one however often the same is sent; empty where sending again changes nothing
	public bool   // it needs no session
	again  string // SQL that makes what the form decides undecided, where it can be decided once
}

// reset makes the form's page as it was.
func (f form) reset(t testing.TB, sc *scene) {
	t.Helper()
	if f.again == "" {
		return
	}
	if err := sc.db.Exec(f.again).Error; err != nil {
		t.Fatal(err)
	}
}

// hostile is what people type, or programs send, where something else is expected.
var hostile = map[string]string{
	"nothing": "", "spaces": "   ", "10,000 characters": strings.Repeat("x", 10_000), "an emoji": "👍", "Arabic": "أهلا", "an override": "a\u202eb",
	"HTML": `"><script>alert(1)</script><b class="injected">`, "a negative": "-1", "a comma": "1,5", "dots": "1.000", "a NUL": "a\x00b", "no UTF-8": "a\xffb", "a large number": strings.Repeat("9", 30),
}

var (
	empty    = []string{"nothing", "spaces"}
	nameable = []string{"an emoji", "Arabic", "HTML", "a negative", "a comma", "dots", "a large number"}
	freeText = append([]string{"an override", "no UTF-8"}, nameable...)
	sought   = append(empty, freeText...)
	ticked   = append([]string{"spaces", "a NUL", "10,000 characters"}, freeText...)
	anyKey   = append([]string{"spaces"}, freeText...) // and refused where it was used for something else
)

const waitsAgain = `UPDATE stripe_events SET status = 'review', decided = '', last_error = 'awaits_purchase' WHERE event_id = 'evt_state_waits'`

const ledgerLines = `SELECT count(*) FROM credit_transactions`

var forms = []form{
	{is: "POST /logout", who: "short", path: "/billing", button: "#sign-out"},
	{is: "POST /billing/spend", who: "rich", path: "/billing", button: "#spend-job_match", counts: ledgerLines, fields: []typist{
		{name: "feature", good: "job_match", hidden: true}, {name: "idempotency_key", good: "{n}", either: anyKey, hidden: true}}},
	{is: "POST /purchase", who: "zero", path: "/purchase", button: "#buy-500", counts: `SELECT count(*) FROM purchases`, fields: []typist{
		{name: "quantity", good: "2"}, {name: "price_id", hidden: true}, {name: "idempotency_key", good: "{n}", either: anyKey, hidden: true}}},
	{is: "GET /history", who: "rich", path: "/history", button: "#show", fields: []typist{
		{name: "kind", good: "job_match", takes: empty}, {name: "month", takes: empty}, {name: "q", good: "5", takes: sought}}},
	{is: "POST /withdrawal", path: "/withdrawal", button: "#confirm-withdrawal", counts: `SELECT count(*) FROM withdrawals`, public: true, fields: []typist{
		{name: "contract", good: "500 Credits", takes: freeText}, {name: "name", good: "Ada", takes: freeText}, {name: "email", good: "ada@example.com"},
		{name: "purchase_id", takes: append([]string{"a NUL", "10,000 characters"}, sought...), hidden: true}, {name: "idempotency_key", good: "{n}", either: anyKey, hidden: true}}},
	{is: "POST /account", who: "low", path: "/account", button: "#profile-save", fields: []typist{
		{name: "name", good: "Ada", takes: nameable}, {name: "locale", good: "{locale}"}}},
	{is: "POST /account/delete", who: "low", path: "/account/delete", button: "#delete-account", fields: []typist{{name: "sure"}}},
	{is: "POST /account/sessions/ID/end", who: "long", path: "/account", button: `[id^="end-"]:not(#end-all)`},
	{is: "POST /account/sign-ins/ID/unlink", who: "second", path: "/account", button: `[id^="unlink-"]`},
	{is: "POST /account/sessions/end", who: "low", path: "/account", button: "#end-all"},

	{is: "GET /admin", who: "admin", path: "/admin", button: "#find", fields: []typist{{name: "email", good: "ada", takes: append([]string{"a NUL"}, sought...)}}},
	{is: "POST /admin/users/ID/grant", who: "admin", path: "/admin/users/{rich}", button: "#grant-submit", counts: ledgerLines, fields: []typist{
		{name: "direction", good: "grant"}, {name: "credits", good: "1"}, {name: "note", good: "Ada", takes: freeText}, {name: "idempotency_key", good: "{n}", either: anyKey, hidden: true}}},
	{is: "POST /admin/users/ID/relink", who: "admin", path: "/admin/users/{debt}", button: `button[id^="access-relink-"]`, fields: []typist{
		{name: "note", good: "Ada", takes: freeText}, {name: "identity", hidden: true}},
		again: `WITH gone AS (DELETE FROM identities WHERE subject = 'state-refused' RETURNING user_id) INSERT INTO refused_identities (issuer, subject, user_id, provider, email)
			SELECT 'https://id.example.org', 'state-refused', user_id, 'oidc', 'debt@example.com' FROM gone`},
	{is: "POST /admin/users/ID/right", who: "admin", path: "/admin/users/{debt}", button: `button[id^="access-right-"]`, fields: []typist{ // to nobody: the admin would be none
		{name: "note", good: "Ada", either: slices.Collect(maps.Keys(hostile))}, {name: "identity", good: "0", hidden: true}}},
	{is: "POST /admin/users/ID/sessions", who: "admin", path: "/admin/users/{debt}", button: "#access-sessions", fields: []typist{{name: "note", good: "Ada", takes: freeText}},
		again: `INSERT INTO sessions (key_hash, user_id, expires_at) SELECT 'state', id, now() + interval '1 day' FROM users WHERE email = 'debt@example.com' ON CONFLICT DO NOTHING`},
	{is: "POST /admin/purchases/ID/check", who: "admin", path: "/admin/purchases/{paid}", button: "#check"},
	{is: "POST /admin/purchases/ID/refund", who: "admin", path: "/admin/purchases/{paid}", button: "#refund-submit", counts: `SELECT count(*) FROM refund_requests`, fields: []typist{
		{name: "amount", good: "1", takes: []string{"a comma"}, either: []string{"dots"}}, {name: "note", good: "Ada", takes: freeText}, {name: "seen", hidden: true}, {name: "idempotency_key", good: "{n}", either: anyKey, hidden: true}}},
	{is: "POST /admin/purchases/ID/move", who: "admin", path: "/admin/purchases/{paid}", button: "#move-submit", fields: []typist{ // to nobody: a move changes whose the others' is
		{name: "note", good: "Ada", either: freeText}, {name: "to"}, {name: "seen", hidden: true}}},
	// What was ordered is never known here, so that nothing is booked and the form stays.
	{is: "POST /admin/purchases/ID/book", who: "admin", path: "/admin/purchases/{unknown}", button: "#decide-book", fields: []typist{
		{name: "credits", good: "many"}, {name: "note", good: "Ada", either: freeText}}},
	{is: "POST /admin/purchases/ID/foreign", who: "admin", path: "/admin/purchases/{review}", button: "#decide-foreign", fields: []typist{{name: "note", good: "Ada", takes: freeText}},
		again: `UPDATE purchases SET status = 'review' WHERE checkout_session_id = 'cs_state_review'`},
	{is: "POST /admin/purchases/ID/share", who: "admin", path: "/admin/purchases/{won}", button: `[id^="decide-share-"]`, fields: []typist{
		{name: "share", good: "1", takes: []string{"a comma"}, either: []string{"dots"}}, {name: "note", good: "Ada", takes: freeText}, {name: "dispute_id", hidden: true}}},
	{is: "POST /admin/events/ID/foreign", who: "admin", path: "/admin/events/evt_state_waits", button: "#decide-foreign", fields: []typist{{name: "note", good: "Ada", takes: freeText}}, again: waitsAgain},
	{is: "POST /admin/events/ID/close", who: "admin", path: "/admin/events/evt_state_waits", button: "#decide-close", fields: []typist{{name: "note", good: "Ada", takes: freeText}}, again: waitsAgain},
	{is: "POST /admin/findings/ID/close", who: "admin", path: "/admin/findings/{finding}", button: "#decide-close", fields: []typist{{name: "note", good: "Ada", takes: freeText}},
		again: `UPDATE reconciliation_findings SET closed_at = NULL`},
	{is: "POST /admin/withdrawals/ID/close", who: "admin", path: "/admin/withdrawals", button: `[id^="close-"]`, counts: `SELECT count(*) FROM audit_log`},
	{is: "GET /admin/events", who: "admin", path: "/admin/events", button: "#show", fields: []typist{
		{name: "status", good: "review", takes: empty}, {name: "kind", good: "checkout.session.completed", takes: empty},
		{name: "from", good: "2026-01-01", takes: empty}, {name: "until", good: "2027-01-01", takes: empty}, {name: "q", good: "cs_1", takes: sought}}},
	{is: "POST /admin/events/ID/retry", who: "admin", path: "/admin/events?status=review", button: `[id*="retry-"]`},
	{is: "POST /admin/reconcile", who: "admin", path: "/admin/events", button: "#reconcile"},
	{is: "GET /admin/audit", who: "admin", path: "/admin/audit", button: "#show", fields: []typist{
		{name: "kind", good: "credits.grant", takes: empty}, {name: "user", good: "1", takes: sought},
		{name: "from", good: "2026-01-01", takes: empty}, {name: "until", good: "2027-01-01", takes: empty}, {name: "q", good: "x", takes: sought}}},
	{is: "POST /admin/features", who: "admin", path: "/admin/features", button: "#feature-submit", counts: `SELECT count(*) FROM audit_log`, fields: []typist{
		{name: "feature", good: "cover_{n}"}, {name: "credits", good: "7"}, {name: "label_en", good: "Ada", takes: freeText}, {name: "label_de", good: "Bob", takes: freeText},
		{name: "existing", takes: []string{"nothing"}, hidden: true}}},
	{is: "POST /admin/keys", who: "admin", path: "/admin/keys", button: "#make-submit", counts: `SELECT count(*) FROM api_keys`, fields: []typist{
		{name: "name", good: "matcher", takes: freeText}, {name: "per_minute", good: "1000"}, {name: "expires_days", good: "90", takes: []string{"nothing"}}, {name: "scope_spend", good: "on", takes: ticked}, {name: "idempotency_key", good: "{n}", either: anyKey, hidden: true}}},
	{is: "POST /admin/keys/ID/revoke", who: "admin", path: "/admin/keys", button: `[id^="revoke-submit-"]`},
}

// formsOf are the forms that a page has, as the table calls them.
func formsOf(doc *goquery.Document) []string {
	var found []string
	doc.Find("form:not([method=dialog])").Each(func(_ int, f *goquery.Selection) {
		u, err := url.Parse(f.AttrOr("action", ""))
		if err != nil {
			found = append(found, f.AttrOr("action", ""))
			return
		}
		path := u.Path
		if len(path) > 3 && path[3] == '/' {
			path = path[3:]
		}
		found = append(found, strings.ToUpper(f.AttrOr("method", "get"))+" "+strings.TrimSuffix(oneOfMany.ReplaceAllString(path, "/ID$2"), "/"))
	})
	return found
}

// wantKnown wants every form of a page to be in the table, with all the fields that it has.
func wantKnown(t testing.TB, name string, doc *goquery.Document) []string {
	t.Helper()
	found := formsOf(doc)
	for i, is := range found {
		n := slices.IndexFunc(forms, func(f form) bool { return f.is == is })
		if n < 0 {
			t.Errorf("%s has the form %s, which TestForms does not know", name, is)
			continue
		}
		doc.Find("form:not([method=dialog])").Eq(i).Find("input[name], select[name], textarea[name]").Each(func(_ int, s *goquery.Selection) {
			field := s.AttrOr("name", "")
			if !slices.Contains(unheeded, field) && !slices.ContainsFunc(forms[n].fields, func(f typist) bool { return f.name == field }) {
				t.Errorf("%s: the form %s has the field %s, which TestForms does not know", name, is, field)
			}
		})
	}
	return found
}

// unheeded are fields that are tried elsewhere, or of which any value that is not nothing is a yes.
var unheeded = []string{"_csrf", "return_to", "scope_read", "active", "purchase_id", "status", "revision"}

// Whatever is typed into any form, the answer is a whole page in the reader's language that tells, beside the field, what
// is wrong with it, and keeps the rest.
func TestForms(t *testing.T) {
	t.Parallel()
	sc := newScene(t, "en", "de")
	texts := map[string]map[string]string{"en": readTexts(t, "en"), "de": readTexts(t, "de")}
	for locale, who := range sc.cast {
		c := &crawler{locale: locale, texts: texts, foreign: telltales(texts[locale], texts[other(locale)])}
		for _, f := range forms {
			t.Run(locale+" "+f.is, func(t *testing.T) {
				v := who[f.who]
				v.t, c.visitor = t, v
				for i, field := range f.fields {
					for j, name := range slices.Sorted(maps.Keys(hostile)) {
						if dbtest.Full() || (i+j)%4 == map[string]int{"en": 0, "de": 2}[locale] { // the fields share the values out
							f.try(c, sc, field, name, hostile[name])
						}
					}
				}
			})
		}
	}
	dbtest.CheckLedger(t, sc.db)
}

// try types one hostile value into one field and what is right into the others.
func (f form) try(c *crawler, sc *scene, field typist, name, value string) {
	v := c.visitor
	v.t.Helper()
	typed := f.goods(v.locale)
	typed = append(typed, field.name, value) // the last one counts
	what := fmt.Sprintf("%s: %s in %s", f.is, name, field.name)
	f.reset(v.t, sc)
	v.open("/" + v.locale + sc.ids.Replace(f.path))
	v.submit(f.button, typed...)
	if strings.HasPrefix(v.at.Path, "/c/pay/") { // off to Stripe's
		if !slices.Contains(field.takes, name) && !slices.Contains(field.either, name) {
			v.t.Errorf("%s is taken", what)
		}
		return
	}
	if v.status >= 500 || v.doc.Find("h1").Length() != 1 || v.doc.Find("html").AttrOr("lang", "") != v.locale {
		v.t.Errorf("%s: %d, or no page with one heading in its language", what, v.status)
	}
	c.readWords(what, v.doc)
	if n := v.doc.Find(".injected, script:not([src])").Length(); n > 0 {
		v.t.Errorf("%s: what was typed has become %d elements of the page", what, n)
	}
	switch taken := slices.Contains(field.takes, name); {
	case taken && v.status >= 400:
		v.t.Errorf("%s: %d, want it taken: %s", what, v.status, strings.Join(strings.Fields(v.doc.Find(".field-error, .alert").Text()), " "))
	case taken || slices.Contains(field.either, name):
	case field.hidden && v.status < 400:
		v.t.Errorf("%s: %d, want it refused", what, v.status)
	case field.hidden:
	case v.status != http.StatusUnprocessableEntity:
		v.t.Errorf("%s: %d, want 422", what, v.status)
	default:
		f.wantTold(v, field, typed, what)
	}
}

// number tells apart what may be there once.
var number atomic.Int64

// goods is what is right in every field.
func (f form) goods(locale string) []string {
	n := fmt.Sprint(number.Add(1))
	var typed []string
	for _, field := range f.fields {
		if field.good != "" {
			typed = append(typed, field.name, strings.NewReplacer("{n}", n, "{locale}", locale).Replace(field.good))
		}
	}
	return typed
}

// wantTold wants a field to be marked, with a text beside it, and the others to keep what was typed.
func (f form) wantTold(v *visitor, wrong typist, typed []string, what string) {
	v.t.Helper()
	around := v.find(f.button).Closest("form")
	field := around.Find(`[name="` + wrong.name + `"]`).First()
	marked := field.AttrOr("aria-invalid", "") == "true"
	described := field.AttrOr("aria-describedby", "")
	if group := field.Closest("fieldset"); !marked && group.Length() == 1 {
		described, marked = group.AttrOr("aria-describedby", ""), true
	}
	told := ""
	for _, id := range strings.Fields(described) {
		told += around.Find("#" + id).FilterFunction(func(_ int, s *goquery.Selection) bool {
			return s.Is(".field-error") || s.Find(".field-error").Length() > 0
		}).Text()
	}
	if !marked || strings.TrimSpace(told) == "" {
		v.t.Errorf("%s: marked is %t, beside it stands %q", what, marked, told)
	}
	for i := 0; i < len(typed); i += 2 {
		name, want := typed[i], typed[i+1]
		kept := around.Find(`[name="` + name + `"]`)
		if name == wrong.name || kept.AttrOr("type", "") == "hidden" {
			continue
		}
		got := kept.AttrOr("value", kept.Text())
		switch {
		case kept.Is("select"):
			got = kept.Find("option[selected]").AttrOr("value", "")
		case kept.Is("[type=radio], [type=checkbox]"):
			got = kept.Filter("[checked]").AttrOr("value", "")
		}
		if got != want {
			v.t.Errorf("%s: %s became %q, was %q", what, name, got, want)
		}
	}
}
