package handlers

import (
	"log/slog"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
)

// probes are the routes that machines ask every few seconds. Their requests are logged at debug level.
var probes = []string{"/healthz", "/readyz", "/metrics"}

// routeOf is the pattern of the request's route, never its path; empty before routing.
func routeOf(c *fiber.Ctx) string {
	if rule := ruleOf(c); rule != nil {
		return rule.Template
	}
	if route := c.Route(); len(route.Handlers) > 0 {
		return route.Path
	}
	return "" // Fiber would give the path
}

// methodOf returns the method that was asked for.
func methodOf(c *fiber.Ctx) string {
	if c.Response().SkipBody { // preRoute serves HEAD as GET
		return fiber.MethodHead
	}
	return c.Method()
}

// logRequest writes the access log.
func (h *Handler) logRequest(c *fiber.Ctx, route string, began time.Time) {
	method := methodOf(c)
	who, id := "user_id", any(currentUserID(c))
	if key := currentVisitor(c).key; key != nil {
		who, id = "key_id", key.ID
	}
	status, took := c.Response().StatusCode(), time.Since(began)
	h.countRequest(method, route, status, took)
	level := slog.LevelInfo
	if slices.Contains(probes, route) {
		level = slog.LevelDebug
	}
	h.Site.Log.Log(c.UserContext(), level, "request", "method", method, "route", route, "status", status,
		"ms", took.Milliseconds(), who, id, "source", models.ActorOf(c.UserContext()).Source)
	if v := currentVisitor(c); status < 500 && (v.account != nil || v.key != nil) { // read from the database
		h.logRecovery(c)
	}
}

// logRecovery logs that the database answers again, with the number of requests that failed in the meantime.
func (h *Handler) logRecovery(c *fiber.Ctx) {
	if h.outage.Load() == 0 {
		return
	}
	if failed := h.outage.Swap(0); failed > 0 {
		h.Site.Log.InfoContext(c.UserContext(), "database answers again", "failed_requests", failed)
	}
}
