package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// faultyProxy is the network between a program and the API. Requests whose idempotency key begins with faulty- meet
// every fault that a client must tolerate.
type faultyProxy struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	attempts []attempt
	conns    int
}

// attempt is one request with a faulty- key, as received.
type attempt struct {
	key, body string
	at        time.Time
}

func newFaultyProxy(t *testing.T, target string) *faultyProxy {
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &faultyProxy{t: t}
	onward := httputil.NewSingleHostReverseProxy(address)
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Idempotency-Key"), "faulty-") {
			p.injectFaults(onward, out, r)
			return
		}
		onward.ServeHTTP(out, r)
	}))
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.conns++
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// injectFaults executes the first attempt but drops its answer, refuses three as an overloaded server does, and passes
// the fifth on.
func (p *faultyProxy) injectFaults(onward http.Handler, out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	p.mu.Lock()
	p.attempts = append(p.attempts, attempt{r.Header.Get("Idempotency-Key"), string(body), time.Now()})
	n := len(p.attempts)
	p.mu.Unlock()
	switch n {
	case 1:
		onward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case 2:
		out.Header().Set("Retry-After", "1")
		http.Error(out, "<html>the proxy's own page</html>", http.StatusServiceUnavailable)
	case 3:
		http.Error(out, "", http.StatusTooManyRequests)
	case 4:
		out.Header().Set("Retry-After", "0")
		http.Error(out, "", http.StatusConflict)
	default:
		onward.ServeHTTP(out, r)
	}
}

// checkAttempts requires five equal requests, the third no sooner than the second's Retry-After allows.
func (p *faultyProxy) checkAttempts(key string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.attempts) != 5 {
		p.t.Fatalf("%d attempts, want 5", len(p.attempts))
	}
	for i, a := range p.attempts {
		if a.key != key || a.body != p.attempts[0].body {
			p.t.Errorf("attempt %d: key %q, body %s, want the first attempt's", i+1, a.key, a.body)
		}
	}
	if waited := p.attempts[2].at.Sub(p.attempts[1].at); waited < time.Second {
		p.t.Errorf("third attempt after %s, want at least the 1 s of Retry-After", waited)
	}
}

func (p *faultyProxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns
}
