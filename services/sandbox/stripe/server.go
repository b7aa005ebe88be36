// Package stripe is a local stand-in for Stripe, for sandbox mode and for tests:
// Stripe's wire format at API version 2024-06-20, a hosted Checkout page, a small
// page for refunds, and signed webhook events that are repeated until answered 2xx.
//
// It is a program of its own in spirit. It imports nothing of the product but a listener, listens
// on loopback only, takes test keys only, and keeps its state in a schema of its
// own, so that it survives a restart and several replicas share one Stripe. No real
// money moves through it, and it knows only what a one-time payment needs.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/resume-matcher/credits/services/loopback"
	"github.com/resume-matcher/credits/services/sandbox/stripe/delivery"
)

// Version is the one Stripe API version that the stand-in speaks.
const Version = "2024-06-20"

const defaultListen = "127.0.0.1:3001"

// RefundEvents says which events one refund of a card payment makes.
type RefundEvents string

const (
	// RefundEventsAcacia sends charge.refunded and refund.created: two events for
	// one refund, which is what accounts on newer versions see. It is the default.
	RefundEventsAcacia RefundEvents = "acacia"
	// RefundEventsLegacy sends charge.refunded alone, as version 2024-06-20 does.
	RefundEventsLegacy RefundEvents = "legacy"
)

// Options is what Start needs to know.
type Options struct {
	// DatabaseURL is the PostgreSQL (15 or newer, pooled or not) that holds the
	// schema stripe_sandbox, which Start makes when it is not there.
	DatabaseURL string
	// Listen is the loopback address; empty means 127.0.0.1:3001. When its port is
	// taken a free one is used instead.
	Listen string
	// SecretKey is what callers must send; it starts with sk_test_.
	SecretKey string
	// WebhookURL is where the events for the program's own endpoint go.
	WebhookURL string
	// PublicWebhookURL is what that endpoint shows as its address; empty means WebhookURL.
	PublicWebhookURL string
	// WebhookEvents are the event types that it listens to when Start makes it; empty
	// means those that a shop for prepaid credits needs.
	WebhookEvents []string
	// WebhookSecrets sign each event for that endpoint, one v1 signature for each of them.
	WebhookSecrets []string
	// RefundEvents is RefundEventsAcacia when empty.
	RefundEvents RefundEvents
	// Log is slog.Default when nil.
	Log *slog.Logger
}

// Server is a running stand-in.
type Server struct {
	url       string
	key       string
	refunds   RefundEvents
	log       *slog.Logger
	store     *store
	deliverer *delivery.Deliverer
	pages     *pages
	http      *http.Server
	work      sync.WaitGroup     // what runs beside the requests
	stop      context.CancelFunc // ends that work
}

// Start opens the schema, the port and the delivery of events. ctx bounds the start
// alone; the server then runs until Close.
//
// Errors: an address off loopback, a key that is not a test key, a webhook without
// address or secret, a database that cannot be reached.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("stripe stand-in: %w", err)
	}
	pages, err := loadPages()
	if err != nil {
		return nil, fmt.Errorf("stripe stand-in: %w", err)
	}
	st, err := openStore(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("stripe stand-in: %w", err)
	}
	listener, err := loopback.ListenAny(ctx, o.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stripe stand-in: %w", err), st.db.Close())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{
		url: fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port), key: o.SecretKey, refunds: o.RefundEvents, log: o.Log,
		store: st, pages: pages, stop: stop,
		deliverer: delivery.New(st.db, delivery.Own{URL: o.WebhookURL, Secrets: o.WebhookSecrets}, o.Log),
	}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // longer than the wait for a webhook's answer
		IdleTimeout:       60 * time.Second,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	s.background(func() { s.accept(listener) })
	s.background(func() { s.deliverer.Run(run) })
	s.background(func() { s.expireSessions(run) })
	return s, nil
}

// URL is the API's base and the origin of the hosted pages: "http://localhost:PORT".
func (s *Server) URL() string { return s.url }

// Close finishes running requests, ends the delivery of events and closes the
// database. What was not delivered is delivered after the next Start.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("shut down stripe stand-in: %w", err), s.http.Close())
	}
	s.work.Wait()
	return errors.Join(err, s.store.db.Close())
}

// complete fills the defaults in and reports all that is wrong at once.
func (o *Options) complete() error {
	var wrong []error
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	if o.RefundEvents == "" {
		o.RefundEvents = RefundEventsAcacia
	}
	if o.RefundEvents != RefundEventsAcacia && o.RefundEvents != RefundEventsLegacy {
		wrong = append(wrong, fmt.Errorf("unknown refund events %q", o.RefundEvents))
	}
	if o.DatabaseURL == "" {
		wrong = append(wrong, errors.New("no database URL"))
	}
	if !strings.HasPrefix(o.SecretKey, "sk_test_") {
		wrong = append(wrong, errors.New("the secret key must start with sk_test_"))
	}
	if host, _, err := net.SplitHostPort(o.Listen); err != nil || !loopback.Is(host) {
		wrong = append(wrong, fmt.Errorf("listen address %q is not a loopback address", o.Listen))
	}
	if u, err := url.Parse(o.WebhookURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		wrong = append(wrong, errors.New("the webhook URL must be absolute"))
	}
	if o.PublicWebhookURL == "" {
		o.PublicWebhookURL = o.WebhookURL
	}
	if len(o.WebhookEvents) == 0 {
		o.WebhookEvents = productEvents
	}
	if len(o.WebhookSecrets) == 0 {
		wrong = append(wrong, errors.New("no webhook secret"))
	}
	for _, secret := range o.WebhookSecrets {
		if secret == "" {
			wrong = append(wrong, errors.New("an empty webhook secret"))
		}
	}
	return errors.Join(wrong...)
}

// background runs fn beside the requests; a panic in it is logged and ends fn alone.
func (s *Server) background(fn func()) {
	s.work.Go(func() {
		defer delivery.LogPanic(s.log)
		fn()
	})
}

func (s *Server) accept(l net.Listener) {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("stripe sandbox stopped listening", "err", err)
	}
}

// complain logs a fault of our own; that a caller went away is none.
func (s *Server) complain(text string, err error, attributes ...any) {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, text, append(attributes, "err", err)...)
}
