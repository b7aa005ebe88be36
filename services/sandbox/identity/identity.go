// Package identity is the sandbox's sign-in provider. It is a real OpenID provider (zitadel's library: discovery, PKCE,
// signed ID tokens, userinfo) whose sign-in page lets a tester choose any user. It listens on this machine only.
package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"

	"github.com/resume-matcher/credits/services/loopback"
	"github.com/resume-matcher/credits/services/sandbox/appearance"
)

const (
	loginPath    = "/login"
	assetsPath   = "/assets/"
	readTimeout  = 10 * time.Second
	writeTimeout = 20 * time.Second
	maxFormBytes = 64 << 10
)

// Options are the addresses of the provider and its one client.
type Options struct {
	Listen       string   // "127.0.0.1:3002"; a port that is taken is replaced by a free one
	ClientID     string   // the product's name here
	ClientSecret string   // and its password
	RedirectURLs []string // where a sign-in may end, to the letter
	ProductURL   string   // where the page leads back to; empty leaves the link out
	Log          *slog.Logger
}

// Server is a running stand-in.
type Server struct {
	issuer   string
	product  string // address of the product; may be empty
	provider *op.Provider
	store    *store
	page     *template.Template // to sign in
	texts    appearance.Texts
	server   *http.Server
	done     chan struct{} // closed when the server has stopped serving
	log      *slog.Logger
}

// Start opens the stand-in. The context bounds only the start; Close ends it.
// Errors: an address that other machines could reach, missing options, no port.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.ClientID == "" || o.ClientSecret == "" || len(o.RedirectURLs) == 0 {
		return nil, errors.New("identity stand-in: client id, secret and redirect URLs are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := loopback.ListenAny(ctx, o.Listen)
	if err != nil {
		return nil, fmt.Errorf("identity stand-in: %w", err)
	}
	s, err := newServer(o, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go s.serve(listener)
	return s, nil
}

// Issuer is the provider's name, and the address that its discovery starts from.
func (s *Server) Issuer() string { return s.issuer }

// Close stops the stand-in, letting running requests finish until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	<-s.done
	return err
}

func (s *Server) serve(listener net.Listener) {
	defer close(s.done)
	if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("identity stand-in stopped", "err", err)
	}
}

func newServer(o Options, listener net.Listener) (*Server, error) {
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.New("identity stand-in: not a TCP address")
	}
	store, err := newStore(o)
	if err != nil {
		return nil, err
	}
	s := &Server{
		issuer: "http://localhost:" + strconv.Itoa(address.Port) + "/",
		store:  store, product: o.ProductURL, log: o.Log, done: make(chan struct{}),
	}
	if s.provider, err = newProvider(s.issuer, store); err != nil {
		return nil, fmt.Errorf("identity stand-in: %w", err)
	}
	if s.page, s.texts, err = appearance.Load(assets, "page.html"); err != nil {
		return nil, fmt.Errorf("identity stand-in: %w", err)
	}
	handler, err := s.routes(o.RedirectURLs)
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{
		Handler: handler, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s, nil
}

func newProvider(issuer string, store *store) (*op.Provider, error) {
	config := &op.Config{
		CodeMethodS256:     true,
		AuthMethodPost:     true,
		SupportedUILocales: []language.Tag{language.English, language.German},
		SupportedScopes:    []string{"openid", "profile", "email"},
		SupportedClaims:    []string{"sub", "name", "email", "email_verified", "locale", "auth_time"},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	return op.NewProvider(config, store, op.StaticIssuer(issuer), op.WithAllowInsecure(), op.WithCORSOptions(nil))
}

// routes puts the sign-in page before the protocol's own endpoints.
func (s *Server) routes(redirectURLs []string) (http.Handler, error) {
	policy, err := contentPolicy(redirectURLs)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loginPath, s.showLogin)
	mux.HandleFunc("POST "+loginPath, s.signIn)
	mux.Handle("GET "+assetsPath, http.FileServerFS(assets))
	appearance.Register(mux)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	mux.Handle("/", s.provider)
	return s.guard(policy, mux), nil
}

// contentPolicy lets forms end where the sign-in ends: browsers hold redirects after a form against form-action.
func contentPolicy(redirectURLs []string) (string, error) {
	policy := "default-src 'none'; style-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	for _, raw := range redirectURLs {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return "", errors.New("identity stand-in: a redirect URL is not an absolute http address")
		}
		policy += " " + u.Scheme + "://" + u.Host
	}
	return policy, nil
}

// guard sets the headers of every answer and refuses other names for this server, which is how a foreign page would
// reach it from the tester's own browser (DNS rebinding).
func (s *Server) guard(policy string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if u := (url.URL{Host: r.Host}); !loopback.Is(u.Hostname()) {
			http.Error(w, http.StatusText(http.StatusMisdirectedRequest), http.StatusMisdirectedRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		next.ServeHTTP(w, r)
	})
}
