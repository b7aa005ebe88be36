package handlers

import (
	"context"
	"net/netip"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/tracing"
)

// startSpan starts the span of a request, unless it is a probe. It continues the trace of a trusted proxy: a stranger
// could otherwise have every request recorded, or join it to a trace of others.
func (h *Handler) startSpan(ctx context.Context, c *fiber.Ctx) (context.Context, tracing.Span) {
	if h.Tracing == nil || slices.Contains(probes, c.Path()) {
		return ctx, tracing.Span{}
	}
	ctx = h.Tracing.Into(ctx)
	if peer, _ := netip.AddrFromSlice(c.Context().RemoteIP()); h.Site.Proxies.Trust(peer) {
		ctx = tracing.Continue(ctx, c.Get("traceparent"), c.Get("tracestate"))
	}
	return tracing.Start(ctx, "request", tracing.Server)
}

// endSpan names the span of an answered request after its route.
func endSpan(c *fiber.Ctx, span tracing.Span) {
	if !span.On() {
		span.End(nil)
		return
	}
	status := c.Response().StatusCode()
	method, route := labels(methodOf(c), routeOf(c))
	span.Rename(method + " " + route)
	span.Set("http.request.method", method)
	span.Set("http.route", route)
	span.SetInt("http.response.status_code", status)
	span.Set("request_id", requestID(c))
	if status >= fiber.StatusInternalServerError {
		span.Fail()
	}
	span.End(nil)
}
