package handlers

import (
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/pages"
)

// returnState returns the state of the purchase that Stripe sends the buyer back from; nil without one.
func (h *Handler) returnState(c *fiber.Ctx, userID int64) (*pages.ReturnState, error) {
	session, poll := c.Query("session_id"), pollCount(c)
	var back *models.Return
	var err error
	switch {
	case c.Query("canceled") == "true":
		back, err = h.Purchase.Canceled(c.UserContext(), userID)
	case c.Query("success") == "true" && session != "":
		back, err = h.Purchase.Returned(c.UserContext(), userID, session, poll)
	}
	if err != nil || back == nil {
		return nil, err
	}
	state, query := &pages.ReturnState{Return: *back}, url.Values{"success": {"true"}, "session_id": {session}}
	switch back.Kind {
	case models.ReturnElsewhere:
		state.ReturnTo = localPath(c, "/billing?"+query.Encode())
	case models.ReturnProcessing:
		query.Set("poll", strconv.Itoa(poll+1))
		state.PollURL = localPath(c, "/billing?"+query.Encode())
	}
	return state, nil
}

// pollCount returns how many times the return page has polled so far.
func pollCount(c *fiber.Ctx) int { return int(max(parseDigits(c.Query("poll")), 0)) }
