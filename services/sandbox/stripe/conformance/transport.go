package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Transport holds every answer of the API that passes through it against Stripe's document. One that does not fit
// becomes the request's error, so that whoever asked fails, and is kept for Faults, should nobody look at the error.
type Transport struct {
	Base http.RoundTripper

	mu     sync.Mutex
	faults map[string][]string // by host
}

// RoundTrip passes the request on and checks what comes back.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Base.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/v1/") || r.Method == http.MethodHead {
		return response, err
	}
	document, err := Stripe()
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	isJSON := strings.HasPrefix(response.Header.Get("Content-Type"), "application/json")
	if !isJSON && response.StatusCode >= 400 {
		return response, nil // turned away before it was a call of the API, as a foreign form is
	}
	faults := document.Answer(r.Method, r.URL.Path, response.StatusCode, body)
	if len(faults) == 0 {
		return response, nil
	}
	text := fmt.Sprintf("%s %s = %d is not what Stripe answers: %s", r.Method, r.URL.Path, response.StatusCode, strings.Join(faults, "; "))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.faults == nil {
		t.faults = map[string][]string{}
	}
	t.faults[r.URL.Host] = append(t.faults[r.URL.Host], text)
	return nil, errors.New(text)
}

// Faults are what was wrong with the answers of a host so far.
func (t *Transport) Faults(host string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.faults[host]
}

// CloseIdleConnections closes those of the transport beneath, as net/http/httptest asks the default one to.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}
