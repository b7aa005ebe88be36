package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Without JavaScript, a user signs in, buys 500 credits, has a resume analysed for 10, gets half of the money back, and
// receives 25 from an admin; in both languages, starting from an empty data directory.
func TestJourney(t *testing.T) {
	t.Parallel()
	s := startIn(t, workDir(t))
	t.Logf("from an empty data directory to ready: %s", s.started.Round(time.Millisecond))
	if !strings.Contains(s.out.String(), "demo@example.com") || !strings.Contains(s.out.String(), "no real money") ||
		!strings.Contains(s.out.String(), "Data") {
		t.Errorf("start-up output lacks the demo user, the data directory or the sandbox notice:\n%s", s.out)
	}
	for i, locale := range []string{"en", "de"} {
		t.Run(locale, func(t *testing.T) { journey(t, s, locale, fmt.Sprintf("ada%d@example.com", i)) })
	}
	t.Run("a refund of spent credits leaves a debt that the next purchase pays", func(t *testing.T) {
		v := newVisitor(s, "de")
		v.t = t
		v.signInAs("debt@example.com")
		pay := v.buy("100")
		v.open("/de/billing")
		for range 6 {
			v.spend("resume_improvement")
		}
		v.wantBalance("10")
		v.refundAt(pay, "5.00")
		dbtest.Eventually(t, "the refund takes all 100 credits", func() bool {
			v.open("/de/billing")
			return v.balance() == "−90"
		})
		v.find("#balance-negative")
		if status := v.trySpend("job_match"); status != http.StatusPaymentRequired {
			t.Errorf("spend in debt: status %d, want 402", status)
		}
		v.open("/de/purchase")
		v.find("#debt")
		v.buy("100")
		v.wantBalance("10")
		v.open("/de/history")
		v.click(`main tbody tr:last-child a[href*="/purchase/"]`)
		if text := v.text("main"); !strings.Contains(text, "Erstattet") {
			t.Errorf("refunded purchase's page = %s, want it to say so", text)
		}
	})
	t.Run("data survives a restart", func(t *testing.T) {
		dir := s.cmd.Dir
		s.stop()
		again := startIn(t, dir)
		t.Logf("from a warm data directory to ready: %s", again.started.Round(time.Millisecond))
		v := newVisitor(again, "en")
		v.signInAs("ada0@example.com")
		if got := v.balance(); got != "15" {
			t.Errorf("available = %s credits, want 15 of 265: the withdrawal holds 250", got)
		}
	})
}

// Two replicas on one database complete the journey at the same time.
func TestJourneyOnTwoReplicas(t *testing.T) {
	t.Parallel()
	database := dbtest.URL(t)
	sites := make(chan *site, 2)
	dbtest.Concurrently(2, func(int) { sites <- start(t, "DATABASE_URL="+database) })
	close(sites)
	t.Run("both", func(t *testing.T) {
		for i, locale := range []string{"en", "de"} {
			s := <-sites
			t.Run(locale, func(t *testing.T) {
				t.Parallel()
				journey(t, s, locale, fmt.Sprintf("ada%d@example.com", i))
			})
		}
	})
}

// journey is the main journey without JavaScript.
func journey(t *testing.T, s *site, locale, email string) {
	v := newVisitor(s, locale)
	v.t = t
	v.open("/")
	if v.at.Path != "/"+locale {
		t.Fatalf("/ leads to %s, want /%s", v.at.Path, locale)
	}
	v.open("/" + locale + "/billing")
	if !strings.HasPrefix(v.at.Path, "/"+locale+"/login") {
		t.Fatalf("signed-out billing page leads to %s, want the sign-in page", v.at)
	}
	v.signInAs(email)
	v.wantBalance("0")
	v.find("#first-offer")
	v.wantShortage("/resumes/upload", resumeFile, map[string]string{"en": "Not enough", "de": "Nicht genug"}[locale])

	v.open("/" + locale + "/purchase?package=500")
	v.submit("#place-order")
	pay := *v.at
	if !strings.HasPrefix(pay.Path, "/c/pay/") {
		t.Fatalf("buying leads to %s (status %d), want the Checkout page", v.at, v.status)
	}
	v.submit("#decline")
	v.find("#error")
	began := time.Now()
	v.submit("#pay")
	if v.at.Path != "/"+locale+"/billing" || v.at.Query().Get("success") != "true" {
		t.Fatalf("paying leads to %s (status %d), want the billing page", v.at, v.status)
	}
	v.wantBalance("500")
	t.Logf("from paying to credits on the page: %s", time.Since(began).Round(time.Millisecond))
	v.open(v.at.String()) // opening the page again credits nothing
	v.wantBalance("500")

	v.open("/" + locale + "/billing")
	v.click("#resume-matcher")
	v.find(`a[href="/dashboard"]`)
	v.mustPost(http.StatusOK, "/resumes/upload", resumeFile) // as that page does
	v.open("/" + locale + "/billing")
	v.wantBalance("490")

	v.refundAt(pay, "10.00")
	dbtest.Eventually(t, "the refund takes 250 credits", func() bool {
		v.open("/" + locale + "/billing")
		return v.balance() == "240"
	})

	admin := newVisitor(s, locale)
	admin.t = t
	admin.signIn("#demo-admin")
	admin.open("/" + locale + "/admin?q=" + url.QueryEscape(strings.ToUpper(email)))
	admin.click(`main a[href*="/admin/users/"]`)
	grant := admin.form("#grant-submit", "credits", "25", "note", "Danke & bis bald")
	twice := admin.form("#grant-submit", "credits", "25", "note", "Danke & bis bald")
	admin.show(grant)
	admin.show(twice)
	v.open("/" + locale + "/billing")
	v.wantBalance("265")

	v.open("/" + locale + "/history")
	if rows := v.doc.Find("main tbody tr").Length(); rows != 4 {
		t.Errorf("history shows %d entries, want 4: purchase, analysis, refund, grant", rows)
	}
	if text := v.text("main"); !strings.Contains(text, "Danke & bis bald") {
		t.Errorf("history lacks the grant's reason: %s", text)
	}
	v.click(`main a[href*="/purchase/"]`)
	if v.status != http.StatusOK {
		t.Errorf("purchase's page: status %d, want 200", v.status)
	}
	page := v.at.Path
	v.click("#receipt")
	if number := v.text("main dl"); v.status != http.StatusOK || !strings.Contains(number, "SANDBOX-") {
		t.Errorf("invoice: status %d, want 200 and its number: %s", v.status, number)
	}
	v.open(page)
	v.click("#withdraw")
	v.submit("#confirm-withdrawal", "name", "Ada")
	v.find("#received")
	v.open("/" + locale + "/billing")
	v.submit("#sign-out")
	v.open("/" + locale + "/billing")
	if !strings.HasPrefix(v.at.Path, "/"+locale+"/login") {
		t.Errorf("billing page after sign-out leads to %s, want the sign-in page", v.at)
	}
}

// buy orders and pays a package and returns the URL of its Checkout page.
func (v *visitor) buy(credits string) url.URL {
	v.t.Helper()
	v.open("/" + v.locale + "/purchase?package=" + credits)
	v.submit("#place-order")
	pay := *v.at
	v.submit("#pay")
	return pay
}

// wantBalance requires this balance in the page's header.
func (v *visitor) wantBalance(want string) {
	v.t.Helper()
	if got := v.balance(); got != want {
		v.t.Fatalf("%s: balance = %s credits, want %s", v.at, got, want)
	}
}

// refundAt refunds the payment of a Checkout page in the Stripe stand-in's dashboard.
func (v *visitor) refundAt(pay url.URL, amount string) {
	v.t.Helper()
	session := strings.TrimPrefix(pay.Path, "/c/pay/")
	v.open(pay.Scheme + "://" + pay.Host + "/dashboard")
	row := v.doc.Find("tr").FilterFunction(func(_ int, row *goquery.Selection) bool {
		return strings.Contains(row.Text(),
			session)
	})
	id, _ := row.Attr("id")
	if id == "" {
		v.t.Fatalf("dashboard lacks session %s", session)
	}
	v.submit("#"+id+" form button", "typed", amount)
	v.find("#done")
}
