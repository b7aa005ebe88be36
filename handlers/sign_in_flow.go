package handlers

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
)

// A browser may be on its way to a provider in several tabs. Each way is a cookie of its own, so that no tab writes over
// another's; the oldest give way.
const (
	flowCookie   = "flow-"
	flowNameSize = 16      // characters of the state in a cookie's name
	maxFlows     = 5       // at once in one browser
	maxFlowBytes = 8 << 10 // of all their cookies: half of what a request's header may have
	maxCookie    = 4096    // bytes of a cookie's name and value that browsers keep
)

// flowCookieOf names the cookie of the flow with this state.
func (s *Sessions) flowCookieOf(state string) string {
	return s.prefix + flowCookie + state[:min(len(state), flowNameSize)]
}

// keepFlow seals a flow and stores it in a cookie. When the cookie would be too long, with or without a pending identity,
// keepFlow drops the page to return to.
func (h *Handler) keepFlow(c *fiber.Ctx, flow auth.Flow) error {
	name := h.Sessions.flowCookieOf(flow.State)
	sealed, err := h.Auth.Seal(flow)
	if err == nil && len(name)+len(sealed) > maxCookie {
		flow.ReturnTo = ""
		sealed, err = h.Auth.Seal(flow)
	}
	if err != nil {
		return err
	}
	h.dropFlows(c, len(sealed))
	h.Sessions.setCookie(c, name, sealed, int(auth.FlowLife.Seconds()))
	return nil
}

// dropFlows makes room for a flow of so many bytes: what cannot be opened goes, then the oldest.
func (h *Handler) dropFlows(c *fiber.Ctx, size int) {
	type kept struct {
		name string
		flow auth.Flow
		size int
	}
	var flows []kept
	for key, value := range c.Request().Header.Cookies() {
		name := string(key)
		if !strings.HasPrefix(name, h.Sessions.prefix+flowCookie) {
			continue
		}
		if flow, ok := h.Auth.OpenFlow(string(value)); ok {
			flows = append(flows, kept{name, flow, len(value)})
			size += len(value)
			continue
		}
		h.Sessions.setCookie(c, name, "", -1)
	}
	slices.SortFunc(flows, func(a, b kept) int { return a.flow.StartedAt.Compare(b.flow.StartedAt) })
	for len(flows) > 0 && (len(flows) >= maxFlows || size > maxFlowBytes) {
		h.Sessions.setCookie(c, flows[0].name, "", -1)
		size -= flows[0].size
		flows = flows[1:]
	}
}

// landedFlow is the flow of this browser that the provider's answer belongs to. Its cookie stays: it says where a browser
// that comes again wants to go.
func (h *Handler) landedFlow(c *fiber.Ctx) (auth.Flow, bool) {
	state := c.Query("state")
	if state == "" {
		return auth.Flow{}, false
	}
	flow, ok := h.Auth.OpenFlow(c.Cookies(h.Sessions.flowCookieOf(state)))
	if !ok || !sameText(flow.State, state) || flow.Provider != c.Params("provider") {
		return auth.Flow{}, false
	}
	if flow.Locale == "" {
		flow.Locale = h.preferredLocale(c)
	}
	return flow, true
}

// waitingFlow is the flow of this browser in which an identity waits to be added, where the address names one.
func (h *Handler) waitingFlow(c *fiber.Ctx) (auth.Flow, bool) {
	state := c.Query("join")
	flow, ok := h.Auth.OpenFlow(c.Cookies(h.Sessions.flowCookieOf(state)))
	if !ok || flow.Pending == nil || !sameText(flow.State, state) {
		return auth.Flow{}, false
	}
	return flow, true
}
