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
	prices, err := s.Offers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range prices {
		ids = append(ids, p.StripePriceID)
	}
	return strings.Join(ids, " ")
}

// Two servers pull prices concurrently. The pull that began first ends last, and must not overwrite the newer prices.
func TestPullDiscardsAnOlderList(t *testing.T) {
	t.Parallel()
	var lists atomic.Int64
	reading, resume := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("product") != catalog.SharedProduct {
			fmt.Fprint(w, `{"object":"list","has_more":false,"data":[]}`)
			return
		}
		name := "price_new"
		if lists.Add(1) == 1 {
			name = "price_old"
			close(reading)
			<-resume
		}
		fmt.Fprintf(w, `{"object":"list","has_more":false,"data":[{"id":%q,"object":"price","active":true,"currency":"eur",
			"type":"one_time","unit_amount":900,"product":{"id":"resume_matcher_credits","active":true},"metadata":{"credits":"200"}}]}`, name)
	}))
	t.Cleanup(server.Close)
	s := &catalog.Service{
		DB: dbtest.New(t), Stripe: stripeapi.New(testKey, server.URL), Log: slog.New(slog.DiscardHandler),
	}
	done := make(chan struct{})
	go func() { defer close(done); pull(t, s) }()
	<-reading
	pull(t, s)
	if got := onSale(t, s); got != "price_new" {
		t.Errorf("prices on sale = %q, want price_new", got)
	}
	close(resume)
	<-done
	if got := onSale(t, s); got != "price_new" {
		t.Errorf("prices on sale after the slow pull = %q, want price_new", got)
	}
	dbtest.Concurrently(20, func(int) { pull(t, s) })
	if got := onSale(t, s); got != "price_new" {
		t.Errorf("prices on sale after twenty concurrent pulls = %q, want price_new", got)
	}
}

// A sync that stops between creating a price and archiving the previous one leaves two at Stripe. Only one is on
// sale.
func TestInterruptedSyncLeavesOnePriceOnSale(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	ctx := context.Background()
	first := s.price[100].StripePriceID
	// An earlier release sold the package for less: its price holds the lookup key, and the previous price is still
	// active.
	cheap, err := s.Stripe.Prices.New(&stripe.PriceParams{
		Product: stripe.String("resume_matcher_credits_100"), Currency: stripe.String("eur"), UnitAmount: stripe.Int64(450),
		LookupKey: stripe.String("resume_matcher_package_100"), TransferLookupKey: stripe.Bool(true),
		Metadata: map[string]string{"credits": "100"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantOnSale := func(want func(models.Price) bool) {
		t.Helper()
		var sold []models.Price
		if err := s.DB.Find(&sold, "credits_per_unit = 100 AND active").Error; err != nil || len(sold) != 1 ||
			!want(sold[0]) {
			t.Errorf("prices of 100 credits on sale = %+v (%v), want the expected one alone", sold, err)
		}
	}
	pull(t, s.Service)
	wantOnSale(func(p models.Price) bool { return p.StripePriceID == cheap.ID })

	s.overrides.Store("/v1/prices/"+cheap.ID, fmt.Sprintf(`{"id":%q,"object":"price"}`, cheap.ID)) // archiving has no effect
	if _, err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	s.overrides.Clear()
	pull(t, s.Service)
	wantOnSale(func(p models.Price) bool { return p.StripePriceID == first }) // of the right amount, so no third one

	if _, err := s.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	wantOnSale(func(p models.Price) bool { return p.PriceInCents == 500 })
	for id, active := range map[string]bool{first: true, cheap.ID: false} {
		if p, err := s.Stripe.Prices.Get(id, nil); err != nil || p.Active != active {
			t.Errorf("price %s is active at Stripe: %v (%v), want %v", id, p.Active, err, active)
		}
	}
	if n := len(strings.Fields(onSale(t, s.Service))); n != 3 {
		t.Errorf("%d packages on sale, want 3", n)
	}
}
