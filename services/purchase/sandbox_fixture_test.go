package purchase_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/purchase"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const testKey = "sk_test_0123456789abcdef"

// sandboxFixture is the purchase service on the Stripe stand-in, with the packages on sale and one user.
type sandboxFixture struct {
	*purchase.Service
	prices *catalog.Service
	db     *gorm.DB
	user   models.User
	price  map[models.Credits]models.Price
	down   atomic.Bool // the proxy in front of the stand-in answers 500
	asked  sync.Map    // method and path → number of calls
	says   sync.Map    // path → body that the proxy answers in place of the stand-in
}

func newSandboxFixture(t *testing.T) *sandboxFixture {
	t.Helper()
	address := dbtest.URL(t)
	quiet := slog.New(slog.DiscardHandler)
	db, err := postgres.Open(address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	server, err := standin.Start(context.Background(),
		standin.Options{DatabaseURL: address, Listen: "127.0.0.1:0", SecretKey: testKey,
			WebhookURL: "http://127.0.0.1:9/unused", WebhookSecrets: []string{"whsec_0123456789"}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(context.Background()) })
	s := &sandboxFixture{db: db, user: dbtest.User(t, db, "ada@example.com"), price: map[models.Credits]models.Price{}}
	target, _ := url.Parse(server.URL())
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			w.Header().Set("Stripe-Should-Retry", "false") // keeps the client from pausing
			http.Error(w, `{"error":{"type":"api_error","message":"down"}}`, http.StatusInternalServerError)
			return
		}
		count, _ := s.asked.LoadOrStore(r.Method+" "+r.URL.Path, new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
		if body, ok := s.says.Load(r.URL.Path); ok {
			fmt.Fprint(w, body)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	s.Service = &purchase.Service{DB: db, Stripe: stripeapi.New(testKey, proxy.URL),
		AppURL: "https://credits.example.com", Now: models.Now, Log: quiet, CheckoutBudget: dbtest.HangTimeout}
	s.prices = &catalog.Service{DB: db, Stripe: s.Stripe, Log: quiet}
	if _, err := s.prices.Sync(context.Background()); err != nil {
		t.Fatalf("sync prices: %v", err)
	}
	prices, err := s.prices.Offers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range prices {
		s.price[p.CreditsPerUnit] = p.Price
	}
	return s
}

func (s *sandboxFixture) order(key string) purchase.Order {
	return purchase.Order{UserID: s.user.ID, PriceID: s.price[500].StripePriceID, Quantity: 2, Locale: "de", Key: key}
}
