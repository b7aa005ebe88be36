// Package stripe is a local stand-in for Stripe, for sandbox mode and for tests: Stripe's wire format at API version
// 2024-06-20, a hosted Checkout page, a dashboard, a control API that plays the bank and the buyer, and signed webhook
// events (package delivery).
//
// It could be a separate program: it imports nothing of the product but a listener, listens on loopback only, accepts
// test keys only and keeps its state in a database schema of its own, so that it survives a restart and several
// replicas share one Stripe. It supports one-time payments by card and SEPA debit, and the requests of "stripe trigger"
// for the events that the product handles. Subscriptions, payouts, Connect and PDF invoices are out of scope.
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

// Version is the only Stripe API version that the stand-in supports.
const Version = "2024-06-20"

const defaultListen = "127.0.0.1:3001"

// Options configures Start.
type Options struct {
	// DatabaseURL is a PostgreSQL 15 or newer, pooled or not. Start creates the schema stripe_sandbox in it.
	DatabaseURL string
	// Listen is the loopback address; empty means 127.0.0.1:3001. If its port is taken, Start picks a free one.
	Listen string
	// SecretKey authenticates callers. It starts with sk_test_.
	SecretKey string
	// WebhookURL is the address that the product's events are sent to.
	WebhookURL string
	// PublicWebhookURL is the address that the API shows for that endpoint; empty means WebhookURL.
	PublicWebhookURL string
	// WebhookEvents are the event types that a new endpoint subscribes to; empty means those that the product handles.
	WebhookEvents []string
	// WebhookSecrets sign each event for that endpoint, with one v1 signature each.
	WebhookSecrets []string
	// ProductURL is the address that the pages lead back to; empty leaves the link out.
	ProductURL string
	// Seller is the name of the account that the pages of Checkout, invoices and receipts show; empty leaves it out.
	Seller string
	// Log is slog.Default when nil.
	Log *slog.Logger
}

// Server is a running stand-in.
type Server struct {
	url       string
	key       string
	log       *slog.Logger
	store     *store
	deliverer *delivery.Deliverer
	pages     *pages
	http      *http.Server
	work      sync.WaitGroup     // background goroutines
	stop      context.CancelFunc // ends that work
}

// Start creates the schema, listens, and delivers events. ctx bounds only the start; the server runs until Close.
// Errors: an address off loopback, a key that is not a test key, a webhook without address or secret, an unreachable
// database.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("stripe stand-in: %w", err)
	}
	pages, err := loadPages(o.ProductURL, o.Seller)
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
		url: fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port), key: o.SecretKey, log: o.Log,
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

// URL is the base of the API and the origin of the hosted pages: "http://localhost:PORT".
func (s *Server) URL() string { return s.url }

// Close finishes running requests, stops the delivery of events and closes the database. The next Start delivers the
// rest.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("shut down stripe stand-in: %w", err), s.http.Close())
	}
	s.work.Wait()
	return errors.Join(err, s.store.db.Close())
}

// complete sets the defaults and reports every invalid option at once.
func (o *Options) complete() error {
	var wrong []error
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Listen == "" {
		o.Listen = defaultListen
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

// background runs fn in a goroutine. A panic in it is logged and ends only fn.
func (s *Server) background(fn func()) {
	s.work.Go(func() {
		defer delivery.LogPanic(s.log)
		fn()
	})
}

func (s *Server) accept(l net.Listener) {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("stripe sandbox: serve failed", "err", err)
	}
}

// logError logs an internal error. A canceled request is not one.
func (s *Server) logError(text string, err error, attributes ...any) {
	level := slog.LevelError
	if errors.Is(err, context.Canceled) {
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, text, append(attributes, "err", err)...)
}
