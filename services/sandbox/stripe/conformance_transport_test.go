package stripe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Transport checks every answer of the API against Stripe's document. An answer that does not conform becomes the
// request's error, and Violations lists it in case the caller ignores the error.
type Transport struct {
	Base http.RoundTripper

	mu         sync.Mutex
	violations map[string][]string // by host
}

// RoundTrip sends the request and checks the answer.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Base.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/v1/") || r.Method == http.MethodHead {
		return response, err
	}
	document, err := stripesDocument()
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
	violations := document.Answer(r.Method, r.URL.Path, response.StatusCode, body)
	if len(violations) == 0 {
		return response, nil
	}
	text := fmt.Sprintf("%s %s = %d is not what Stripe answers: %s", r.Method, r.URL.Path, response.StatusCode,
		strings.Join(violations, "; "))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.violations == nil {
		t.violations = map[string][]string{}
	}
	t.violations[r.URL.Host] = append(t.violations[r.URL.Host], text)
	return nil, errors.New(text)
}

// Violations returns what was wrong with the answers of a host so far.
func (t *Transport) Violations(host string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.violations[host]
}

// CloseIdleConnections closes those of Base. net/http/httptest calls it on the default transport.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}
