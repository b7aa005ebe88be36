package handlers

import (
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
