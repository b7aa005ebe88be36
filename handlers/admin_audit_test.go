package handlers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// adminForms are the values that admin forms need, by route; other forms need none.
var adminForms = map[string]url.Values{
	"POST /:locale/admin/users/:id/grant": {"direction": {"grant"}, "credits": {"5"}, "note": {"For the trouble"},
		"confirmed": {"yes"}},
	"POST /:locale/admin/users/:id/relink":   {"identity": {"{refused}"}, "note": {"Asked on the phone"}},
	"POST /:locale/admin/users/:id/right":    {"identity": {"{right}"}, "note": {"Asked on the phone"}},
	"POST /:locale/admin/users/:id/sessions": {"note": {"Lost phone"}},
	"POST /:locale/admin/purchases/:id/refund": {"amount": {"1.00"}, "note": {"Asked for it"}, "seen": {"0"},
		"confirmed": {"yes"}},
	"POST /:locale/admin/purchases/:id/move": {"to": {"eve@example.org"}, "note": {"Typed wrongly"},
		"seen": {"{user}"}, "confirmed": {"yes"}},
	"POST /:locale/admin/events/:id/close":       {"note": {"Looked at it"}},
	"POST /:locale/admin/events/:id/foreign":     {"note": {"Another product's"}},
	"POST /:locale/admin/purchases/:id/book":     {"note": {"Paid as agreed"}, "confirmed": {"yes"}},
	"POST /:locale/admin/withdrawals/:id/refund": {"seen": {"2000"}, "confirmed": {"yes"}},
	"POST /:locale/admin/purchases/:id/foreign":  {"note": {"Another product's"}},
	"POST /:locale/admin/purchases/:id/share": {"note": {"As the bank says"}, "dispute_id": {"dp_1"}, "revision": {"0"},
		"share": {"1,00"}, "confirmed": {"yes"}},
	"POST /:locale/admin/findings/:id/close": {"note": {"Looked at it"}},
	"POST /:locale/admin/resumes/:id/close":  {"note": {"Deleted the folder"}},
	"POST /:locale/admin/features": {"feature": {"cover_letter"}, "credits": {"5"}, "active": {"on"},
		"label_en": {"Cover letter"}, "label_de": {"Anschreiben"}},
	"POST /:locale/admin/letters":             {"low_balance": {"12"}},
	"POST /:locale/admin/keys":                {"name": {"Worker"}, "scope_read": {"on"}, "per_minute": {"10"}},
	"POST /:locale/admin/webhooks":            {"url": {"https://example.com"}, "credits.low": {"on"}, "low_threshold": {"5"}},
	"POST /:locale/admin/webhooks/:id/replay": {"hours": {"24"}},
}

// waitForDecision stores the undecided objects that the fixture lacks and returns the path of each one's form.
func (f *rolesFixture) waitForDecision() map[string]string {
	f.t.Helper()
	must := func(statement string, args ...any) {
		if err := f.db.Exec(statement, args...).Error; err != nil {
			f.t.Fatalf("%s: %v", statement, err)
		}
	}
	misPaid := func(key string) models.Purchase {
		p := f.order(f.users["owner"], key)
		must(`UPDATE purchases SET amount_cents = amount_cents + 1 WHERE id = ?`, p.ID)
		f.play(p, "pay", "card")
		if p = f.purchase(p.UserID, p.ID.String()); p.Status != models.PurchaseReview {
			f.t.Fatalf("a purchase paid with another amount is %s, want %s", p.Status, models.PurchaseReview)
		}
		return p
	}
	disputed := f.purchase(f.users["owner"], f.paths.Replace("{purchase}"))
	must(
		`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status) VALUES ('dp_1', ?, 100, 'usd', 'needs_response')`, disputed.PaymentIntentID)
	must(`INSERT INTO stripe_events (event_id, type, api_version, livemode, payload, status, created_at_stripe)
		VALUES ('evt_3', 'charge.refunded', '', false, '{}', 'review', 0)`)
	must(openResumesSQL, f.users["other"], strings.Repeat("b", 26))
	letter := uuid.NewString()
	must(`INSERT INTO letters (id, kind, key, locale, status) VALUES (?, 'refunded', 'a', 'de', 'failed'),
		(gen_random_uuid(), 'refunded', 'b', 'de', 'failed')`, letter)
	withdrawn := f.order(f.users["owner"], "withdrawn")
	f.play(withdrawn, "pay", "card")
	w, err := f.handler.Withdrawal.Declare(f.t.Context(), withdrawal.Declaration{UserID: f.users["owner"],
		PurchaseID: withdrawn.ID.String(), Name: "Ada", Email: "ada@example.org", Contract: "500 Credits", Locale: "de",
		Key: "d"})
	if err != nil {
		f.t.Fatal(err)
	}
	return map[string]string{
		"POST /:locale/admin/withdrawals/:id/refund": "/de/admin/withdrawals/" + w.ID.String() + "/refund",
		"POST /:locale/admin/letters/:id/retry":      "/de/admin/letters/" + letter + "/retry",
		"POST /:locale/admin/resumes/:id/close":      fmt.Sprintf("/de/admin/resumes/%d/close", f.users["other"]),
		"POST /:locale/admin/events/:id/foreign":     "/de/admin/events/evt_3/foreign",
		"POST /:locale/admin/purchases/:id/book":     "/de/admin/purchases/" + misPaid("book").ID.String() + "/book",
		"POST /:locale/admin/purchases/:id/foreign": "/de/admin/purchases/" + misPaid("foreign").ID.String() +
			"/foreign",
		"POST /:locale/admin/purchases/:id/share": "/de/admin/purchases/" + disputed.ID.String() + "/share",
	}
}

// post sends a form as a role, with a new idempotency key, and returns the status.
func (f *rolesFixture) post(role, path string, form url.Values) int {
	f.t.Helper()
	sent := url.Values{}
	for name := range form {
		sent.Set(name, f.paths.Replace(form.Get(name)))
	}
	cookie := f.signIn(f.users[role])
	_, id, _ := strings.Cut(cookie, "=")
	sent.Set("_csrf", f.handler.Sessions.token(&models.Session{Key: id}))
	sent.Set("idempotency_key", randomKey())
	return f.call(fiber.MethodPost, f.paths.Replace(path), sent.Encode(), "Cookie: "+cookie,
		"Content-Type: application/x-www-form-urlencoded").status
}

func (f *rolesFixture) audit() (entries []models.AuditEntry) {
	f.t.Helper()
	if err := f.db.Order("id").Find(&entries).Error; err != nil {
		f.t.Fatal(err)
	}
	return entries
}

// Every admin action writes one audit entry with the admin, the request and the sender. A new admin form fails here
// until it does.
func TestEveryAdminActionIsAudited(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	// without a refresh the purchase has nothing to refund
	if _, _, err := f.handler.Purchase.Refresh(t.Context(), f.paths.Replace("{purchase}")); err != nil {
		t.Fatal(err)
	}
	waiting := f.waitForDecision()
	catalog, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	english, _ := catalog.Context(t.Context(), "en")
	for _, name := range slices.Sorted(maps.Keys(routeRoles)) {
		if !strings.HasPrefix(name, "POST /:locale/admin/") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			before := len(f.audit())
			status := f.post("admin", cmp.Or(waiting[name], routeRoles[name].path), adminForms[name])
			if status >= 400 {
				t.Fatalf("status %d, want 303: add the form's values to adminForms", status)
			}
			entries := f.audit()[before:]
			if len(entries) != 1 {
				t.Fatalf("%d entries in the audit log, want 1: %+v", len(entries), entries)
			}
			l := entries[0]
			if l.Actor != "admin" || l.ActorID == nil || *l.ActorID != f.users["admin"] ||
				!strings.HasPrefix(l.RequestID, "req_") || len(l.Source) != 16 {
				t.Errorf("entry = %+v, want it to have the admin, the request and the sender", l)
			}
			var facts map[string]any
			if err := json.Unmarshal(l.Detail, &facts); err != nil {
				t.Fatal(err)
			}
			for fact := range facts {
				// cents and currency are shown as the amount
				if !locales.Has(english, "admin_audit.facts."+fact) && fact != "cents" && fact != "currency" {
					t.Errorf("the audit page has no name for %q", fact)
				}
			}
		})
	}
}

// withinMinute repeats work when a minute of the database's clock ended meanwhile, because limits reset then.
func (f *rolesFixture) withinMinute(work func()) {
	f.t.Helper()
	minute := func() (at time.Time) {
		if err := f.db.Raw(`SELECT date_trunc('minute', clock_timestamp())`).Scan(&at).Error; err != nil {
			f.t.Fatal(err)
		}
		return at
	}
	for began := minute(); ; began = minute() {
		if work(); minute().Equal(began) {
			return
		}
		f.resetLimits() // the end of work may have counted in the new minute
	}
}

// A user without the right gets 404 from the admin pages and an audit entry; the number of entries is limited.
func TestRefusedAdminRequestsAreAudited(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	before := 0
	var entries []models.AuditEntry
	f.withinMinute(func() {
		before = len(f.audit())
		for i := range 30 {
			if status := f.post("other", fmt.Sprintf("/de/admin/users/%d/grant", i),
				adminForms["POST /:locale/admin/users/:id/grant"]); status != fiber.StatusNotFound {
				t.Errorf("status %d, want 404", status)
			}
			// The user's other actions do not raise the limit.
			if err := models.AppendAudit(models.Tx{DB: f.db},
				models.AuditEvent{Action: models.ActionSessionEnd, UserID: f.users["other"]}); err != nil {
				t.Fatal(err)
			}
		}
		entries = slices.DeleteFunc(f.audit()[before:], func(l models.AuditEntry) bool { return l.Action == "session.end" })
	})
	if len(entries) != 10 {
		t.Errorf("30 requests wrote %d entries, want 10", len(entries))
	}
	for _, l := range entries {
		if l.Action != "admin.deny" || l.Actor != "user" || l.ActorID != nil || l.UserID == nil ||
			*l.UserID != f.users["other"] || !strings.Contains(string(l.Detail), "/de/admin/users/") || len(l.Source) != 16 {
			t.Errorf("entry = %+v, want it to have the user, the path and the sender", l)
		}
	}
	before = len(f.audit())
	f.call(fiber.MethodGet, "/de/admin", "")
	if entries := f.audit()[before:]; len(entries) != 0 {
		t.Errorf("a visitor's request wrote %d entries, want 0, because the access log has it", len(entries))
	}
}

func TestAuditShowsTheProvidersLabel(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.offer("boss@example.com")
	boss := f.signInAs("boss@example.com")
	id := f.user("ada@example.com", 0).ID
	err := f.db.Exec(`INSERT INTO audit_log (actor, action, user_id, detail) VALUES
		('system', 'identity.link', ?, '{"provider":"oidc","issuer":"https://id.example.com"}'), ('system', 'identity.unlink', ?, '{"provider":"gone"}')`, id, id).Error
	if err != nil {
		t.Fatal(err)
	}
	_, doc := boss.open("/en/admin/audit")
	shown := doc.Find("dt:contains('Sign-in with') + dd").
		Map(func(_ int, s *goquery.Selection) string { return strings.TrimSpace(s.Text()) })
	if !slices.Contains(shown, "Demo") || !slices.Contains(shown, "gone") || slices.Contains(shown, "oidc") {
		t.Errorf("providers = %q, want the label Demo, and the name of the removed provider gone", shown)
	}
}
