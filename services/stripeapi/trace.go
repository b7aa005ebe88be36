package stripeapi

import (
	"net/http"
	"strings"

	"github.com/resume-matcher/credits/services/tracing"
)

// words are the segments of Stripe's paths that are not ids.
var words = map[string]bool{
	"v1": true, "charges": true, "checkout": true, "customers": true, "disputes": true, "events": true, "expire": true,
	"line_items": true, "payment_intents": true, "prices": true, "products": true, "refunds": true, "sessions": true,
	"settings": true, "tax": true, "webhook_endpoints": true,
}

// route is a request's path with {id} for each id, as traces show it.
func route(r *http.Request) string {
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for i, segment := range segments {
		if !words[segment] {
			segments[i] = "{id}"
		}
	}
	return "/" + strings.Join(segments, "/")
}

// describe adds Stripe's id of a request to its span. Stripe's dashboard finds the request by it.
func describe(answer *http.Response, span tracing.Span) {
	span.Set("stripe.request_id", answer.Header.Get("Request-Id"))
}
