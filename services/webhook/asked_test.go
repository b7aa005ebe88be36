package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// chargeOne is Stripe's charge ch_1 of the payment pi_1.
const chargeOne = `{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":0,"currency":"eur",
	"payment_intent":"pi_1"}`

// serveStripe connects the fixture to a Stripe server with these objects by path. It counts requests, calls the hooks
// on each, and answers errors while down is set.
func (s *fixture) serveStripe(objects map[string]string, hooks ...func()) (requests *atomic.Int64, down *atomic.Bool) {
	s.t.Helper()
	requests, down = new(atomic.Int64), new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		for _, hook := range hooks {
			hook()
		}
		body, ok := objects[r.URL.Path]
		switch {
		case down.Load():
			http.Error(w, `{"error":{"type":"invalid_request_error"}}`, http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}`)
		default:
			fmt.Fprint(w, body)
		}
	}))
	s.t.Cleanup(server.Close)
	s.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
	s.Catalog.Stripe = s.Purchase.Stripe
	return requests, down
}

// chargeDisputed is the event of a dispute without payment intent.
func chargeDisputed(id, charge string) string {
	return event(id, "charge.dispute.created", fmt.Sprintf(`{"id":"dp_1","object":"dispute","amount":3500,
		"currency":"eur","status":"needs_response","charge":%q,"payment_intent":null}`, charge))
}

func TestChargeLeadsToThePayment(t *testing.T) {
	t.Parallel()
	t.Run("fetches the charge once", func(t *testing.T) {
		s := newFixture(t)
		requests, _ := s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne})
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(chargeDisputed("evt_2", "ch_1"))
		s.wantBalance(0)
		s.deliver(at(1, strings.Replace(chargeDisputed("evt_3", "ch_1"), "needs_response", "won", 1)))
		s.wantBalance(1200)
		if requests.Load() != 1 {
			t.Errorf("%d requests to Stripe, want 1", requests.Load())
		}
	})
	t.Run("before its purchase is paid", func(t *testing.T) {
		s := newFixture(t)
		s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne})
		s.deliver(strings.Replace(refund("evt_1", "re_1", 3500), `"payment_intent":"pi_1"`, `"payment_intent":null`, 1))
		s.deliver(s.completed("evt_2", "cs_1", "paid"))
		s.wantBalance(0)
	})
	t.Run("retries while Stripe is unavailable", func(t *testing.T) {
		s := newFixture(t)
		_, down := s.serveStripe(map[string]string{"/v1/charges/ch_1": chargeOne})
		down.Store(true)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(chargeDisputed("evt_2", "ch_1"))
		s.wantBalance(1200)
		if got := s.statusOf("evt_2"); got != models.EventFailed {
			t.Errorf("event is %s, want failed", got)
		}
		down.Store(false)
		s.clock = s.clock.Add(retryPauses[0])
		s.must(s.BookDue(t.Context()))
		s.wantBalance(0)
	})
	t.Run("counts an attempt while Stripe hangs", func(t *testing.T) {
		s := newFixture(t)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		t.Cleanup(server.Close)
		s.Purchase.Stripe = client.New("sk_test_0123456789", stripe.NewBackendsWithConfig(&stripe.BackendConfig{
			URL: &server.URL, MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{},
			HTTPClient: &http.Client{Timeout: time.Millisecond},
		}))
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(chargeDisputed("evt_2", "ch_1"))
		if e := s.event("evt_2"); e.Status != models.EventFailed || e.Attempts != 1 || e.LastError != models.CauseNoAnswer {
			t.Errorf("event is %s after %d attempts (%s), want failed after one without an answer", e.Status, e.Attempts,
				e.LastError)
		}
	})
	t.Run("waits when Stripe does not know the charge", func(t *testing.T) {
		s := newFixture(t)
		s.serveStripe(nil)
		s.deliver(chargeDisputed("evt_1", "ch_elsewhere"))
		if got := s.statusOf("evt_1"); got != models.EventDeferred {
			t.Errorf("event is %s, want deferred", got)
		}
	})
}

// A panic over Stripe's answer fails one event: the request is answered, and the worker books the others.
func TestAPanicOverStripesAnswerFailsOneEvent(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	const won = `{"id":"dp_1","object":"dispute","amount":3500,"currency":"eur","status":"won","charge":"ch_1","payment_intent":"pi_1","balance_transactions":[%s]}`
	s.serveStripe(map[string]string{"/v1/disputes/dp_1": fmt.Sprintf(won, "null")})
	s.deliver(s.completed("evt_1", "cs_1", "paid"))
	s.deliver(dispute("evt_2", "created", "needs_response", 3500))
	s.deliver(dispute("evt_3", "closed", "won", 3500)) // of the same second, so Stripe is asked
	if e := s.event("evt_3"); e.Status != models.EventFailed || e.LastError != models.CausePanic {
		t.Errorf("event is %s (%s), want failed after a panic", e.Status, e.LastError)
	}
	s.wantBalance(0)
	s.serveStripe(map[string]string{"/v1/disputes/dp_1": fmt.Sprintf(won, "")})
	s.clock = s.clock.Add(retryPauses[0])
	s.must(s.BookDue(t.Context()))
	s.wantBalance(1200)
}

func TestPriceEventsPullPrices(t *testing.T) {
	t.Parallel()
	product := func(active bool) string {
		return fmt.Sprintf(`{"id":"resume_matcher_credits","object":"product","active":%t}`, active)
	}
	prices := func(active bool) map[string]string {
		return map[string]string{"/v1/prices": fmt.Sprintf(`{"object":"list","has_more":false,"data":[
			{"id":"price_new","object":"price","active":true,"currency":"eur","type":"one_time","unit_amount":900,
				"product":%[1]s,"metadata":{"credits":"200"}},
			{"id":"price_odd","object":"price","active":true,"currency":"eur","type":"one_time","unit_amount":900,
				"product":%[1]s,"metadata":{"credits":"many"}}]}`, product(active))}
	}
	paths := prices(true)
	onSale := func(s *fixture) string {
		var ids []string
		s.must(s.DB.Raw(`SELECT stripe_price_id FROM prices WHERE active ORDER BY 1`).Scan(&ids).Error)
		return strings.Join(ids, " ")
	}
	priceEvent := func(id, product string) string {
		return event(id, "price.updated", fmt.Sprintf(`{"id":"price_1200","object":"price","active":false,"product":%q}`,
			product))
	}
	t.Run("pulls a changed price", func(t *testing.T) {
		s := newFixture(t)
		s.serveStripe(paths)
		s.deliver(priceEvent("evt_1", "resume_matcher_credits_1200")) // of any package
		if got := onSale(s); got != "price_new" {
			t.Errorf("prices on sale = %q, want price_new", got)
		}
		s.deliver(s.completed("evt_2", "cs_1", "paid")) // ordered at the previous price
		s.wantBalance(1200)
	})
	t.Run("ends the sale with the product", func(t *testing.T) {
		s := newFixture(t)
		s.serveStripe(prices(false))
		s.deliver(event("evt_1", "product.updated", product(false)))
		if got := onSale(s); got != "" {
			t.Errorf("prices on sale = %q, want none", got)
		}
	})
	t.Run("ignores events of other products", func(t *testing.T) {
		s := newFixture(t)
		requests, _ := s.serveStripe(paths)
		s.deliver(priceEvent("evt_1", "prod_shoes"))
		s.deliver(event("evt_2", "product.created", `{"id":"prod_shoes","object":"product"}`))
		if requests.Load() != 0 || onSale(s) != "price_1200" || s.statusOf("evt_1") != models.EventIgnored {
			t.Errorf("%d requests, prices on sale %q, event %s; want 0, price_1200 and ignored",
				requests.Load(), onSale(s), s.statusOf("evt_1"))
		}
	})
	t.Run("retries while Stripe is unavailable", func(t *testing.T) {
		s := newFixture(t)
		_, down := s.serveStripe(paths)
		down.Store(true)
		s.deliver(priceEvent("evt_1", "resume_matcher_credits"))
		if onSale(s) != "price_1200" {
			t.Errorf("prices on sale = %q, want price_1200 as before", onSale(s))
		}
		down.Store(false)
		s.clock = s.clock.Add(retryPauses[0])
		s.must(s.BookDue(t.Context()))
		if onSale(s) != "price_new" {
			t.Errorf("prices on sale = %q, want price_new", onSale(s))
		}
	})
}
