package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// buyAndSpend returns a user who has bought 1200 credits for €35.00 and spent 10, and an admin on that purchase's page.
func buyAndSpend(t *testing.T, s *site, locale, email string) (buyer, admin *visitor) {
	t.Helper()
	buyer, admin = newVisitor(s, locale), newVisitor(s, locale)
	buyer.t, admin.t = t, t
	buyer.signInAs(email)
	buyer.buy("1200")
	buyer.wantBalance("1200")
	buyer.spend("resume_analysis")
	admin.signIn("#demo-admin")
	admin.openPurchase(email)
	return buyer, admin
}

// openPurchase searches a user as an admin and opens their newest purchase.
func (v *visitor) openPurchase(email string) {
	v.t.Helper()
	v.open("/" + v.locale + "/admin?q=" + url.QueryEscape(email))
	v.click(`main a[href*="/admin/users/"]`)
	v.click(`main a[href*="/admin/purchases/"]`)
}

// countRefunds counts the refunds on the admin's purchase page.
func (v *visitor) countRefunds() int {
	v.t.Helper()
	v.open(v.at.Path)
	return v.doc.Find("#refunds tbody tr").Length()
}

func TestRefundByAnAdmin(t *testing.T) {
	t.Parallel()
	s := start(t, "ADMIN_EMAILS=admin@example.com,second@example.com")
	for i, c := range []struct{ locale, proposal, done, standing, audit string }{
		{"en", "34.71", "Deducted for refunds of this purchase: 1,190", "Paid, partly refunded", "Payment refunded"},
		{"de", "34,71", "Erstattungen dieses Kaufs zurückgenommen: 1.190", "Bezahlt, teilweise erstattet", "Geld erstattet"},
	} {
		t.Run("the proposal in "+c.locale, func(t *testing.T) {
			buyer, admin := buyAndSpend(t, s, c.locale, fmt.Sprintf("ada%d@example.com", i))
			if got := admin.find("#amount").AttrOr("value", ""); got != c.proposal {
				t.Errorf("proposed refund = %s, want %s", got, c.proposal)
			}
			if text := admin.text("#takes"); !strings.Contains(text, "1,190") && !strings.Contains(text, "1.190") {
				t.Errorf("form = %s, want it to take 1,190 credits", text)
			}
			page := admin.at.Path
			admin.submit("#refund-submit", "note", "Asked for & agreed")
			if admin.at.Path != page || admin.status != http.StatusOK || !strings.Contains(admin.text("#flash"), c.done) {
				t.Fatalf("refund leads to %s (status %d) with message %q, want %s with %q", admin.at, admin.status,
					admin.text("#flash"), page, c.done)
			}
			if admin.text("#buyer-balance") != "0" || !strings.Contains(admin.text("#requests"), "Asked for & agreed") ||
				admin.doc.Find("#refunds tbody tr").Length() != 1 {
				t.Errorf("admin's page lacks the refund, its reason or the balance of 0: %s", admin.text("main"))
			}
			buyer.open("/" + c.locale + "/history")
			buyer.wantBalance("0")
			if rows := buyer.doc.Find("main tbody tr").Length(); rows != 3 {
				t.Errorf("history shows %d entries, want 3: purchase, analysis, refund", rows)
			}
			buyer.click(`main tbody tr:last-child a[href*="/purchase/"]`)
			if text := buyer.text("main"); !strings.Contains(text, c.standing) {
				t.Errorf("buyer's page lacks %q: %s", c.standing, text)
			}
			admin.open("/" + c.locale + "/admin/audit")
			if text := admin.text("main tbody tr"); !strings.Contains(text, c.audit) || !strings.Contains(text, c.proposal) ||
				!strings.Contains(text, "Asked for & agreed") {
				t.Errorf("audit log = %s, want action, amount and reason", text)
			}
			admin.click(`main tbody a[href="` + page + `"]`)
			admin.click("#rest")
			admin.submit("#refund-submit", "note", "The rest")
			admin.find("#no-refund")
			buyer.open("/" + c.locale + "/billing")
			buyer.wantBalance("−10")
		})
	}
	t.Run("one form, sent twice or twenty times at once, refunds once", func(t *testing.T) {
		buyer, admin := buyAndSpend(t, s, "en", "twice@example.com")
		form := func() *http.Request { return admin.form("#refund-submit", "amount", "7.00", "note", "once") }
		first, again, page := form(), form(), admin.at.Path
		admin.show(first)
		admin.show(again)
		if admin.status != http.StatusOK || admin.countRefunds() != 1 {
			t.Errorf("resent form: status %d, %d refunds, want 200 and 1", admin.status, admin.countRefunds())
		}
		admin.open(page)
		posts := make([]*http.Request, 20)
		for i := range posts {
			posts[i] = form()
			posts[i].Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		dbtest.Concurrently(len(posts), func(i int) {
			res, err := admin.client.Do(posts[i])
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("concurrent form: status %d, want 200", res.StatusCode)
			}
		})
		if n := admin.countRefunds(); n != 2 {
			t.Errorf("%d refunds, want 2, one per form", n)
		}
		buyer.open("/en/billing")
		buyer.wantBalance("710")
	})
	t.Run("the second of two admins gets a conflict and a new proposal", func(t *testing.T) {
		_, one := buyAndSpend(t, s, "de", "both@example.com")
		two := newVisitor(s, "de")
		two.t = t
		two.signInAs("second@example.com")
		two.open(one.at.Path)
		one.submit("#refund-submit", "amount", "10,00", "note", "first")
		two.submit("#refund-submit", "note", "second")
		if two.status != http.StatusConflict || !strings.Contains(two.text("#refund-error"), "bereits etwas erstattet") {
			t.Errorf("second form: status %d, want 409 and the reason: %s", two.status, two.text("main"))
		}
		if amount, note := two.find("#amount").AttrOr("value", ""), two.text("#note"); amount != "24,73" || note != "second" {
			t.Errorf("form proposes %s with reason %q, want 24,73 and the reason kept", amount, note)
		}
		if two.submit("#refund-submit"); two.status != http.StatusOK || two.countRefunds() != 2 {
			t.Errorf("new form: status %d, want 200", two.status)
		}
	})
}

func TestRefundBadInput(t *testing.T) {
	t.Parallel()
	s := start(t)
	buyer, admin := buyAndSpend(t, s, "de", "ada@example.com")
	page := admin.at.Path
	for _, amount := range []string{"0", "0,00", "-1", "−5", "1.234,567", "1,234.56", "35,01", "99999999999999", "",
		"zwölf", "12,345", "5 €", "1e1", "<b>"} {
		admin.open(page)
		admin.submit("#refund-submit", "amount", amount, "note", "Grund")
		field := admin.doc.Find("#amount")
		if admin.status != http.StatusUnprocessableEntity || field.AttrOr("aria-invalid", "") != "true" ||
			field.AttrOr("value", "?") != amount || admin.text("#note") != "Grund" {
			t.Errorf("amount %q: status %d with %q and %q, want 422 with the field marked and all input kept", amount,
				admin.status, field.AttrOr("value", "?"), admin.doc.Find("#note").Text())
		}
		admin.find("#amount-error")
	}
	for _, note := range []string{"", "  ", strings.Repeat("x", 501)} {
		admin.open(page)
		admin.submit("#refund-submit", "amount", "12,50", "note", note)
		if admin.status != http.StatusUnprocessableEntity || admin.find("#amount").AttrOr("value", "") != "12,50" ||
			admin.doc.Find("#note-error").Length() != 1 {
			t.Errorf("reason of %d letters: status %d, want 422 at its field and the amount kept", len(note), admin.status)
		}
	}
	for name, c := range map[string]struct {
		field, value string
		want         int
	}{
		"no token": {"_csrf", "", 403}, "no key": {"idempotency_key", "", 400},
		"a long key":   {"idempotency_key", strings.Repeat("k", 256), 400},
		"nothing seen": {"seen", "", 409}, "seen text": {"seen", "x", 409},
	} {
		admin.open(page)
		admin.submit("#refund-submit", "amount", "1", "note", "x", c.field, c.value)
		if admin.status != c.want {
			t.Errorf("%s: status %d, want %d", name, admin.status, c.want)
		}
	}
	t.Run("answers 404 for unknown purchases and to users who are not admins", func(t *testing.T) {
		token := func(v *visitor) string { return v.find(`input[name="_csrf"]`).AttrOr("value", "") }
		post := func(v *visitor, path string) int {
			req, err := http.NewRequest(http.MethodPost, s.url+path,
				strings.NewReader(url.Values{"_csrf": {token(v)}, "amount": {"1"}, "note": {"x"}, "idempotency_key": {"k"},
					"seen": {"0"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			v.show(req)
			return v.status
		}
		const unknown = "/de/admin/purchases/00000000-0000-7000-8000-000000000000"
		for path, want := range map[string]int{unknown: 404, "/de/admin/purchases/1": 404,
			"/de/admin/purchases/" + strings.ToUpper(page[len("/de/admin/purchases/"):]): 404, "/de/admin/purchases/%00": 400} {
			if admin.open(path); admin.status != want {
				t.Errorf("%s: status %d, want %d", path, admin.status, want)
			}
		}
		for _, action := range []string{"/refund", "/check"} {
			admin.open(page)
			if got := post(admin, unknown+action); got != http.StatusNotFound {
				t.Errorf("%s of an unknown purchase: status %d, want 404", action, got)
			}
			buyer.open("/de/billing")
			if got := post(buyer, page+action); got != http.StatusNotFound {
				t.Errorf("%s by the buyer: status %d, want 404", action, got)
			}
		}
		buyer.open("/de/billing")
		if got := post(buyer, "/de/admin/reconcile"); got != http.StatusNotFound {
			t.Errorf("reconcile by the buyer: status %d, want 404", got)
		}
		if buyer.open(page); buyer.status != http.StatusNotFound {
			t.Errorf("admin's page for the buyer: status %d, want 404", buyer.status)
		}
	})
	buyer.open("/de/billing")
	buyer.wantBalance("1190")
	admin.open(page)
	if admin.doc.Find("#refunds, #requests").Length() != 0 {
		t.Errorf("want no refund and no request: %s", admin.text("main"))
	}
	admin.submit("#refund-submit", "_csrf", "x")
	if href := admin.find("#language-en").AttrOr("href", ""); href != strings.Replace(page, "/de/", "/en/", 1) {
		t.Errorf("language link of a refused form = %s, want the purchase's page", href)
	}
}
