package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/stripeapi"
)

func pull(t *testing.T, s *catalog.Service) {
	t.Helper()
	if _, err := s.Pull(context.Background()); err != nil {
		t.Error(err)
	}
}

func onSale(t *testing.T, s *catalog.Service) string {
	t.Helper()
	prices, err := s.Prices(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range prices {
		ids = append(ids, p.StripePriceID)
	}
	return strings.Join(ids, " ")
}

// Two servers copy Stripe's prices at once. The one that began first is slow, and must not bring back what it read.
func TestAnOlderPriceListDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	reading, goOn := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/products/") {
			fmt.Fprint(w, `{"id":"resume_matcher_credits","object":"product","active":true}`)
			return
		}
		name := "price_new"
		if asked.Add(1) == 1 {
			name = "price_old"
			close(reading)
			<-goOn
		}
		fmt.Fprintf(w, `{"object":"list","has_more":false,"data":[{"id":%q,"object":"price","active":true,"currency":"eur","type":"one_time",
			"unit_amount":900,"product":"resume_matcher_credits","metadata":{"credits":"200"}}]}`, name)
	}))
	t.Cleanup(server.Close)
	s := &catalog.Service{DB: dbtest.New(t), Stripe: stripeapi.New(testKey, server.URL), Log: slog.New(slog.DiscardHandler)}
	done := make(chan struct{})
	go func() { defer close(done); pull(t, s) }()
	<-reading
	pull(t, s)
	if got := onSale(t, s); got != "price_new" {
		t.Errorf("on sale are %q, want price_new", got)
	}
	close(goOn)
	<-done
	if got := onSale(t, s); got != "price_new" {
		t.Errorf("once the slow copy has ended, on sale are %q, want price_new", got)
	}
	dbtest.Concurrently(20, func(int) { pull(t, s) })
	if got := onSale(t, s); got != "price_new" {
		t.Errorf("after twenty copies at once on sale are %q, want price_new", got)
	}
}

// A sync that ended between making a price and archiving the one before it leaves two at Stripe: one of them is sold.
func TestAPackageHasOnePriceAfterASyncThatEndedHalfWay(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	ctx := context.Background()
	first := s.price[100].StripePriceID
	// An earlier release sold the package for less. Its price has the key, and the one before it is active still.
	cheap, err := s.Stripe.Prices.New(&stripe.PriceParams{Product: stripe.String("resume_matcher_credits"), Currency: stripe.String("eur"),
		UnitAmount: stripe.Int64(450), LookupKey: stripe.String("resume_matcher_credits_100"), TransferLookupKey: stripe.Bool(true),
		Metadata: map[string]string{"credits": "100"}})
	if err != nil {
		t.Fatal(err)
	}
	wantSold := func(want func(models.Price) bool) {
		t.Helper()
		var sold []models.Price
		if err := s.DB.Find(&sold, "credits_per_unit = 100 AND active").Error; err != nil || len(sold) != 1 || !want(sold[0]) {
			t.Errorf("100 credits are sold at %+v (%v), want one price", sold, err)
		}
	}
	pull(t, s.Service)
	wantSold(func(p models.Price) bool { return p.StripePriceID == cheap.ID })

	for _, id := range []string{first, cheap.ID} { // the sync makes its own price and gets no further
		s.says.Store("/v1/prices/"+id, fmt.Sprintf(`{"id":%q,"object":"price"}`, id))
	}
	if _, err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	s.says.Clear()
	pull(t, s.Service)
	wantSold(func(p models.Price) bool { return p.PriceInCents == 500 && p.StripePriceID != first })

	if _, err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	wantSold(func(p models.Price) bool { return p.PriceInCents == 500 })
	for _, id := range []string{first, cheap.ID} {
		if p, err := s.Stripe.Prices.Get(id, nil); err != nil || p.Active {
			t.Errorf("price %s is active at Stripe (%v), want it archived", id, err)
		}
	}
	if n := len(strings.Fields(onSale(t, s.Service))); n != 3 {
		t.Errorf("%d packages are on sale, want 3", n)
	}
}
