package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
)

// A form that gives or takes credits or money shows a summary and does nothing; its button carries the form out, once
// however often it is pressed. "Change" leads back to the form with what was typed.
func TestNothingIsBookedWithoutASummary(t *testing.T) {
	t.Parallel()
	f := newRolesFixture(t)
	boss := f.member(f.users["admin"])
	user := fmt.Sprintf("/de/admin/users/%d", f.users["owner"])
	effects := func() (n int64) {
		t.Helper()
		f.resetLimits()
		if err := f.db.Raw(`SELECT (SELECT count(*) FROM credit_transactions) + (SELECT count(*) FROM refund_requests)`).
			Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		path  string
		form  url.Values
		words []string
		final bool
		field string // restored by "Change"
	}{
		{user + "/grant", url.Values{"direction": {"grant"}, "credits": {"7"}, "note": {"Kulanz & mehr"}, "idempotency_key": {"a"}},
			[]string{"7 Credits gutschreiben", "ada@example.org", "600 Credits → 607 Credits", "Kulanz & mehr"},
			false, "#credits"},
		{user + "/grant", url.Values{"direction": {"correct"}, "credits": {"7"}, "note": {"Irrtum"}, "idempotency_key": {"b"}},
			[]string{"7 Credits abziehen", "607 Credits → 600 Credits"}, true, "#credits"},
		{f.paths.Replace("/de/admin/purchases/{purchase}/refund"), url.Values{"amount": {"2,00"}, "note": {"Bitte"}, "seen": {"0"},
			"status": {"paid"}, "idempotency_key": {"c"}},
			[]string{"2,00 € erstatten", "RM-1001", "600 Credits → 550 Credits"}, true, "#amount"},
		{f.paths.Replace("/de/admin/purchases/{purchase}/share"), url.Values{"share": {"1,00"}, "note": {"Laut Bank"},
			"dispute_id": {"dp_1"}, "revision": {"0"}},
			[]string{"1,00 € festlegen", "RM-1001", "550 Credits → 525 Credits", "Laut Bank"}, false, "#share-amount-dp_1"},
	} {
		if strings.HasSuffix(c.path, "/share") {
			if err := f.db.Exec(`INSERT INTO stripe_disputes (dispute_id, payment_ref, amount, currency, status)
			SELECT 'dp_1', payment_intent_id, 100, 'usd', 'needs_response' FROM purchases WHERE id::text = ?`,
				f.paths.Replace("{purchase}")).Error; err != nil {
				t.Fatal(err)
			}
		}
		before := effects()
		r := boss.post(c.path, c.form)
		page, err := goquery.NewDocumentFromReader(strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(strings.ReplaceAll(page.Find("#content").Text(), "\u00a0", " "), "\u202f", " ")
		for _, words := range c.words {
			if !strings.Contains(text, words) {
				t.Errorf("%s: summary %q, want %q in it", c.path, text, words)
			}
		}
		button := page.Find("#confirm")
		if variant := button.AttrOr("data-variant", ""); r.status != 200 || effects() != before ||
			(variant == "destructive") != c.final {
			t.Errorf("%s: status %d, %d effects, button %s, want 200, none, final %t", c.path, r.status, effects()-before,
				variant, c.final)
		}
		_, cookie := f.drafted(r)
		back, form := member{boss.fixture, boss.cookie + cookie}.back(page.Find("#summary-back").AttrOr("href", ""), c.field)
		if back == "" {
			t.Errorf("%s: %s is empty after Change, want what was typed: %s", c.path, c.field, form)
		}
		sent := url.Values{}
		button.Closest("form").Find("input").Each(func(_ int, field *goquery.Selection) {
			sent.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
		})
		dbtest.Concurrently(20, func(int) {
			own := url.Values{}
			for name := range sent {
				own.Set(name, sent.Get(name))
			}
			if r := boss.post(c.path, own); r.status != 303 && r.status != 409 && r.status != 429 {
				t.Errorf("%s, confirmed: status %d, want 303", c.path, r.status)
			}
		})
		most := int64(1)
		if strings.HasSuffix(c.path, "/refund") {
			most = 2 // the request and, once Stripe has answered, the entry
		}
		if n := effects() - before; n < 1 || n > most {
			t.Errorf("%s, confirmed 20 times: %d effects, want one", c.path, n)
		}
	}
	dbtest.CheckLedger(t, f.db)
}

// back opens the form and returns the value of a field.
func (m member) back(path, field string) (value, page string) {
	m.t.Helper()
	r, doc := m.open(path)
	return doc.Find(field).AttrOr("value", ""), r.body
}
