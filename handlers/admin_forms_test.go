package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/gofiber/fiber/v2"
)

// The page after a form of the admin area shows what the form has done.
func TestAdminFormsShowWhatTheyDid(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss := f.member(f.users["admin"])
	t.Run("a new key is shown once, and sent again makes none", func(t *testing.T) {
		form := url.Values{"name": {"Résumé tool"}, "per_minute": {"60"}, "scope_read": {"on"}, "idempotency_key": {"one"}}
		r := boss.post("/en/admin/keys", form)
		_, key, shown := strings.Cut(r.body, "Authorization: Bearer ")
		if r.status != fiber.StatusOK || !shown {
			t.Fatalf("status %d, the key is shown: %v; want 200, and the key", r.status, shown)
		}
		again := boss.post("/en/admin/keys", form)
		if again.status != fiber.StatusOK || strings.Contains(again.body, key[:20]) {
			t.Errorf("sent again: status %d, want 200 without the key", again.status)
		}
		var made int64
		if err := f.db.Raw(`SELECT count(*) FROM api_keys WHERE name = 'Résumé tool'`).Scan(&made).Error; err != nil || made != 1 {
			t.Errorf("%d keys (%v), want 1", made, err)
		}
	})
	t.Run("a feature is active if its box is checked", func(t *testing.T) {
		for _, checked := range []string{"", "on", ""} {
			form := url.Values{"feature": {"job_match"}, "existing": {"yes"}, "credits": {"7"}, "label_en": {"Job match"},
				"label_de": {"Abgleich"}, "active": {checked}}
			r := boss.post("/en/admin/features", form)
			var active bool
			err := f.db.Raw(`SELECT active FROM feature_prices WHERE feature = 'job_match'`).Scan(&active).Error
			if r.status != fiber.StatusSeeOther || err != nil || active != (checked != "") {
				t.Errorf("box %q: status %d, active %v (%v); want 303, and the box", checked, r.status, active, err)
			}
		}
	})
	t.Run("credits are told without their sign", func(t *testing.T) {
		for direction, want := range map[string]string{"grant": "granted.30.", "correct": "corrected.30."} {
			r := boss.post(f.paths.Replace("/en/admin/users/{user}/grant"), url.Values{"direction": {direction},
				"credits": {"30"}, "note": {"asked for"}, "confirmed": {"yes"}, "idempotency_key": {direction}})
			if set := strings.Join(r.header.Values("Set-Cookie"), "\n"); r.status != fiber.StatusSeeOther ||
				!strings.Contains(set, "="+want) {
				t.Errorf("%s: status %d, sets %q; want 303 and %s…", direction, r.status, set, want)
			}
		}
	})
}

// What needs a person stands above the list of all events, on its first page without a filter.
func TestOpenEventsStandAboveAllEvents(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss := f.member(f.users["admin"])
	for query, c := range map[string]struct{ status, open int }{
		"": {fiber.StatusOK, 1}, "?status=review": {fiber.StatusOK, 0}, "?q=evt_1": {fiber.StatusOK, 0},
		"?after=4000000000000000.evt_9": {fiber.StatusOK, 0},
		"?from=nonsense":                {fiber.StatusUnprocessableEntity, 0},
	} {
		r, doc := boss.open("/en/admin/events" + query)
		if open := doc.Find("#open-heading").Length(); r.status != c.status || open != c.open {
			t.Errorf("events%s: status %d with %d lists of open events, want %d with %d", query, r.status, open, c.status,
				c.open)
		}
	}
}

// A refused sign-in can replace those of its provider with the same address alone.
func TestRefusedSignInReplacesItsLike(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	_, doc := f.member(f.users["admin"]).open(f.paths.Replace("/en/admin/users/{user}"))
	replaced := doc.Find("dt").FilterFunction(func(_ int, term *goquery.Selection) bool { return term.Text() == "Replaces the sign-in method" })
	if replaced.Length() != 1 {
		t.Errorf("%d sign-ins would be replaced, want 1", replaced.Length())
	}
}

// Lists and filters refuse what names no page, and no kind.
func TestListsRefuseUnknownQueries(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	member, boss := f.member(f.users["owner"]), f.member(f.users["admin"])
	for path, want := range map[string]int{
		"/en/history?cursor=1": 200, "/en/history?cursor=0": 422, "/en/history?cursor=01": 200, "/en/history?cursor=-1": 422,
		"/en/history?kind=purchase": 200, "/en/history?kind=nonsense": 422, "/en/history?month=2026-13": 422,
		"/en/history?q=" + strings.Repeat("x", maxSearch): 200, "/en/history?q=" + strings.Repeat("x", maxSearch+1): 422,
	} {
		if r, _ := member.open(path); r.status != want {
			t.Errorf("%.40s: status %d, want %d", path, r.status, want)
		}
	}
	for cursor, want := range map[string]int{
		"true.0.1.": 200, "false.0.1.": 200, "yes.0.1.": 422, "false.-1.1.": 422, "false.0.-1.": 422, "false.99.1.": 422,
		"false.0.99999999999999999999.": 422, "false.0.": 422,
	} {
		path := "/en/admin/withdrawals?after=" + cursor + f.paths.Replace("{withdrawal}")
		if r, _ := boss.open(path); r.status != want {
			t.Errorf("withdrawals after %s: status %d, want %d", cursor, r.status, want)
		}
	}
}

// The error page leads back to where the form was, unless another try would fail like this one.
func TestErrorPagesLeadBack(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss := f.member(f.users["admin"])
	form := "Content-Type: application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		reply reply
		code  int
		again string
	}{
		"a form without its key": {boss.post("/en/admin/keys", url.Values{"name": {"x"}}), fiber.StatusBadRequest,
			"/en/admin/keys"},
		"another site's form": {boss.call("POST", "/en/admin/keys", "name=x", form, "Cookie: "+boss.cookie,
			"Sec-Fetch-Site: cross-site"), fiber.StatusForbidden, ""},
		"an unknown page": {boss.call("GET", "/en/nowhere", "", "Cookie: "+boss.cookie), fiber.StatusNotFound, ""},
	} {
		doc, err := goquery.NewDocumentFromReader(strings.NewReader(c.reply.body))
		if err != nil {
			t.Fatal(err)
		}
		if again := doc.Find("#error-again").AttrOr("href", ""); c.reply.status != c.code || again != c.again {
			t.Errorf("%s: status %d, leads back to %q; want %d and %q", name, c.reply.status, again, c.code, c.again)
		}
	}
}
