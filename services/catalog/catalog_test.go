package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	overrides sync.Map // path → body that the proxy answers instead of forwarding; with status 403 if it is an error
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
			if strings.HasPrefix(body.(string), `{"error"`) {
				w.WriteHeader(http.StatusForbidden)
			}
			fmt.Fprint(w, body)
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
	t.Run("corrects the credits of a price at Stripe", func(t *testing.T) {
		wrong := map[string]string{"credits": "400"}
		if _, err := f.Stripe.Prices.Update(before, &stripe.PriceParams{Metadata: wrong}); err != nil {
			t.Fatal(err)
		}
		_, err := f.Sync(context.Background())
		p, readErr := f.Stripe.Prices.Get(before, nil)
		if err := errors.Join(err, readErr); err != nil || p.Metadata["credits"] != "500" {
			t.Errorf("the price's metadata are %v (%v), want 500 credits", p.Metadata, err)
		}
	})
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

// Each package is a product, so that Checkout and invoices name it, and what it buys follows the price of an analysis.
func TestProductsNameTheirPackages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Description = func(analyses int64) string { return fmt.Sprintf("%d analyses", analyses) }
	wantProducts := func(texts map[models.Credits]string) {
		t.Helper()
		for credits, want := range texts {
			p, err := f.Stripe.Products.Get(fmt.Sprintf("resume_matcher_credits_%d", credits), nil)
			name := fmt.Sprintf("%d Credits · Resume Matcher", credits)
			if err != nil || p.Name != name || p.Description != want || !p.Active {
				t.Errorf("product of %d credits = %q, %q (%v), want its credits and %q", credits, p.Name, p.Description, err, want)
			}
		}
	}
	setPrice := func(credits int, active bool) {
		t.Helper()
		if err := f.DB.Exec(`UPDATE feature_prices SET credits = ?, active = ? WHERE feature = 'resume_analysis'`, credits,
			active).Error; err != nil {
			t.Fatal(err)
		}
		dbtest.Concurrently(20, func(int) {
			if err := f.SyncProducts(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	setPrice(10, true)
	wantProducts(map[models.Credits]string{100: "10 analyses", 500: "50 analyses", 1200: "120 analyses"})
	setPrice(150, true)
	wantProducts(map[models.Credits]string{100: "", 500: "3 analyses", 1200: "8 analyses"})
	setPrice(10, false)
	wantProducts(map[models.Credits]string{100: "", 500: "", 1200: ""})

	t.Run("leaves a name that the seller chose, and another installation's product", func(t *testing.T) {
		if _, err := f.Stripe.Products.Update("resume_matcher_credits_100",
			&stripe.ProductParams{Name: stripe.String("Small")}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Stripe.Products.Update("resume_matcher_credits_500", &stripe.ProductParams{
			Active:   stripe.Bool(false),
			Metadata: map[string]string{stripeapi.TagKey: "00000000-0000-4000-8000-000000000000"}}); err != nil {
			t.Fatal(err)
		}
		setPrice(10, true)
		small, err := f.Stripe.Products.Get("resume_matcher_credits_100", nil)
		if err != nil || small.Name != "Small" || small.Description != "10 analyses" {
			t.Errorf("renamed product = %q, %q (%v), want Small with 10 analyses", small.Name, small.Description, err)
		}
		other, err := f.Stripe.Products.Get("resume_matcher_credits_500", nil)
		if err != nil || other.Description != "" || !other.Active {
			t.Errorf("another installation's product = %q, active %v (%v), want it unchanged and active", other.Description,
				other.Active, err)
		}
	})
}

// An installation that sold every package under one product moves to one each. What it sold before goes on, for payment
// links and for the previous release, until a package's price changes.
func TestSharedProductIsMoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	if _, err := f.Stripe.Products.New(&stripe.ProductParams{ID: stripe.String(catalog.SharedProduct),
		Name: stripe.String("Resume Matcher Credits")}); err != nil {
		t.Fatal(err)
	}
	former := map[string]*stripe.Price{}
	for name, of := range map[string]struct{ credits, cents int64 }{"same": {100, 500}, "cheaper": {500, 1900},
		"own": {50, 300}} {
		p, err := f.Stripe.Prices.New(&stripe.PriceParams{Product: stripe.String(catalog.SharedProduct),
			Currency: stripe.String("eur"), UnitAmount: stripe.Int64(of.cents),
			LookupKey: stripe.String(fmt.Sprintf("resume_matcher_credits_%d", of.credits)),
			Metadata:  map[string]string{"credits": fmt.Sprint(of.credits)}})
		if err != nil {
			t.Fatal(err)
		}
		former[name] = p
	}
	for _, p := range catalog.Packages() { // as before the move
		if _, err := f.Stripe.Products.Update(p.ProductID(), &stripe.ProductParams{Active: stripe.Bool(false)}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Stripe.Prices.Update(f.price[p.Credits].StripePriceID,
			&stripe.PriceParams{Active: stripe.Bool(false)}); err != nil {
			t.Fatal(err)
		}
	}
	wantSold := func(when string, want ...string) {
		t.Helper()
		var sold []string
		err := f.DB.Raw(`SELECT stripe_price_id FROM prices WHERE active ORDER BY credits_per_unit`).Scan(&sold).Error
		if diff := cmp.Diff(want, sold); err != nil || diff != "" {
			t.Errorf("%s: on sale (-want +got), %v:\n%s", when, err, diff)
		}
	}
	pull(t, f.Service)
	wantSold("before", former["own"].ID, former["same"].ID, former["cheaper"].ID)

	dbtest.Concurrently(20, func(int) {
		if _, err := f.Sync(ctx); err != nil {
			t.Error(err)
		}
	})
	offers, err := f.Offers(ctx)
	if err != nil || len(offers) != 4 {
		t.Fatalf("%d packages on sale (%v), want the seller's own and three", len(offers), err)
	}
	wantSold("after", former["own"].ID, offers[1].StripePriceID, offers[2].StripePriceID, offers[3].StripePriceID)
	for name, active := range map[string]bool{"same": true, "own": true, "cheaper": false} {
		p, err := f.Stripe.Prices.Get(former[name].ID, nil)
		if err != nil || p.Active != active || p.LookupKey != former[name].LookupKey {
			t.Errorf("former price (%s) at Stripe: active %v, key %s (%v); want %v and its key", name, p.Active, p.LookupKey, err,
				active)
		}
		var known int64
		if err := f.DB.Raw(`SELECT credits_per_unit FROM prices WHERE stripe_price_id = ?`, p.ID).Scan(&known).Error; err != nil ||
			fmt.Sprint(known) != p.Metadata["credits"] {
			t.Errorf("former price (%s) is known with %d credits (%v), want %s", name, known, err, p.Metadata["credits"])
		}
	}
	for _, o := range offers[1:] {
		p, err := f.Stripe.Prices.Get(o.StripePriceID, nil)
		if err != nil || p.Product.ID != fmt.Sprintf("resume_matcher_credits_%d", o.CreditsPerUnit) {
			t.Errorf("price of %d credits belongs to %s (%v), want the package's product", o.CreditsPerUnit, p.Product.ID, err)
		}
	}
}
