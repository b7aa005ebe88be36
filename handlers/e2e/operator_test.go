package e2e

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// operatorData adds forty users who bought, spent, owe and received grants, and events of every status.
const operatorData = `
INSERT INTO users (email, name, created_at) SELECT 'user' || n || '@example.com',
	(ARRAY['Ada Lovelace', 'Dr. Maximiliane Oberhuber-Wittgenstein zu Rosenburg', 'Bob', ''])[1 + n % 4], now() - n * interval '1 day' FROM generate_series(1, 40) n;
INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, status, checkout_session_id, payment_intent_id, paid_cents, paid_at, credits_granted, created_at)
	SELECT gen_random_uuid(), u.id, (SELECT min(stripe_price_id) FROM prices), 1, 500, 500, 'eur', 'de', 'seed', 'paid', 'cs_seed_' || u.id, 'pi_seed_' || u.id, 500, u.created_at, 500, u.created_at
	FROM users u WHERE u.email LIKE 'user%' AND u.id % 3 <> 0;
INSERT INTO credit_transactions (user_id, delta_credits, reason, meta, created_at, balance_after)
	SELECT user_id, moved.delta, moved.reason, CASE WHEN moved.reason = 'resume_improvement' THEN '{}' ELSE jsonb_build_object('purchase_id', id) END, moved.at, 0
	FROM purchases CROSS JOIN LATERAL (VALUES (500, 'purchase', paid_at), (-15, 'resume_improvement', paid_at + interval '1 hour'), (-500, 'refund', paid_at + interval '2 hours')) moved (delta, reason, at)
	WHERE idempotency_key = 'seed' AND (moved.reason <> 'refund' OR user_id % 5 = 0) ORDER BY moved.at;
UPDATE users u SET credits_balance = coalesce((SELECT sum(delta_credits) FROM credit_transactions c WHERE c.user_id = u.id), 0);
INSERT INTO stripe_refunds (refund_id, payment_ref, amount, currency, status) SELECT 're_seed_' || user_id, payment_intent_id, 500, 'eur', 'succeeded'
	FROM purchases WHERE idempotency_key = 'seed' AND user_id % 5 = 0;
INSERT INTO stripe_events (event_id, type, livemode, object_id, payment_ref, payload, status, attempts, next_attempt_at, last_error, created_at_stripe, received_at)
	SELECT 'evt_seed_' || user_id, 'checkout.session.completed', false, checkout_session_id, payment_intent_id, '{}',
		(ARRAY['done', 'ignored', 'failed', 'deferred', 'review', 'done'])[1 + user_id % 6], 1, now() + interval '1 day',
		CASE WHEN user_id % 6 IN (2, 4) THEN 'amount_differs' ELSE '' END, 0, paid_at
	FROM purchases WHERE idempotency_key = 'seed';
INSERT INTO audit_log (actor, action, user_id, detail, created_at)
	SELECT 'operator', (ARRAY['credits.grant', 'feature.change', 'key.create'])[1 + id % 3], id,
		(ARRAY['{"credits": 25, "note": "Ada & <b>Bob</b>"}', '{"feature": "job_match", "credits": 7, "credits_before": 5, "active": true, "active_before": false, "label_de": ""}',
			'{"name": "matcher", "scopes": ["spend", "read"], "per_minute": 1000}'])[1 + id % 3]::jsonb, created_at FROM users WHERE email LIKE 'user%';
`

// startWithData starts a server whose database holds operatorData.
func startWithData(t *testing.T, env ...string) (*site, *gorm.DB) {
	t.Helper()
	database := dbtest.URL(t)
	s := start(t, append(env, "DATABASE_URL="+database)...)
	db, err := postgres.Open(database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	err = db.Transaction(func(tx *gorm.DB) error {
		for statement := range strings.SplitSeq(operatorData, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if err := tx.Exec(statement).Error; err != nil {
				return fmt.Errorf("%.60s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

// An operator reads the figures, finds a debtor, grants credits with a live preview, and filters events and audit log.
func TestOperatorInTheBrowser(t *testing.T) {
	t.Parallel()
	s, db := startWithData(t)
	after := map[string]string{"en": "Balance afterwards: 10 credits", "de": "Guthaben danach: 10 Credits"}
	wrong := map[string]string{"en": "1 to 100,000", "de": "1 bis 100.000"}
	for _, c := range views(englishDesktop) {
		t.Run(c.String(), func(t *testing.T) {
			var debtor int64 // the first user in debt
			if err := db.Raw(`SELECT min(id) FROM users WHERE credits_balance < 0`).Scan(&debtor).Error; err != nil ||
				debtor == 0 {
				t.Fatalf("no user in debt (%v)", err)
			}
			b := newBrowser(t, s, c)
			base := "/" + c.locale + "/admin"
			b.open("/" + c.locale + "/login")
			b.click("#sign-in-oidc")
			b.click("#demo-admin")
			b.waitForText("#balance", "")
			b.open(base)
			b.waitForText("#used", "")
			b.check("operator-start", base)
			b.click("#period-months")
			b.waitUntil("the figures by month",
				`document.querySelector("#period-months").getAttribute("aria-current") === "true"`)
			b.check("operator-months", base)
			b.click("#sort-balance")
			b.waitUntil("the list in descending order",
				`document.querySelector("th[aria-sort=descending] #sort-balance") !== null`)
			b.click("#sort-balance")
			b.waitUntil("the list in ascending order",
				`document.querySelector("th[aria-sort=ascending] #sort-balance") !== null`)
			b.check("operator-users", base)

			page := fmt.Sprintf("%s/users/%d", base, debtor)
			b.open(page)
			b.waitForText("#debt", "")
			b.run("type credits", chromedp.SendKeys(`#credits`, "25", chromedp.ByQuery))
			b.waitForText("#credits-note", after[c.locale])
			b.check("operator-user", page)
			b.run("type too many credits", chromedp.SendKeys(`#credits`, "000000", chromedp.ByQuery))
			b.waitForText("#credits-error", wrong[c.locale])
			b.waitUntil("the field is marked",
				`document.querySelector("#credits").getAttribute("aria-invalid") === "true" && document.activeElement.id === "credits"`)
			b.run("type valid credits", chromedp.Evaluate(`document.querySelector("#credits").value = ""`, nil),
				chromedp.SendKeys(`#credits`, "25", chromedp.ByQuery))
			b.waitForText("#credits-note", after[c.locale])
			b.waitUntil("the field is no longer marked", `!document.querySelector("#credits").hasAttribute("aria-invalid")`)
			b.run("type a reason", chromedp.SendKeys(`#note`, "Kulanz", chromedp.ByQuery))
			b.click("#grant-submit")
			b.waitForText("#confirm", "")
			b.check("operator-grant-summary", page)
			b.click("#confirm")
			b.waitForText(`#flash [data-variant="success"]`, "")
			b.check("operator-granted", page)

			b.open(base + "/events")
			b.check("operator-events", base+"/events")
			b.unfold("#filter-fold")
			b.run("choose a status", chromedp.SetValue(`#status`, "review", chromedp.ByQuery))
			b.click("#show")
			b.waitUntil("the filtered list",
				`document.querySelector("#status").value === "review" && document.querySelector("#clear") !== null`)
			b.check("operator-events-filtered", base+"/events")
			b.open(base + "/audit")
			b.check("operator-audit", base+"/audit")
			b.open(base + "/audit?kind=feature.change")
			b.check("operator-audit-filtered", base+"/audit")
			b.open(base + "/keys")
			b.check("operator-keys", base+"/keys")
			b.open(base + "/features")
			b.check("operator-features", base+"/features")
		})
	}
}

// Without JavaScript, lists page through every row once, and no query makes a page fail.
func TestOperatorWithoutJavaScript(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{"en", "de"} {
		t.Run(locale, func(t *testing.T) { testOperatorPages(t, locale) })
	}
}

func testOperatorPages(t *testing.T, locale string) {
	s, db := startWithData(t)
	base := "/" + locale + "/admin"
	v := newVisitor(s, locale)
	v.signIn("#demo-admin")

	t.Run("pages through all users in every order", func(t *testing.T) {
		v.t = t
		for _, sort := range []string{"joined", "balance", "held", "bought"} {
			v.open(base + "?sort=" + sort)
			seen := map[string]bool{}
			for {
				links := v.doc.Find(`#found tbody a`)
				for i := range links.Length() {
					seen[links.Eq(i).AttrOr("href", "")] = true
				}
				if v.doc.Find("#next").Length() == 0 {
					break
				}
				v.click("#next")
			}
			if len(seen) != 41 {
				t.Errorf("order %s shows %d users, want 41", sort, len(seen))
			}
			v.click("#first")
		}
		v.open(base + "?q=" + url.QueryEscape("wittgenstein"))
		if n := v.doc.Find(`#found tbody tr`).Length(); n != 10 {
			t.Errorf("part of a name finds %d users, want 10", n)
		}
	})
	t.Run("keeps a filter while paging", func(t *testing.T) {
		v.t = t
		v.open(base + "/audit")
		v.submit("#show", "kind", "credits.grant", "user", "")
		v.open(base + "/events?kind=checkout.session.completed")
		before := v.text("#all tbody tr:last-child time")
		v.click("#older")
		if v.at.Query().Get("kind") != "checkout.session.completed" || v.doc.Find("#all tbody tr").Length() == 0 ||
			v.text("#all tbody tr time") == before {
			t.Errorf("next page = %s, want older events of the same kind", v.at)
		}
		v.click("#newest")
		var session string
		if err := db.Raw(`SELECT min(object_id) FROM stripe_events WHERE event_id LIKE 'evt_seed%'`).Scan(&session).
			Error; err != nil {
			t.Fatal(err)
		}
		v.submit("#show", "q", session, "kind", "")
		if n := v.doc.Find("#all tbody tr").Length(); n != 1 {
			t.Errorf("a session's id finds %d events, want 1", n)
		}
	})
	t.Run("previews a grant without booking it", func(t *testing.T) {
		v.t = t
		var user int64
		if err := db.Raw(`SELECT min(id) FROM users WHERE credits_balance = 485`).Scan(&user).Error; err != nil {
			t.Fatal(err)
		}
		page := fmt.Sprintf("/%s/admin/users/%d", locale, user)
		v.open(page)
		v.submit("#grant-submit", "credits", "15", "note", "", "preview", "credits")
		if v.status != http.StatusOK || !strings.Contains(v.text("#credits-note"), "500") ||
			v.text("#user-balance") != "485" || v.find("#credits").AttrOr("value", "") != "15" {
			t.Errorf("preview: status %d, want 200 and the balance of 500 afterwards: %s", v.status, v.text("#grant"))
		}
		for _, c := range []struct{ credits, direction, note, field string }{
			{"", "grant", "", "#credits-error"}, {"-5", "grant", "", "#credits-error"}, {"1,5", "grant", "", "#credits-error"},
			{"486", "correct", "", "#credits-error"},
			{strings.Repeat("9", 10000), "grant", "", "#credits-error"}, {"😀", "grant", "", "#credits-error"},
			{"5", "sideways", "", "#direction-error"},
			{"5", "grant", strings.Repeat("ü", 501), "#note-error"},
		} {
			for _, confirmed := range []string{"", "yes"} {
				v.open(page)
				note := c.note
				if note == "" {
					note = "<script>\u202e"
				}
				v.submit("#grant-submit", "credits", c.credits, "direction", c.direction, "note", note, "confirmed", confirmed)
				if v.status != http.StatusUnprocessableEntity || v.doc.Find(c.field).Length() != 1 ||
					v.find("#note").Text() != note {
					t.Errorf("confirmed %q, with %.20q: status %d, want 422 and %s", confirmed, c.credits, v.status, c.field)
				}
			}
		}
		v.open(page)
		if v.text("#user-balance") != "485" {
			t.Errorf("balance = %s credits after refused grants, want 485", v.text("#user-balance"))
		}
		stale := v.form("#grant-submit", "credits", "5", "note", "late")
		other := newVisitor(s, locale)
		stale.URL.Host = v.at.Host
		other.at = v.at
		if other.show(stale); other.at.Path != "/"+locale+"/login" {
			t.Errorf("form of a signed-out visitor: %s, want the sign-in page", other.at)
		}
	})
	t.Run("answers hostile queries with 200 or 422", func(t *testing.T) {
		v.t = t
		long := strings.Repeat("x", 10000)
		for address, want := range map[string]int{
			"?q=" + long: 422, "?q=%F0%9F%98%80": 200, "?q=%3Cb%3E": 200, "?q=%E2%80%AEada": 200, "?q=%25": 200, "?q=%27": 200,
			"?q=e": 200, "?q=RM-1": 200, "?q=99999999999999999999": 200,
			"?sort=name&order=x": 200, "?after=x": 422, "?after=1.0": 422, "?after=1.-1": 422, "?after=-9.1": 200,
			"?after=99999999999999999999.1": 422, "?period=x": 200,
			"/events?status=x": 422, "/events?kind=x": 422, "/events?from=x": 422, "/events?from=2026-02-30": 422,
			"/events?from=0000-01-01":                  422,
			"/events?from=2026-02-02&until=2026-02-01": 422, "/events?from=2026-02-02&until=2026-02-02": 200,
			"/events?until=9999-12-31": 200,
			"/events?q=%00":            422, "/events?q=" + long: 422, "/events?q=%F0%9F%98%80": 200, "/events?after=x": 422,
			"/events?after=1.%00":                 422,
			"/events?after=9223372036854775807.x": 422, "/audit?kind=x": 422, "/audit?user=" + long: 422,
			"/audit?user=%3Cb%3E": 200,
			"/audit?user=0":       200, "/audit?user=99999999999999999999": 200, "/audit?cursor=x": 422, "/audit?q=%27": 200,
			"/audit?until=31.12.2026": 422,
		} {
			if v.open(base + address); v.status != want {
				t.Errorf("%.60s: status %d, want %d", address, v.status, want)
			}
			if v.doc.Find("h1").Length() != 1 {
				t.Errorf("%.60s: %d h1, want 1", address, v.doc.Find("h1").Length())
			}
		}
	})
	t.Run("answers 404 to users who are not admins", func(t *testing.T) {
		user := newVisitor(s, locale)
		user.t = t
		user.signIn("#demo-user")
		for _, page := range []string{base, base + "?q=user", base + "/events?status=done", base + "/audit?user=1",
			base + "/users/1"} {
			if user.open(page); user.status != http.StatusNotFound {
				t.Errorf("%s for a user: status %d, want 404", page, user.status)
			}
		}
	})
}
