package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/sandbox/identity"
	"github.com/resume-matcher/credits/services/sandbox/stripe"
)

// outageSite is the product with a Stripe key, a Stripe that the test can take down, and events that never arrive.
type outageSite struct {
	*site
	db    *gorm.DB
	down  atomic.Bool
	fault atomic.Pointer[func(http.ResponseWriter, *http.Request, http.Handler)] // answers for Stripe, unless nil
}

// startOutageSite starts both stand-ins, a proxy in front of Stripe, and the product.
func startOutageSite(t *testing.T) *outageSite {
	t.Helper()
	const key, secret, client = "sk_test_0123456789abcdef", "whsec_0123456789abcdef", "credits"
	database, port, quiet := dbtest.URL(t), freePort(t), slog.New(slog.DiscardHandler)
	f := &outageSite{}
	stripeServer, err := stripe.Start(context.Background(),
		stripe.Options{DatabaseURL: database, Listen: "127.0.0.1:0", SecretKey: key,
			WebhookURL: newDelayedWebhook(t).URL, WebhookSecrets: []string{secret}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stripeServer.Close(context.Background()) })
	provider, err := identity.Start(context.Background(),
		identity.Options{Listen: "127.0.0.1:0", ClientID: client, ClientSecret: "0123456789",
			RedirectURLs: []string{fmt.Sprintf("http://localhost:%d/auth/oidc/callback", port)}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close(context.Background()) })
	target, err := url.Parse(stripeServer.URL())
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down.Load() {
			w.Header().Set("Stripe-Should-Retry", "false") // keeps the client from pausing
			http.Error(w, `{"error":{"type":"api_error","message":"down"}}`, http.StatusInternalServerError)
			return
		}
		if fault := f.fault.Load(); fault != nil {
			(*fault)(w, r, forward)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	env := []string{"DATABASE_URL=" + database, "STRIPE_SECRET_KEY=" + key, "STRIPE_WEBHOOK_SECRET=" + secret,
		"STRIPE_API_BASE=" + proxy.URL,
		"OIDC_ISSUER=" + provider.Issuer(), "OIDC_CLIENT_ID=" + client, "OIDC_CLIENT_SECRET=0123456789",
		"ADMIN_EMAILS=admin@example.com"}
	if out, code := command(t, env, "prices", "sync"); code != 0 {
		t.Fatalf("prices sync: exit status %d, want 0: %s", code, out)
	}
	f.site = startOn(t, port, workDir(t), env...)
	f.site.waitForFirstRun()
	if f.db, err = postgres.Open(database, quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(f.db) })
	return f
}

// While events are lost and Stripe is down, the admin's page shows what is outstanding, nothing happens twice, and
// everything is booked in the end.
func TestRefundWhileStripeIsDown(t *testing.T) {
	t.Parallel()
	s := startOutageSite(t)
	buyer, admin := newVisitor(s.site, "en"), newVisitor(s.site, "en")
	buyer.signInAs("ada@example.com")
	buyer.buy("500")
	admin.signInAs("admin@example.com")
	admin.openPurchase("ada@example.com")
	page := admin.at.Path
	flash := func(want string) {
		t.Helper()
		if text := admin.text("#flash"); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", admin.at, text, want)
		}
	}
	if admin.doc.Find(`[data-wait="payment"]`).Length() != 1 || admin.text("#no-refund") == "" ||
		admin.doc.Find("#refund-submit").Length() != 0 {
		t.Errorf("before the event: want the payment outstanding and no refund form: %s", admin.text("main"))
	}
	t.Run("checking with Stripe books what a lost event reported", func(t *testing.T) {
		admin.t = t
		s.down.Store(true)
		admin.submit("#check")
		flash("Stripe does not answer")
		s.down.Store(false)
		admin.submit("#check")
		flash("1 missing transaction has been added")
		admin.submit("#check")
		flash("Nothing was missing")
		buyer.open("/en/billing")
		buyer.wantBalance("500")
		buyer.open("/en/purchase")
		buyer.submit("#place-order") // not paid
		admin.openPurchase("ada@example.com")
		admin.submit("#check")
		flash("Nothing has been paid")
	})
	t.Run("a refund is sent again until Stripe answers, and made once", func(t *testing.T) {
		admin.t = t
		s.down.Store(true)
		admin.open(page)
		form, again := admin.form("#refund-submit", "amount", "10.00", "note", "away"),
			admin.form("#refund-submit", "amount", "10.00", "note", "away")
		admin.show(form)
		flash("Stripe has not answered yet")
		if admin.doc.Find(`[data-wait="refund_send"]`).Length() != 1 ||
			admin.find("#amount").AttrOr("value", "") != "10.00" || admin.text("#buyer-balance") != "500" {
			t.Errorf("unanswered refund: want it outstanding, the amount kept and 500 credits: %s", admin.text("main"))
		}
		s.down.Store(false)
		// due now, not in a minute
		if err := s.db.Exec(`UPDATE refund_requests SET next_attempt_at = now()`).Error; err != nil {
			t.Fatal(err)
		}
		dbtest.Eventually(t, "the worker sends the refund", func() bool {
			admin.open(page)
			return admin.doc.Find("#waits").Length() == 0
		})
		admin.show(again)
		flash("Refunded.")
		if n := admin.countRefunds(); n != 1 {
			t.Errorf("%d refunds, want 1", n)
		}
		admin.submit("#check")
		flash("Nothing was missing")
		buyer.open("/en/billing")
		buyer.wantBalance("250")
	})
	t.Run("reconciling reports why it stopped, continues, and lists what it found", func(t *testing.T) {
		admin.t = t
		buyer.buy("1200")
		buyer.open("/en/billing")
		buyer.wantBalance("250")
		s.down.Store(true)
		reconcile := func(want string) {
			t.Helper()
			admin.open("/en/admin/events")
			admin.submit("#reconcile")
			flash("Reconciliation has started")
			dbtest.Eventually(t, "reconciling: "+want, func() bool {
				admin.open("/en/admin/events")
				if admin.status != http.StatusOK {
					t.Fatalf("events page: status %d, want 200", admin.status)
				}
				return strings.Contains(admin.text("#reconciliation-state"), want)
			})
		}
		reconcile("Stripe did not answer")
		s.down.Store(false)
		reconcile("1 difference was found")
		if text := admin.text("#reconciliation-state tbody"); !strings.Contains(text, "Paid but not credited") ||
			!strings.Contains(text, "+1,200") {
			t.Errorf("findings = %s, want the uncredited payment of 1,200 credits", text)
		}
		admin.click(`#reconciliation-state a[href*="/admin/purchases/"]`)
		if text := admin.text("#story"); !strings.Contains(text, "1,200 credits were added") {
			t.Errorf("purchase's page = %s, want the 1,200 credits", text)
		}
		buyer.open("/en/billing")
		buyer.wantBalance("1450")
		reconcile("Nothing was missing")
	})
}

// An event in review is shown on its purchase's page and can be booked from there.
func TestEventIsRetriedFromItsPurchase(t *testing.T) {
	t.Parallel()
	database := dbtest.URL(t)
	s := start(t, "DATABASE_URL="+database)
	_, admin := buyAndSpend(t, s, "en", "ada@example.com")
	db, err := postgres.Open(database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Close(db)
	page := admin.at.Path
	if text := admin.text("#story"); !strings.Contains(text, "Nothing pending") ||
		admin.find("#payment").AttrOr("href", "") == "" {
		t.Errorf("booked purchase's page = %s, want nothing outstanding and a link to the payment", text)
	}
	err = db.Exec(
		`UPDATE stripe_events SET status = 'review', last_error = 'made up' WHERE type = 'checkout.session.completed'`).Error
	if err != nil {
		t.Fatal(err)
	}
	admin.open("/en/admin/events")
	admin.click(`main tbody a[href="` + page + `"]`)
	if text := admin.text("#waits"); !strings.Contains(text, "needs review. Reason: made up") {
		t.Errorf("purchase's page = %s, want the event in review with its reason", text)
	}
	admin.submit(`button[id^="retry-"]`)
	if admin.at.Path != page || admin.text("#flash") == "" ||
		admin.doc.Find(`#waits, button[id^="retry-"]`).Length() != 0 || admin.text("#buyer-balance") != "1,190" {
		t.Errorf("after the retry: %s, want no event in review and 1,190 credits: %s", admin.at, admin.text("main"))
	}
}
