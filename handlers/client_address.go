package handlers

import (
	"encoding/hex"
	"net/netip"

	"github.com/gofiber/fiber/v2"
)

// sender is the address of whoever sends a request, also behind the proxies that the operator trusts. Everything that
// counts by address asks here; c.IP() is the peer.
func (h *Handler) sender(c *fiber.Ctx) netip.Addr {
	peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	var forwarded []string
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		forwarded = append(forwarded, string(line))
	}
	return h.Site.Proxies.Sender(peer, forwarded)
}

// source is what the access log and the audit log say of the sender: the same text for the same address for as long as
// the session secret is the same, and nothing that leads back to the address without it.
func (h *Handler) source(c *fiber.Ctx) string {
	const bytes = 8
	if h.Sessions == nil { // no secret to hash with
		return ""
	}
	return hex.EncodeToString(h.Sessions.secrets.Sum("source " + h.sender(c).String())[:bytes])
}
