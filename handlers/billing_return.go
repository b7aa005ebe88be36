package handlers

import (
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// returnState returns the state of the purchase that the buyer returns from. The query string proves nothing: credits
// come from Stripe's event, or from Stripe's answer about the session while the event is late.
func (h *Handler) returnState(c *fiber.Ctx, userID int64) (*pages.ReturnState, error) {
	if c.Query("canceled") == "true" {
		latest, _, err := h.Purchase.OfUser(c.UserContext(), userID, uuid.Nil, 1)
		if err != nil {
			return nil, err
		}
		state := &pages.ReturnState{Kind: pages.ReturnCanceled}
		if len(latest) == 1 {
			state.PayURL = h.Purchase.PayURL(latest[0])
		}
		return state, nil
	}
	if c.Query("success") != "true" {
		return nil, nil
	}
	session := c.Query("session_id")
	if session == "" {
		return nil, nil
	}
	p, err := h.Purchase.BySession(c.UserContext(), userID, session)
	if f := fault.Of(err); f != nil && f.Problem == fault.OtherAccount {
		query := url.Values{"success": {"true"}, "session_id": {session}}
		return &pages.ReturnState{Kind: pages.ReturnElsewhere, ReturnTo: localPath(c, "/billing?"+query.Encode())}, nil
	}
	if err != nil {
		return nil, err
	}
	attempt := pollCount(c)
	if p.Status == models.PurchasePending && refreshDue(attempt) { // the event is late or lost
		h.Purchase.RefreshSession(c.UserContext(), session)
		if p, err = h.Purchase.BySession(c.UserContext(), userID, session); err != nil {
			return nil, err
		}
	}
	state := &pages.ReturnState{Purchase: p}
	switch {
	case p.CreditsGranted > 0 && p.CreditsRefunded+p.CreditsDisputed == p.CreditsGranted: // an old address: everything was refunded
		return nil, nil
	case p.Status == models.PurchaseReturned: // nothing was booked; the purchase's page says so
		return nil, nil
	case p.CreditsGranted > 0:
		state.Kind = pages.ReturnBooked
	case p.Status == models.PurchaseFailed || p.Status == models.PurchaseExpired || p.Status.Unbooked():
		state.Kind = pages.ReturnFailed
	case p.Status == models.PurchaseAwaitingPayment || attempt >= maxPolls:
		state.Kind = pages.ReturnWaiting
	default:
		state.Kind = pages.ReturnProcessing
		query := url.Values{"success": {"true"}, "session_id": {session}, "poll": {strconv.Itoa(attempt + 1)}}
		state.PollURL = localPath(c, "/billing?"+query.Encode())
	}
	return state, nil
}

// pollCount returns how many times the return page has polled so far.
func pollCount(c *fiber.Ctx) int { return int(max(parseDigits(c.Query("poll")), 0)) }

// refreshDue reports whether this poll asks Stripe.
func refreshDue(poll int) bool { return poll%refreshEvery == 1 }
