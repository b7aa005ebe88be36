package stripe_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models/dbtest"
	sandbox "github.com/resume-matcher/credits/services/sandbox/stripe"
)

const (
	secretKey  = "sk_test_sandbox_0123456789"
	hookSecret = "whsec_current"
	oldSecret  = "whsec_previous"
	// patience bounds the wait for an event that must come. No test passes by waiting.
	patience = dbtest.HangTimeout
)

// contract checks every answer under /v1/ against Stripe's own document, whichever client the test uses.
var contract = &Transport{Base: http.DefaultTransport}

func TestMain(m *testing.M) {
	http.DefaultTransport = contract
	dbtest.Main(m)
}

// receiver is a webhook that checks every signature with Stripe's own library and passes the events on.
type receiver struct {
	*httptest.Server
	events chan stripe.Event
	tries  chan attempt
	status atomic.Int64 // what to answer
}

// attempt is one received request.
type attempt struct {
	event     string
	signature string
	agent     string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{events: make(chan stripe.Event, 1000), tries: make(chan attempt, 1000)}
	r.status.Store(http.StatusOK)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Errorf("read webhook: %v", err)
		}
		header := q.Header.Get("Stripe-Signature")
		for _, secret := range []string{hookSecret, oldSecret} {
			if _, err := webhook.ConstructEvent(body, header, secret); err != nil {
				t.Errorf("signature for %s: %v", secret, err)
			}
		}
		event, err := webhook.ConstructEvent(body, header, hookSecret)
		if err != nil {
			t.Errorf("construct event: %v", err)
		}
		checkEvent(t, body)
		r.tries <- attempt{event.ID, header, q.UserAgent()}
		status := int(r.status.Load())
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		if status < 300 {
			r.events <- event
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// checkEvent checks an event and its object against Stripe's document.
func checkEvent(t *testing.T, event []byte) {
	t.Helper()
	document, err := stripesDocument()
	if err != nil {
		t.Errorf("Stripe's document: %v", err)
		return
	}
	for _, fault := range document.Event(event) {
		t.Error(fault)
	}
}

// next waits for an accepted event of one of the types and skips others.
func (r *receiver) next(t *testing.T, kinds ...stripe.EventType) stripe.Event {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case event := <-r.events:
			if slices.Contains(kinds, event.Type) {
				return event
			}
		case <-late:
			t.Fatalf("no event %v", kinds)
		}
	}
}

// retry waits for the next attempt.
func (r *receiver) retry(t *testing.T) attempt {
	t.Helper()
	select {
	case one := <-r.tries:
		return one
	case <-time.After(patience):
		t.Fatal("no delivery attempt")
		return attempt{}
	}
}

// fixture is a running stand-in with its clients.
type fixture struct {
	*sandbox.Server
	api     *client.API
	hooks   *receiver
	browser *http.Client
}

// start starts a stand-in on an empty database.
func start(t *testing.T) *fixture {
	t.Helper()
	return startOn(t, dbtest.Empty(t), newReceiver(t))
}

func startOn(t *testing.T, database string, hooks *receiver) *fixture {
	t.Helper()
	return startWith(t, options(database, hooks.URL), hooks)
}

func startWith(t *testing.T, o sandbox.Options, hooks *receiver) *fixture {
	t.Helper()
	server, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s := &fixture{
		Server: server, hooks: hooks, api: newClient(server.URL(), secretKey),
		browser: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	t.Cleanup(func() { s.checkConformance(t) })
	return s
}

// checkConformance reads every event, also those that no test waits for, and reports all answers that did not conform
// to Stripe's document.
func (s *fixture) checkConformance(t *testing.T) {
	t.Helper()
	params := &stripe.EventListParams{}
	params.Limit = stripe.Int64(100)
	list := s.api.Events.List(params)
	for list.Next() { // the transport checks them
	}
	if err := list.Err(); err != nil {
		t.Errorf("read all events: %v", err)
	}
	for _, fault := range contract.Violations(strings.TrimPrefix(s.URL(), "http://")) {
		t.Error(fault)
	}
}

func options(database, hook string) sandbox.Options {
	return sandbox.Options{
		Seller:      "Muster & Söhne",
		DatabaseURL: database, Listen: "127.0.0.1:0", SecretKey: secretKey, WebhookURL: hook,
		WebhookSecrets: []string{hookSecret, oldSecret}, Log: slog.New(slog.DiscardHandler),
	}
}

func newClient(base, key string) *client.API {
	return client.New(key, stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(base), MaxNetworkRetries: stripe.Int64(0), EnableTelemetry: stripe.Bool(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	}))
}

// offer creates a price of 20 euros.
func (s *fixture) offer(t *testing.T) *stripe.Price {
	t.Helper()
	product, err := s.api.Products.New(&stripe.ProductParams{Name: stripe.String("500 Credits")})
	if err != nil {
		t.Fatalf("make product: %v", err)
	}
	params := &stripe.PriceParams{
		Product: stripe.String(product.ID), Currency: stripe.String("eur"), UnitAmount: stripe.Int64(2000),
		TaxBehavior: stripe.String("inclusive"),
	}
	params.AddMetadata("credits", "500")
	price, err := s.api.Prices.New(params)
	if err != nil {
		t.Fatalf("make price: %v", err)
	}
	return price
}

// checkout opens a session for two of the price, for a new customer.
func (s *fixture) checkout(t *testing.T, price string,
	change ...func(*stripe.CheckoutSessionParams)) *stripe.CheckoutSession {
	t.Helper()
	customer, err := s.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("erika@example.com"),
		Name: stripe.String("Erika")})
	if err != nil {
		t.Fatalf("make customer: %v", err)
	}
	params := sessionParams(price)
	params.Customer = stripe.String(customer.ID)
	for _, c := range change {
		c(params)
	}
	session, err := s.api.CheckoutSessions.New(params)
	if err != nil {
		t.Fatalf("open session: %v", err)
	}
	return session
}

func sessionParams(price string) *stripe.CheckoutSessionParams {
	params := &stripe.CheckoutSessionParams{
		Mode:              stripe.String("payment"),
		LineItems:         []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(price), Quantity: stripe.Int64(2)}},
		Locale:            stripe.String("de"),
		ClientReferenceID: stripe.String("purchase-1"),
		SuccessURL:        stripe.String("http://localhost:3000/de/billing?success=true&session_id={CHECKOUT_SESSION_ID}"),
		CancelURL:         stripe.String("http://localhost:3000/de/billing?canceled=true"),
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: map[string]string{"credits": "1000"}},
	}
	params.AddMetadata("credits", "1000")
	return params
}

// buy pays a new session and returns its payment.
func (s *fixture) buy(t *testing.T) *stripe.PaymentIntent {
	t.Helper()
	session := s.checkout(t, s.offer(t).ID)
	if paid := s.post(t, session.URL, url.Values{"action": {"pay"}}); paid.StatusCode != http.StatusSeeOther {
		t.Fatalf("pay: got %d, want 303", paid.StatusCode)
	}
	params := &stripe.CheckoutSessionParams{}
	params.AddExpand("payment_intent.latest_charge")
	session, err := s.api.CheckoutSessions.Get(session.ID, params)
	if err != nil {
		t.Fatalf("read session: %v", err)
	}
	return session.PaymentIntent
}

// wantError checks that err is Stripe's, with that status, code and parameter.
func wantError(t *testing.T, err error, status int, code, param string) {
	t.Helper()
	var failure *stripe.Error
	if !errors.As(err, &failure) {
		t.Errorf("error: got %v, want a Stripe error %d %s", err, status, code)
		return
	}
	if failure.HTTPStatusCode != status || string(failure.Code) != code || failure.Param != param {
		t.Errorf("error: got %d %q %q (%s), want %d %q %q", failure.HTTPStatusCode, failure.Code, failure.Param, failure.Msg,
			status, code, param)
	}
	if failure.RequestID == "" {
		t.Error("error without Request-Id")
	}
}
