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
	w := &faultyProxy{t: t}
	onward := httputil.NewSingleHostReverseProxy(address)
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Idempotency-Key"), "faulty-") {
			w.injectFaults(onward, out, r)
			return
		}
		onward.ServeHTTP(out, r)
	}))
	w.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.conns++
		}
	}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

// injectFaults executes the first attempt but drops its answer, refuses three as an overloaded server does, and passes
// the fifth on.
func (w *faultyProxy) injectFaults(onward http.Handler, out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	w.mu.Lock()
	w.attempts = append(w.attempts, attempt{r.Header.Get("Idempotency-Key"), string(body), time.Now()})
	n := len(w.attempts)
	w.mu.Unlock()
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
func (w *faultyProxy) checkAttempts(key string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.attempts) != 5 {
		w.t.Fatalf("%d attempts, want 5", len(w.attempts))
	}
	for i, a := range w.attempts {
		if a.key != key || a.body != w.attempts[0].body {
			w.t.Errorf("attempt %d: key %q, body %s, want the first attempt's", i+1, a.key, a.body)
		}
	}
	if waited := w.attempts[2].at.Sub(w.attempts[1].at); waited < time.Second {
		w.t.Errorf("third attempt after %s, want at least the 1 s of Retry-After", waited)
	}
}

func (w *faultyProxy) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns
}
