package handlers

import (
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// returnState adds to a return from Stripe where its page leads; nil without one.
func (h *Handler) returnState(c *fiber.Ctx, back *models.Return) *pages.ReturnState {
	if back == nil {
		return nil
	}
	state := &pages.ReturnState{Return: *back, Back: h.onward(back.Onward)}
	query := url.Values{"success": {"true"}, "session_id": {c.Query("session_id")}}
	switch back.Kind {
	case models.ReturnElsewhere:
		state.ReturnTo = localPath(c, "/billing?"+query.Encode())
	case models.ReturnProcessing:
		query.Set("poll", strconv.Itoa(pollCount(c)+1))
		state.PollURL = localPath(c, "/billing?"+query.Encode())
	}
	return state
}

// pollCount returns how many times the return page has polled so far.
func pollCount(c *fiber.Ctx) int { return int(max(parseDigits(c.Query("poll")), 0)) }
