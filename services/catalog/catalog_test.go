package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const testKey = "sk_test_0123456789abcdef"

// fixture is a catalog with its packages on sale, on the Stripe stand-in behind a proxy.
type fixture struct {
	*catalog.Service
	price     map[models.Credits]models.Price
	overrides sync.Map // path → body that the proxy answers instead of forwarding
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	address := dbtest.URL(t)
	quiet := slog.New(slog.DiscardHandler)
	db, err := postgres.Open(address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	server, err := standin.Start(context.Background(), standin.Options{
		DatabaseURL: address, Listen: "127.0.0.1:0", SecretKey: testKey,
		WebhookURL: "http://127.0.0.1:9/unreachable", WebhookSecrets: []string{"whsec_0123456789"}, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(context.Background()) })
	f := &fixture{price: map[models.Credits]models.Price{}}
	target, _ := url.Parse(server.URL())
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, ok := f.overrides.Load(r.URL.Path); ok {
			fmt.Fprint(w, body) //nolint:gosec // JSON for a test
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	f.Service = &catalog.Service{DB: db, Stripe: stripeapi.New(testKey, proxy.URL), Log: quiet}
	if _, err := f.Sync(context.Background()); err != nil {
		t.Fatalf("sync prices: %v", err)
	}
	prices, err := f.Offers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prices {
		f.price[p.CreditsPerUnit] = p.Price
	}
	return f
}

func TestSync(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for credits, cents := range map[models.Credits]models.Cents{100: 500, 500: 2000, 1200: 3500} {
		if p := f.price[credits]; p.PriceInCents != cents || p.Currency != "eur" || !p.Active {
			t.Errorf("%d credits cost %d cents %s, want %d eur", credits, p.PriceInCents, p.Currency, cents)
		}
	}
	before := f.price[500].StripePriceID
	dbtest.Concurrently(20, func(int) {
		if n, err := f.Sync(context.Background()); err != nil || n != 3 {
			t.Errorf("second sync = %d prices, %v; want 3", n, err)
		}
	})
	var now models.Price
	if err := f.DB.Take(&now, "credits_per_unit = 500 AND active").Error; err != nil || now.StripePriceID != before {
		t.Errorf("price of 500 credits = %s (%v), want %s as before", now.StripePriceID, err, before)
	}
	t.Run("replaces a price that was archived at Stripe", func(t *testing.T) {
		if _, err := f.Stripe.Prices.Update(before, &stripe.PriceParams{Active: stripe.Bool(false)}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		prices, err := f.Offers(context.Background())
		if err != nil || len(prices) != 3 {
			t.Errorf("%d packages on sale (%v), want 3", len(prices), err)
		}
		for _, p := range prices {
			if p.StripePriceID == before {
				t.Errorf("archived price %s is on sale, want it inactive", before)
			}
		}
	})
}

func TestParseCredits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]models.Credits{"1": 1, "500": 500, "1000000": 1_000_000, "007": 7} {
		if got, ok := catalog.ParseCredits(text); !ok || got != want {
			t.Errorf("%q = %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", " 5", "5 ", "1.5", "1e3", "1000001", "٣", "99999999999999999999"} {
		if got, ok := catalog.ParseCredits(text); ok {
			t.Errorf("%q = %d credits, want it refused", text, got)
		}
	}
}
