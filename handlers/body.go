package handlers

import (
	"errors"
	"io"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/fault"
)

// Limits of a request body, in bytes.
const (
	formLimit  = 64 << 10 // forms, and the API's JSON
	eventLimit = 1 << 20  // Stripe's events
	drainLimit = 6 << 20  // read to the end before the refusal; a longer body's connection is closed
)

// readBody reads the body from the connection, at most limit bytes, and hands it to the handlers. No code before it
// may touch the body: Fiber would read a streamed one into memory whole. An oversized body is drained without being
// kept, because a client that is still sending when the connection closes never sees the answer.
func (h *Handler) readBody(limit int) fiber.Handler {
	return func(c *fiber.Ctx) error { return h.readBodyInto(c, h.bodies, limit) }
}

// readBodyInto reads the body into a budget, and hands it to the next handler.
func (h *Handler) readBodyInto(c *fiber.Ctx, budget *transport.Budget, limit int) error {
	stream := c.Context().RequestBodyStream()
	if stream == nil { // absent, or read already
		return c.Next()
	}
	announced := c.Request().Header.ContentLength()
	if announced > limit {
		return refuseBody(c, stream, announced, fault.New(fault.PayloadTooLarge, nil))
	}
	if announced >= 0 {
		limit = announced // so that the last buffer is no larger than the body
	}
	body, release, err := budget.Read(stream, h.sender(c), currentUserID(c), limit)
	defer release()
	switch {
	case errors.Is(err, transport.ErrTooLarge):
		return refuseBody(c, stream, announced, fault.New(fault.PayloadTooLarge, nil))
	case errors.Is(err, transport.ErrBusy):
		return refuseBody(c, stream, announced, fault.Because(fault.Unavailable, fault.Busy))
	case err != nil || announced > len(body): // incomplete
		return refuseBody(c, stream, announced, fault.New(fault.Malformed, nil))
	}
	c.Request().SetBodyRaw(body)
	return c.Next()
}

// refuseBody drains the rest of a body.
func refuseBody(c *fiber.Ctx, stream io.Reader, announced int, refusal error) error {
	if announced <= drainLimit {
		if _, err := io.CopyN(io.Discard, stream, drainLimit); errors.Is(err, io.EOF) {
			return refusal
		}
	}
	c.Context().SetConnectionClose()
	return refusal
}

// refuseEncoded refuses compressed bodies: few bytes of them may expand to any number.
func refuseEncoded(c *fiber.Ctx) error {
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && encoding != "identity" {
		return fault.New(fault.Malformed, nil)
	}
	return c.Next()
}
