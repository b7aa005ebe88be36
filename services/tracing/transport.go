package tracing

import (
	"net/http"
	"strings"
)

// Transport records each request to another server as a span. It sends no header: whom we call, learns nothing of us.
type Transport struct {
	Base     http.RoundTripper
	Peer     string                     // the server's name in spans
	Route    func(*http.Request) string // the path without ids; nil for a server whose paths are not recorded
	Describe func(*http.Response, Span) // adds facts of the answer; optional
}

// RoundTrip sends the request. The span ends when the header of the answer has come.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := Start(r.Context(), t.Peer, Client)
	if !span.On() {
		span.End(nil)
		return t.Base.RoundTrip(r)
	}
	name := []string{r.Method, t.Peer}
	span.Set("http.request.method", r.Method)
	span.Set("peer.service", t.Peer)
	if t.Route != nil {
		route := t.Route(r)
		span.Set("url.template", route)
		name = append(name, route)
	}
	span.Rename(strings.Join(name, " "))
	answer, err := t.Base.RoundTrip(r.WithContext(ctx))
	if err == nil {
		span.SetInt("http.response.status_code", answer.StatusCode)
		if answer.StatusCode >= http.StatusBadRequest {
			span.Fail()
		}
		if t.Describe != nil {
			t.Describe(answer, span)
		}
	}
	span.End(err)
	return answer, err
}
