package handlers

import (
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/health"
)

// Health is how the server asks for its own state. The zero value reports no problem.
type Health struct {
	Check    func(context.Context) []health.Problem
	NoteFull func() // a write failed for want of disk space
}

// Problems tells of each problem that the check knows whether it is there.
func (h Health) Problems(ctx context.Context) map[string]bool {
	found, there := h.Check(ctx), map[string]bool{}
	for _, p := range health.Problems() {
		there[string(p)] = slices.Contains(found, p)
	}
	return there
}

// readiness is the answer of /readyz.
type readiness struct {
	Status   string           `json:"status"` // ok; degraded, for a person; unavailable, for load balancers
	Problems []health.Problem `json:"problems"`
}

// showAlive is GET /healthz: the process answers.
func showAlive(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }

// showReady is GET /readyz: 200 while the server should get requests, and the problems.
func (h *Handler) showReady(c *fiber.Ctx) error {
	answer := readiness{Status: "ok", Problems: []health.Problem{}}
	if h.draining.Load() {
		answer.Problems = append(answer.Problems, health.Draining)
	}
	if h.Health.Check != nil {
		answer.Problems = append(answer.Problems, h.Health.Check(c.UserContext())...)
	}
	switch {
	case slices.ContainsFunc(answer.Problems, health.Problem.Fatal):
		answer.Status = "unavailable"
		c.Status(fiber.StatusServiceUnavailable)
	case len(answer.Problems) > 0:
		answer.Status = "degraded"
	}
	return c.JSON(answer)
}
