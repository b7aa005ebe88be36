// Package stripeapi reaches Stripe: the client, the classes of its errors, the page size, the fields of its events, and
// the metadata tag by which an installation recognises its own objects.
package stripeapi

import (
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"

	"github.com/resume-matcher/credits/services/tracing"
)

// PageSize is the most objects that Stripe returns in one page of a list.
const PageSize = 100

// timeout bounds one attempt of a request.
const timeout = 8 * time.Second

// New returns a client of Stripe's API at base, or of Stripe itself when base is empty. It keeps no global state.
// Source: https://github.com/stripe/stripe-go/tree/v79.12.0#configuring-a-client
func New(key, base string) *client.API {
	cfg := &stripe.BackendConfig{
		MaxNetworkRetries: stripe.Int64(4), // with pauses from half a second, within the deadline of the request's context
		EnableTelemetry:   stripe.Bool(false),
		HTTPClient: &http.Client{Timeout: timeout, Transport: tracing.Transport{
			Base: http.DefaultTransport, Peer: "Stripe", Route: route, Describe: describe,
		}},
		LeveledLogger: silentLogger{},
	}
	if base != "" {
		cfg.URL = stripe.String(base)
	}
	return client.New(key, stripe.NewBackendsWithConfig(cfg))
}

// silentLogger drops the client's log lines: they quote requests and repeat errors that the client also returns.
type silentLogger struct{}

// Debugf discards the line.
func (silentLogger) Debugf(string, ...any) {}

// Infof discards the line.
func (silentLogger) Infof(string, ...any) {}

// Warnf discards the line.
func (silentLogger) Warnf(string, ...any) {}

// Errorf discards the line.
func (silentLogger) Errorf(string, ...any) {}
