package resumematcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/resume-matcher/credits/services/loopback"
)

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 60 * time.Second
)

// Server is a stand-in that listens on this machine.
type Server struct {
	*App
	url  string
	http *http.Server
	done chan struct{} // closed when the server has stopped serving
}

// Start serves a stand-in on a loopback address, on a free port if that of listen is taken. ctx bounds only the start;
// the server runs until Close.
// Errors: those of New, an address that other machines can reach, no port.
func Start(ctx context.Context, listen string, o Options, log *slog.Logger) (*Server, error) {
	app, err := New(o)
	if err != nil {
		return nil, err
	}
	listener, err := loopback.ListenAny(ctx, listen)
	if err != nil {
		return nil, fmt.Errorf("resume matcher stand-in: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(errors.New("resume matcher stand-in: not a TCP address"), listener.Close())
	}
	s := &Server{App: app, url: fmt.Sprintf("http://localhost:%d", address.Port), done: make(chan struct{}),
		http: &http.Server{Handler: app, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("resume matcher stand-in stopped", "err", err)
		}
	}()
	return s, nil
}

// URL is the origin of pages and API.
func (s *Server) URL() string { return s.url }

// ControlURL is the address of the page on which a tester breaks the model or the network.
func (s *Server) ControlURL() string { return s.url + controlPath }

// Close releases the requests that Slow or Hang has stopped, and ends the server, letting running requests finish until
// ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.Release()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("shut down resume matcher stand-in: %w", err), s.http.Close())
	}
	<-s.done
	return err
}
