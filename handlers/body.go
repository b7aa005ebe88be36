package handlers

import (
	"errors"
	"io"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/fault"
)

// Limits of a request's body, in bytes.
const (
	formLimit  = 64 << 10 // forms, and the API's JSON
	eventLimit = 1 << 20  // Stripe's events
	drainLimit = 6 << 20  // read to the end before it is refused; beyond, the connection is cut
)

// readBody takes the body from the connection, at most limit bytes of it, and puts it where handlers find it. Nothing
// before it may touch the body: whatever asks for one that is still on the wire reads all of it into memory. What is
// too large is read to its end all the same, without keeping it: a client that is still sending when the connection
// closes never sees why.
func (h *Handler) readBody(limit int) fiber.Handler {
	return func(c *fiber.Ctx) error {
		stream := c.Context().RequestBodyStream()
		if stream == nil { // none came, or it has been read
			return c.Next()
		}
		announced := c.Request().Header.ContentLength()
		if announced > limit {
			return refuseBody(c, stream, announced, fault.New(fault.PayloadTooLarge, nil))
		}
		body, release, err := h.bodies.Read(stream, h.sender(c), limit)
		defer release()
		switch {
		case errors.Is(err, transport.ErrTooLarge):
			return refuseBody(c, stream, announced, fault.New(fault.PayloadTooLarge, nil))
		case errors.Is(err, transport.ErrBusy):
			return refuseBody(c, stream, announced, fault.Because(fault.Unavailable, fault.Busy))
		case err != nil || announced > len(body): // it broke off
			return refuseBody(c, stream, announced, fault.New(fault.Malformed, nil))
		}
		c.Request().SetBodyRaw(body)
		return c.Next()
	}
}

// refuseBody reads what is left of a body and drops it.
func refuseBody(c *fiber.Ctx, stream io.Reader, announced int, refusal error) error {
	if announced <= drainLimit {
		if _, err := io.CopyN(io.Discard, stream, drainLimit); errors.Is(err, io.EOF) {
			return refusal
		}
	}
	c.Context().SetConnectionClose()
	return refusal
}

// refuseEncoded refuses compressed bodies: a few bytes of them may stand for any number.
func refuseEncoded(c *fiber.Ctx) error {
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && encoding != "identity" {
		return fault.New(fault.Malformed, nil)
	}
	return c.Next()
}
