package purchase_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// failKept puts a server in front of Stripe that answers the first request for path with a 500, and keeps that for the
// request's idempotency key. With made, the request took effect all the same.
func (s *sandboxFixture) failKept(t *testing.T, path string, made bool) {
	t.Helper()
	target, err := url.Parse(stripeBase(s.Stripe.CheckoutSessions.B))
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	var mu sync.Mutex
	kept := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		key := r.Header.Get("Idempotency-Key")
		if r.Method != http.MethodPost || r.URL.Path != path || kept != "" && key != kept {
			forward.ServeHTTP(w, r)
			return
		}
		if kept == key {
			w.Header().Set("Idempotent-Replayed", "true")
		} else if made {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			forward.ServeHTTP(httptest.NewRecorder(), r)
		}
		kept = key
		w.Header().Set("Stripe-Should-Retry", "false")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error":{"type":"api_error","message":"kept"}}`)
	}))
	t.Cleanup(server.Close)
	s.Stripe = stripeapi.New(testKey, server.URL)
}

// stripeBase returns the address that a client asks.
func stripeBase(b stripe.Backend) string {
	backend, _ := b.(*stripe.BackendImplementation)
	return backend.URL
}

// Stripe keeps a failure under its idempotency key for a day. The same form, sent again, works all the same, and leads
// to one Checkout Session.
func TestStartWithAFailureThatStripeKeeps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path string
		made bool
	}{
		"of the Checkout Session":                        {path: "/v1/checkout/sessions"},
		"of a Checkout Session that exists all the same": {path: "/v1/checkout/sessions", made: true},
		"of the customer":                                {path: "/v1/customers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandboxFixture(t)
			s.failKept(t, c.path, c.made)
			if _, err := s.Start(t.Context(), s.order("form")); !fault.Is(err, fault.Unavailable) {
				t.Errorf("first: error = %v, want unavailable", err)
			}
			started, err := s.Start(t.Context(), s.order("form"))
			if err != nil {
				t.Fatalf("the same form again: %v", err)
			}
			if again, err := s.Start(t.Context(), s.order("form")); err != nil || again != started {
				t.Errorf("once more: %+v, %v; want %+v", again, err, started)
			}
			sessions := s.Stripe.CheckoutSessions.List(&stripe.CheckoutSessionListParams{})
			made := 0
			for sessions.Next() {
				made++
			}
			if sessions.Err() != nil || made != 1 {
				t.Errorf("Stripe has %d sessions (%v), want 1", made, sessions.Err())
			}
		})
	}
}

// A Stripe that keeps a failure under every key is asked under five of them.
func TestKeysOfOneOrderAreFew(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		w.Header().Set("Idempotent-Replayed", "true")
		w.Header().Set("Stripe-Should-Retry", "false")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error":{"type":"api_error","message":"kept"}}`)
	}))
	t.Cleanup(server.Close)
	s.Stripe = stripeapi.New(testKey, server.URL)
	if _, err := s.Start(t.Context(), s.order("form")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("error = %v, want unavailable", err)
	}
	slices.Sort(keys)
	if asked := len(keys); asked != 5 || len(slices.Compact(keys)) != 5 {
		t.Errorf("%d requests with the keys %v, want 5 with different ones", asked, keys)
	}
}
