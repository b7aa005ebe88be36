package e2e

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models"
)

// formField is one field of a form.
type formField struct {
	name       string
	input      string   // a valid value; {n} becomes a new number each time
	valid      []string // names of hostile inputs that are valid here
	maybeValid []string // names of those that depend on locale or earlier input
	hidden     bool     // filled in by the page, so an error has no place beside it
}

// form is one of the product's forms. A form whose button sends nothing else has no fields.
type form struct {
	action   string // method and path
	user     string // of the state fixture
	path     string
	button   string
	fields   []formField
	countSQL string // must grow by one however often the form is resent; empty if it is repeatable
	public   bool   // works without a session
	resetSQL string // reopens what the form decides, if it can be decided only once
}

// reset restores the state that the form needs.
func (f form) reset(t testing.TB, fx *stateFixture) {
	t.Helper()
	if f.resetSQL == "" {
		return
	}
	if err := fx.db.Exec(f.resetSQL).Error; err != nil {
		t.Fatal(err)
	}
}

// hostileInputs are unexpected values that people or programs send.
var hostileInputs = map[string]string{
	"nothing": "", "spaces": "   ", "10,000 characters": strings.Repeat("x", 10_000), "an emoji": "👍", "Arabic": "أهلا",
	"an override": "a\u202eb",
	"HTML":        `"><script>alert(1)</script><b class="injected">`, "a negative": "-1", "a comma": "1,5",
	"dots":  "1.000",
	"a NUL": "a\x00b", "no UTF-8": "a\xffb", "a large number": strings.Repeat("9", 30),
}

var (
	emptyInputs    = []string{"nothing", "spaces"}
	nameInputs     = []string{"an emoji", "Arabic", "HTML", "a negative", "a comma", "dots", "a large number"}
	textInputs     = append([]string{"an override", "no UTF-8"}, nameInputs...)
	searchInputs   = append(emptyInputs, textInputs...)
	checkboxInputs = append([]string{"spaces", "a NUL", "10,000 characters"}, textInputs...)
	keyInputs      = append([]string{"spaces"}, textInputs...) // a conflict if used before
)

const reopenResumes = `INSERT INTO gate_users (user_id, tenant_id, deletion_due_at, deletion_attempts, deletion_cause)
	SELECT id, repeat('d', 26), now() + interval '1 day', 12, 'resumes_away' FROM users
	WHERE deleted_at IS NOT NULL AND merged_into IS NULL AND email IS NULL ORDER BY id LIMIT 1 ON CONFLICT DO NOTHING`

// holdAgain replaces a purchase whose later consent may not change by one without it.
const holdAgain = `WITH gone AS (DELETE FROM purchases WHERE idempotency_key = 'held' AND later_consent IS NOT NULL RETURNING *),
	again AS (INSERT INTO purchases SELECT (jsonb_populate_record(NULL::purchases, to_jsonb(gone) - 'later_consent')).* FROM gone RETURNING *),
	hold AS (INSERT INTO holds (id, user_id, feature, credits, exclusive, expires_at) SELECT gen_random_uuid(), user_id,
		'withdrawal_period', credits, id::text, now() + interval '13 days' FROM again RETURNING user_id, credits)
	UPDATE users SET credits_held = credits_held + hold.credits FROM hold WHERE users.id = hold.user_id`

const reopenEvent = `UPDATE stripe_events SET status = 'review', decided = '', last_error = 'awaits_purchase' WHERE event_id = 'evt_state_waits'`

// reopenEndpoints has the webhooks page show one endpoint of each kind, and a delivery.
const reopenEndpoints = `DO $$ BEGIN
	DELETE FROM webhook_endpoints WHERE idempotency_key IS NOT NULL;
	IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE disabled_at IS NULL) THEN
		INSERT INTO webhook_endpoints (id, url, events, low_threshold) VALUES (gen_random_uuid(), 'https://example.com', ARRAY['credits.low'], 5);
	END IF;
	IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE disabled_at IS NOT NULL) THEN
		INSERT INTO webhook_endpoints (id, url, events, low_threshold, disabled_at, disabled_cause)
			VALUES (gen_random_uuid(), 'https://example.com/gone', ARRAY['credits.low'], 5, now(), 'gone');
	END IF;
	INSERT INTO webhook_deliveries (endpoint_id, type, status) SELECT id, 'webhook.test', 'failed' FROM webhook_endpoints LIMIT 1;
END $$`

const reopenLetters = `UPDATE letters SET status = 'failed', sent_at = NULL WHERE key = 'state'`

const countEntriesSQL = `SELECT count(*) FROM credit_transactions`

var forms = []form{
	{action: "POST /logout", user: "short", path: "/billing", button: "#sign-out"},
	{action: "POST /purchase", user: "zero", path: "/purchase?package=500", button: "#place-order",
		countSQL: `SELECT count(*) FROM purchases`, fields: []formField{
			{name: "quantity", input: "2"}, {name: "price_id", hidden: true},
			{name: "total", input: "4000", valid: []string{"nothing"}, hidden: true},
			{name: "consent_version", input: models.ConsentVersion, valid: slices.Collect(maps.Keys(hostileInputs)), hidden: true},
			{name: "consent_early_start", valid: append([]string{"nothing"}, checkboxInputs...)},
			{name: "consent_compensation", valid: append([]string{"nothing"}, checkboxInputs...)},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "GET /history", user: "rich", path: "/history", button: "#show", fields: []formField{
		{name: "kind", input: "job_match", valid: emptyInputs}, {name: "month", valid: emptyInputs},
		{name: "q", input: "5", valid: searchInputs}}},
	{action: "POST /withdrawal", path: "/withdrawal", button: "#confirm-withdrawal",
		countSQL: `SELECT count(*) FROM withdrawals`, public: true, fields: []formField{
			{name: "contract", input: "500 Credits", valid: textInputs}, {name: "name", input: "Ada", valid: textInputs},
			{name: "email", input: "ada@example.com"},
			{name: "purchase_id", valid: append([]string{"a NUL", "10,000 characters"}, searchInputs...), hidden: true},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "POST /purchase/ID/refund", user: "buyer", path: "/purchase/{kept}/refund", button: "#refund-unused",
		countSQL: `SELECT count(*) FROM refund_requests`, resetSQL: `DELETE FROM refund_requests WHERE goodwill`,
		fields: []formField{{name: "cents", input: "2000", hidden: true}, {name: "credits", input: "500", hidden: true},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "POST /purchase/ID/use-now", user: "holder", path: "/purchase/{held}/use-now", button: "#use-now",
		resetSQL: holdAgain, fields: []formField{{name: "consent_version", input: models.ConsentVersion, hidden: true},
			{name: "consent_early_start", input: "on", valid: checkboxInputs},
			{name: "consent_compensation", input: "on", valid: checkboxInputs}}},
	{action: "POST /account", user: "low", path: "/account", button: "#profile-save", fields: []formField{
		{name: "name", input: "Ada", valid: nameInputs}, {name: "locale", input: "{locale}"}}},
	{action: "POST /account/letters", user: "low", path: "/account", button: "#letters-save", fields: []formField{
		{name: "low_balance", input: "on", valid: append([]string{"nothing"}, checkboxInputs...)},
		{name: "letters", input: "on", valid: slices.Collect(maps.Keys(hostileInputs)), hidden: true}}},
	{action: "POST /letters/ID/unsubscribe", path: "/letters/{reminder}/unsubscribe", button: "#unsubscribe", public: true,
		resetSQL: `DELETE FROM letter_refusals`},
	{action: "POST /account/delete", user: "second", path: "/account/delete", button: "#delete-account",
		fields: []formField{{name: "refund", input: "yes"}, {name: "sure"},
			{name: "offers", hidden: true}}},
	{action: "POST /account/sessions/ID/end", user: "long", path: "/account", button: `[id^="end-"]:not(#end-all)`},
	{action: "POST /account/sign-ins/ID/unlink", user: "second", path: "/account", button: `[id^="unlink-"]`},
	{action: "POST /account/sessions/end", user: "low", path: "/account", button: "#end-all"},

	{action: "GET /admin", user: "admin", path: "/admin", button: "#find",
		fields: []formField{{name: "q", input: "ada", valid: append([]string{"a NUL"}, searchInputs...)}}},
	{action: "POST /admin/users/ID/grant", user: "admin", path: "/admin/users/{rich}", button: "#grant-submit",
		countSQL: countEntriesSQL, fields: []formField{
			{name: "direction", input: "grant"}, {name: "credits", input: "1"}, {name: "note", input: "Ada", valid: textInputs},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "POST /admin/users/ID/relink", user: "admin", path: "/admin/users/{debt}",
		button: `button[id^="access-relink-"]`, fields: []formField{
			{name: "note", input: "Ada", valid: textInputs}, {name: "identity", hidden: true}},
		resetSQL: `WITH gone AS (DELETE FROM identities WHERE subject = 'state-refused' RETURNING user_id) INSERT INTO refused_identities (issuer, subject, user_id, provider, email)
			SELECT 'https://id.example.org', 'state-refused', user_id, 'oidc', 'debt@example.com' FROM gone`},
	// no valid identity: the admin would lose the right
	{action: "POST /admin/users/ID/right", user: "admin", path: "/admin/users/{debt}",
		button: `button[id^="access-right-"]`, fields: []formField{
			{name: "note", input: "Ada", maybeValid: slices.Collect(maps.Keys(hostileInputs))},
			{name: "identity", input: "0", hidden: true}}},
	{action: "POST /admin/users/ID/sessions", user: "admin", path: "/admin/users/{debt}", button: "#access-sessions",
		fields:   []formField{{name: "note", input: "Ada", valid: textInputs}},
		resetSQL: `INSERT INTO sessions (key_hash, user_id, expires_at) SELECT 'state', id, now() + interval '1 day' FROM users WHERE email = 'debt@example.com' ON CONFLICT DO NOTHING`},
	{action: "POST /admin/purchases/ID/check", user: "admin", path: "/admin/purchases/{paid}", button: "#check"},
	{action: "POST /admin/purchases/ID/refund", user: "admin", path: "/admin/purchases/{paid}", button: "#refund-submit",
		countSQL: `SELECT count(*) FROM refund_requests`, fields: []formField{
			{name: "amount", input: "1", valid: []string{"a comma"}, maybeValid: []string{"dots"}},
			{name: "note", input: "Ada", valid: textInputs}, {name: "seen", hidden: true},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	// no valid target: a move would break other forms
	{action: "POST /admin/purchases/ID/move", user: "admin", path: "/admin/purchases/{paid}", button: "#move-submit",
		fields: []formField{
			{name: "note", input: "Ada", maybeValid: textInputs}, {name: "to"}, {name: "seen", hidden: true}}},
	// The order of this purchase is unknown, so nothing is booked and the form stays.
	{action: "POST /admin/purchases/ID/book", user: "admin", path: "/admin/purchases/{unknown}", button: "#decide-book",
		fields: []formField{
			{name: "credits", input: "many"}, {name: "note", input: "Ada", maybeValid: textInputs}}},
	{action: "POST /admin/purchases/ID/foreign", user: "admin", path: "/admin/purchases/{review}",
		button: "#decide-foreign", fields: []formField{{name: "note", input: "Ada", valid: textInputs}},
		resetSQL: `UPDATE purchases SET status = 'review' WHERE checkout_session_id = 'cs_state_review'`},
	{action: "POST /admin/purchases/ID/share", user: "admin", path: "/admin/purchases/{won}",
		button: `[id^="decide-share-"]`, fields: []formField{
			{name: "share", input: "1", valid: []string{"a comma"}, maybeValid: []string{"dots"}},
			{name: "note", input: "Ada", valid: textInputs}, {name: "dispute_id", hidden: true}}},
	{action: "POST /admin/events/ID/foreign", user: "admin", path: "/admin/events/evt_state_waits",
		button: "#decide-foreign", fields: []formField{{name: "note", input: "Ada", valid: textInputs}},
		resetSQL: reopenEvent},
	{action: "POST /admin/events/ID/close", user: "admin", path: "/admin/events/evt_state_waits", button: "#decide-close",
		fields: []formField{{name: "note", input: "Ada", valid: textInputs}}, resetSQL: reopenEvent},
	{action: "POST /admin/findings/ID/close", user: "admin", path: "/admin/findings/{finding}", button: "#decide-close",
		fields:   []formField{{name: "note", input: "Ada", valid: textInputs}},
		resetSQL: `UPDATE reconciliation_findings SET closed_at = NULL`},
	{action: "POST /admin/resumes/ID/close", user: "admin", path: "/admin/resumes/{deleted}", button: "#decide-close",
		fields: []formField{{name: "note", input: "Ada", valid: textInputs}}, resetSQL: reopenResumes},
	{action: "POST /admin/resumes/ID/retry", user: "admin", path: "/admin/resumes/{deleted}", button: `[id^="retry-"]`,
		resetSQL: reopenResumes},
	{action: "POST /admin/withdrawals/ID/close", user: "admin", path: "/admin/withdrawals", button: `[id^="close-"]`,
		countSQL: `SELECT count(*) FROM audit_log WHERE action LIKE 'withdrawal.%'`},
	{action: "POST /admin/withdrawals/ID/refund", user: "admin", path: "/admin/withdrawals", button: `[id^="refund-"]`,
		fields: []formField{{name: "seen", hidden: true}},
		resetSQL: `UPDATE withdrawals SET handled_at = NULL, handled_by = NULL, refunded_cents = NULL, refund_request = NULL
			WHERE purchase_id IS NOT NULL`},
	{action: "POST /admin/withdrawals/ID/reopen", user: "admin", path: "/admin/withdrawals", button: `[id^="reopen-"]`,
		resetSQL: `UPDATE withdrawals SET handled_at = now() WHERE idempotency_key = 'stranger2'`},
	{action: "GET /admin/events", user: "admin", path: "/admin/events", button: "#show", fields: []formField{
		{name: "status", input: "review", valid: emptyInputs},
		{name: "kind", input: "checkout.session.completed", valid: emptyInputs},
		{name: "from", input: "2026-01-01", valid: emptyInputs}, {name: "until", input: "2027-01-01", valid: emptyInputs},
		{name: "q", input: "cs_1", valid: searchInputs}}},
	{action: "POST /admin/events/ID/retry", user: "admin", path: "/admin/events?status=review", button: `[id*="retry-"]`},
	{action: "POST /admin/reconcile", user: "admin", path: "/admin/events", button: "#reconcile"},
	{action: "GET /admin/audit", user: "admin", path: "/admin/audit", button: "#show", fields: []formField{
		{name: "kind", input: "credits.grant", valid: emptyInputs}, {name: "user", input: "1", valid: searchInputs},
		{name: "from", input: "2026-01-01", valid: emptyInputs}, {name: "until", input: "2027-01-01", valid: emptyInputs},
		{name: "q", input: "x", valid: searchInputs}}},
	{action: "POST /admin/features", user: "admin", path: "/admin/features", button: "#feature-submit",
		countSQL: `SELECT count(*) FROM audit_log WHERE action LIKE 'feature.%'`, fields: []formField{
			{name: "feature", input: "cover_{n}"}, {name: "credits", input: "7"},
			{name: "label_en", input: "Ada", valid: textInputs}, {name: "label_de", input: "Bob", valid: textInputs},
			{name: "existing", valid: []string{"nothing"}, hidden: true}}},
	{action: "POST /admin/keys", user: "admin", path: "/admin/keys", button: "#make-submit",
		countSQL: `SELECT count(*) FROM api_keys`, fields: []formField{
			{name: "name", input: "matcher", valid: textInputs}, {name: "per_minute", input: "1000"},
			{name: "expires_days", input: "90", valid: []string{"nothing"}},
			{name: "scope_spend", input: "on", valid: checkboxInputs},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "POST /admin/keys/ID/revoke", user: "admin", path: "/admin/keys", button: `[id^="revoke-submit-"]`},
	{action: "POST /admin/letters", user: "admin", path: "/admin/letters", button: "#letter-settings-submit",
		fields: []formField{{name: "low_balance", input: "10", valid: emptyInputs},
			{name: "digest", input: "on", valid: append([]string{"nothing"}, checkboxInputs...)}}},
	{action: "POST /admin/letters/retry", user: "admin", path: "/admin/letters", button: "#retry-all",
		resetSQL: reopenLetters},
	{action: "POST /admin/letters/ID/retry", user: "admin", path: "/admin/letters", button: `[id^="retry-"]:not(#retry-all)`,
		resetSQL: reopenLetters},
	{action: "POST /admin/letters/ID/close", user: "admin", path: "/admin/letters", button: `[id^="close-"]`,
		resetSQL: reopenLetters},
	{action: "POST /admin/webhooks", user: "admin", path: "/admin/webhooks", button: "#add-submit",
		resetSQL: reopenEndpoints,
		countSQL: `SELECT count(*) FROM webhook_endpoints`, fields: []formField{
			{name: "url", input: "https://example.com/{n}"}, {name: "low_threshold", input: "10"},
			{name: "credits.low", input: "on", valid: append([]string{"nothing"}, checkboxInputs...)},
			{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "POST /admin/webhooks/ID/test", user: "admin", path: "/admin/webhooks", button: `[id^="test-submit-"]`,
		resetSQL: reopenEndpoints},
	{action: "POST /admin/webhooks/ID/replay", user: "admin", path: "/admin/webhooks", button: `[id^="replay-submit-"]`,
		resetSQL: reopenEndpoints, fields: []formField{{name: "hours", input: "24", hidden: true}}},
	{action: "POST /admin/webhooks/ID/rotate", user: "admin", path: "/admin/webhooks", button: `[id^="rotate-submit-"]`,
		resetSQL: reopenEndpoints, countSQL: `SELECT count(*) FROM webhook_secrets`,
		fields: []formField{{name: "idempotency_key", input: "{n}", maybeValid: keyInputs, hidden: true}}},
	{action: "POST /admin/webhooks/ID/disable", user: "admin", path: "/admin/webhooks", button: `[id^="disable-submit-"]`,
		resetSQL: reopenEndpoints},
	{action: "POST /admin/webhooks/ID/enable", user: "admin", path: "/admin/webhooks", button: `[id^="enable-submit-"]`,
		resetSQL: reopenEndpoints},
	{action: "POST /admin/webhooks/ID/remove", user: "admin", path: "/admin/webhooks", button: `[id^="remove-submit-"]`,
		resetSQL: reopenEndpoints},
	{action: "POST /admin/webhooks/deliveries/ID/replay", user: "admin", path: "/admin/webhooks", button: `[id^="again-"]`,
		resetSQL: reopenEndpoints},
}

// formActions returns the actions of a page's forms, in the table's notation and in page order.
func formActions(doc *goquery.Document) []string {
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
		method := strings.ToUpper(f.AttrOr("method", "get"))
		found = append(found, method+" "+strings.TrimSuffix(idInPath.ReplaceAllString(path, "/ID$2"), "/"))
	})
	return found
}

// checkForms requires that the table has each form of a page and each of its fields.
func checkForms(t testing.TB, name string, doc *goquery.Document) []string {
	t.Helper()
	found := formActions(doc)
	for i, action := range found {
		n := slices.IndexFunc(forms, func(f form) bool { return f.action == action })
		if n < 0 {
			t.Errorf("%s: form %s is missing in the table of TestForms", name, action)
			continue
		}
		fields := doc.Find("form:not([method=dialog])").Eq(i).Find("input[name], select[name], textarea[name]")
		fields.Each(func(_ int, s *goquery.Selection) {
			field := s.AttrOr("name", "")
			listed := slices.ContainsFunc(forms[n].fields, func(f formField) bool { return f.name == field })
			if !listed && !slices.Contains(untestedFields, field) {
				t.Errorf("%s: field %s of form %s is missing in the table of TestForms", name, field, action)
			}
		})
	}
	return found
}

// untestedFields are tested elsewhere, or accept any value as yes.
var untestedFields = []string{"_csrf", "return_to", "scope_read", "active", "purchase_id", "status", "revision",
	"confirmed",
	"credits.added", "credits.spent", "credits.removed", "credits.refunded", "purchase.in_review"}
