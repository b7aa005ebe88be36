package handlers

import (
	"crypto/subtle"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/loopback"
)

// forwardingHeaders are set by proxies, so a request with one was not sent from this machine.
var forwardingHeaders = []string{fiber.HeaderForwarded, fiber.HeaderXForwardedFor, fiber.HeaderXForwardedHost,
	fiber.HeaderXForwardedProto, fiber.HeaderVia, "X-Real-Ip"}

// admitMonitor admits who may read the metrics: the bearer of METRICS_TOKEN or, without a token, a program on this
// machine. A proxy on this machine forwards anyone's requests, so those that show a proxy, or name another host, are
// refused, and so is HTTP/1.0: nginx speaks it unless told otherwise, and adds none of the headers by itself.
func (h *Handler) admitMonitor(c *fiber.Ctx) error {
	if h.Metrics == nil {
		return fault.New(fault.NotFound, nil)
	}
	if token := h.Site.MetricsToken; token != "" {
		sent := c.Get(fiber.HeaderAuthorization)
		if subtle.ConstantTimeCompare([]byte(sent), []byte("Bearer "+token)) == 1 {
			return c.Next()
		}
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
		return c.SendStatus(fiber.StatusUnauthorized)
	}
	host := url.URL{Host: string(c.Request().Host())}
	forwarded := slices.ContainsFunc(forwardingHeaders, func(name string) bool { return c.Get(name) != "" })
	if !c.Context().RemoteIP().IsLoopback() || !loopback.Is(host.Hostname()) || forwarded ||
		!c.Request().Header.IsHTTP11() {
		return fault.New(fault.NotFound, nil)
	}
	return c.Next()
}

// showMetrics is GET /metrics. What cannot be collected is left out of the answer.
func (h *Handler) showMetrics() fiber.Handler {
	if h.Metrics == nil {
		return notFound
	}
	return adaptor.HTTPHandler(promhttp.HandlerFor(h.Metrics.Gatherer(),
		promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
}

// methods are the methods that our routes know. A label has no other, because senders invent them.
var methods = []string{fiber.MethodGet, fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodPatch,
	fiber.MethodDelete, fiber.MethodOptions}

// labels are a request's method and route as metrics and traces show them.
func labels(method, route string) (string, string) {
	if !slices.Contains(methods, method) {
		method = "other"
	}
	return method, strings.Replace(route, localePattern, "/:locale", 1)
}

// countRequest counts an answered request under its route's pattern.
func (h *Handler) countRequest(method, route string, status int, took time.Duration) {
	method, route = labels(method, route)
	h.Metrics.Request(method, route, status, took)
}
