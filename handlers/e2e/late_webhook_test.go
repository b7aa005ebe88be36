package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/sandbox/identity"
	"github.com/resume-matcher/credits/services/sandbox/stripe"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// delayedWebhook receives Stripe's events and stores them until the test delivers them.
type delayedWebhook struct {
	*httptest.Server
	mu   sync.Mutex
	held []*http.Request
	body [][]byte
}

func newDelayedWebhook(t *testing.T) *delayedWebhook {
	g := &delayedWebhook{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "cut off", http.StatusBadRequest)
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.held, g.body = append(g.held, r), append(g.body, body)
	}))
	t.Cleanup(g.Close)
	return g
}

// deliver sends the stored events to a webhook, last first, each twice.
func (g *delayedWebhook) deliver(t *testing.T, to string) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, held := range slices.Backward(g.held) {
		for range 2 {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, bytes.NewReader(g.body[i]))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = held.Header.Clone()
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("delayed event: status %d, want 200", res.StatusCode)
			}
		}
	}
	g.held, g.body = nil, nil
}

// backdate moves a purchase 25 hours into the past.
func backdate(t *testing.T, database, session string) {
	t.Helper()
	db, err := postgres.Open(database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Close(db)
	moved := db.Exec(`UPDATE purchases SET created_at = created_at - interval '25 hours' WHERE checkout_session_id = ?`,
		session)
	if moved.Error != nil || moved.RowsAffected != 1 {
		t.Fatalf("%d purchases backdated (%v), want 1", moved.RowsAffected, moved.Error)
	}
}

// With a Stripe key and a webhook that arrives late, the page to which the buyer returns says that the payment has
// arrived, credits nothing because of its URL, asks Stripe on refresh, and shows the credits.
func TestReturnBeforeTheWebhook(t *testing.T) {
	t.Parallel()
	const key, secret, client = "sk_test_0123456789abcdef", "whsec_0123456789abcdef", "credits"
	database, port, quiet := dbtest.URL(t), freePort(t), slog.New(slog.DiscardHandler)
	g := newDelayedWebhook(t)
	stripeServer, err := stripe.Start(context.Background(),
		stripe.Options{DatabaseURL: database, Listen: "127.0.0.1:0", SecretKey: key,
			WebhookURL: g.URL, WebhookSecrets: []string{secret}, Log: quiet})
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
	env := []string{"DATABASE_URL=" + database, "DATABASE_POOL_URL=" + database + "&pgbouncer=true",
		"STRIPE_SECRET_KEY=" + key,
		"STRIPE_WEBHOOK_SECRET=whsec_older0123456789," + secret, "STRIPE_API_BASE=" + stripeServer.URL(),
		"OIDC_ISSUER=" + provider.Issuer(),
		"OIDC_CLIENT_ID=" + client, "OIDC_CLIENT_SECRET=0123456789", "OIDC_NAME=Example Login"}
	if out, code := command(t, env, "prices", "sync"); code != 0 || !strings.Contains(out, "3 prices") {
		t.Fatalf("prices sync: exit status %d, want 0 and 3 prices: %s", code, out)
	}
	s := startOn(t, port, workDir(t), env...)
	s.waitForFirstRun()
	if strings.Contains(s.out.String(), "demo@example.com") {
		t.Errorf("start-up output with a Stripe key names a demo user:\n%s", s.out)
	}
	webhook := s.url + "/api/stripe/webhook"

	t.Run("with JavaScript off", func(t *testing.T) {
		v := newVisitor(s, "de")
		v.t = t
		v.signInAs("ada@example.com")
		if v.doc.Find("#sandbox").Length() != 0 || v.doc.Find("#resume-matcher").Length() != 0 {
			t.Error("page with a Stripe key shows the sandbox banner or the way to a stand-in")
		}
		v.open("/de/purchase?package=500")
		v.submit("#place-order", "quantity", "2")
		v.submit("#pay")
		v.wantBalance("0")
		session := v.at.Query().Get("session_id")
		if v.doc.Find(`main [role="status"]`).Length() == 0 {
			t.Errorf("page lacks the status of the payment: %s", v.text("main"))
		}
		v.open(v.at.String()) // opening the same URL again books nothing
		v.wantBalance("0")
		v.click("#refresh") // asks Stripe
		v.wantBalance("1000")
		g.deliver(t, webhook) // the late event, twice, books nothing more
		v.open("/de/history")
		v.wantBalance("1000")
		if rows := v.doc.Find("main tbody tr").Length(); rows != 1 {
			t.Errorf("%d entries, want 1", rows)
		}
		v.open("/de/billing?success=true&session_id=" + session)
		other := newVisitor(s, "de")
		other.t = t
		other.signInAs("eve@example.com")
		other.open(v.at.RequestURI())
		if other.doc.Find("#sign-in-elsewhere").Length() != 1 || strings.Contains(other.text("main"), "1.000") {
			t.Errorf("return page of another user = %q, want a hint to the other account and no details", other.text("main"))
		}
	})
	t.Run("a form whose Checkout Session expired offers a new order", func(t *testing.T) {
		v := newVisitor(s, "de")
		v.t = t
		v.signInAs("ada@example.com")
		v.open("/de/purchase?package=500")
		first, again := v.form("#place-order", "quantity", "3"), v.form("#place-order", "quantity", "3")
		v.show(first)
		session := strings.TrimPrefix(v.at.Path, "/c/pay/")
		if _, err := stripeapi.New(key, stripeServer.URL()).CheckoutSessions.Expire(session, nil); err != nil {
			t.Fatal(err)
		}
		backdate(t, database, session)
		v.open("/de/purchase?package=500")
		v.show(again)
		if text := v.text("main"); v.status != http.StatusUnprocessableEntity ||
			!strings.Contains(text, "abgelaufen, bevor sie bezahlt wurde") {
			t.Fatalf("old form: status %d, want 422 and that the order expired: %s", v.status, text)
		}
		if quantity := v.find("#quantity").AttrOr("value", ""); quantity != "3" {
			t.Errorf("form's quantity = %s, want 3 as before", quantity)
		}
		v.submit("#place-order")
		if !strings.HasPrefix(v.at.Path, "/c/pay/") || strings.Contains(v.at.Path, session) {
			t.Errorf("new order leads to %s (status %d), want another Checkout Session", v.at, v.status)
		}
	})
	t.Run("in the browser", func(t *testing.T) {
		b := newBrowser(t, s, view{"en", 1280, 900})
		b.open("/en/login")
		b.click("#sign-in-oidc")
		b.click("#demo-user")
		b.waitForText("#balance", "0")
		b.open("/en/purchase")
		b.click("#place-order")
		b.click("#pay")
		b.waitForText("main", "Payment")
		b.check("processing", "/billing")
		b.waitForText("#balance", "100") // the page polls, although the event never arrives
		b.check("booked", "/billing")
	})
}
