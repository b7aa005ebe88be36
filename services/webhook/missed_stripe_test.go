package webhook

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	standin "github.com/resume-matcher/credits/services/sandbox/stripe"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// A Stripe that does not answer holds nothing up, and the end of the server ends the request.
func TestMissedEventsWhileStripeHangs(t *testing.T) {
	t.Parallel()
	f := newMissedFixture(t)
	arrived := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	f.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.missedJob().Work(ctx) }()
	<-arrived
	f.deliver(f.completed("evt_1", "cs_1", "paid"))
	f.wantBalance(1200)
	stop()
	if err := <-ended; err == nil {
		t.Error("no error after the end, want one")
	}
}

// The stand-in lists what the job asks for, as stripe-mock accepts it.
func TestMissedEventsOfTheStandIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	server, err := standin.Start(t.Context(), standin.Options{DatabaseURL: dbtest.Empty(t), Listen: "127.0.0.1:0",
		SecretKey: "sk_test_0123456789abcdef", WebhookURL: "http://127.0.0.1:9/unused", WebhookSecrets: []string{testSecret},
		Log: f.Log})
	f.must(err)
	t.Cleanup(func() { _ = server.Close(context.Background()) })
	f.Purchase.Stripe = stripeapi.New("sk_test_0123456789abcdef", server.URL())
	for range stripeapi.PageSize + 1 {
		_, err := f.Purchase.Stripe.Products.New(&stripe.ProductParams{Name: stripe.String("Shoes")})
		f.must(err)
	}
	job := f.missedJob()
	for minutes, want := range []int64{0, 0, stripeapi.PageSize + 1} {
		f.clock = models.Now().Add(time.Duration(minutes) * time.Minute)
		f.must(job.Work(t.Context()))
		var n int64
		f.must(f.DB.Raw(`SELECT count(*) FROM stripe_events
			WHERE type = 'product.created' AND status = 'ignored'`).Scan(&n).Error)
		if n != want {
			t.Errorf("%d events after %d minutes, want %d", n, minutes, want)
		}
	}
}
