package handlers

import (
	"encoding/hex"
	"net/netip"

	"github.com/gofiber/fiber/v2"
)

// sender returns the client's address, also behind trusted proxies. Everything that counts by address uses it; c.IP()
// returns the peer.
func (h *Handler) sender(c *fiber.Ctx) netip.Addr {
	peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	var forwarded []string
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		forwarded = append(forwarded, string(line))
	}
	return h.Site.Proxies.Sender(peer, forwarded)
}

// source returns a keyed hash of the sender's address for the logs: stable while the session secret is, and not
// reversible without it.
func (h *Handler) source(c *fiber.Ctx) string {
	const bytes = 8
	if h.Sessions == nil { // no secret to hash with
		return ""
	}
	return hex.EncodeToString(h.Sessions.secrets.Sum("source " + h.sender(c).String())[:bytes])
}
