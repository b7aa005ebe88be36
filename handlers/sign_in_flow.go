package handlers

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/auth"
)

// A browser may run several sign-in flows in tabs. Each flow has its own cookie; the oldest are evicted.
const (
	flowCookie   = "flow-"
	flowNameSize = 16      // characters of the state in a cookie's name
	maxFlows     = 5       // at once in one browser
	maxFlowBytes = 8 << 10 // of all flow cookies: half of headerLimit
	maxCookie    = 4096    // bytes of name and value that browsers store
)

// flowCookieOf names the cookie of the flow with this state.
func (s *Sessions) flowCookieOf(state string) string {
	return s.cookieName(flowCookie + state[:min(len(state), flowNameSize)])
}

// storeFlow seals a flow into a cookie. It drops the page to return to when the cookie would be too long.
func (h *Handler) storeFlow(c *fiber.Ctx, flow auth.Flow) error {
	name := h.Sessions.flowCookieOf(flow.State)
	sealed, err := h.Auth.Seal(flow)
	if err == nil && len(name)+len(sealed) > maxCookie {
		flow.ReturnTo = ""
		sealed, err = h.Auth.Seal(flow)
	}
	if err != nil {
		return err
	}
	h.evictFlows(c, len(sealed))
	h.Sessions.setCookie(c, name, sealed, int(auth.FlowLife.Seconds()))
	return nil
}

// evictFlows makes room for a flow of size bytes: unreadable cookies go first, then the oldest.
func (h *Handler) evictFlows(c *fiber.Ctx, size int) {
	type kept struct {
		name string
		flow auth.Flow
		size int
	}
	var flows []kept
	for key, value := range c.Request().Header.Cookies() {
		name := string(key)
		if !strings.HasPrefix(name, h.Sessions.cookieName(flowCookie)) {
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

// callbackFlow returns the flow that a provider's callback belongs to. Its cookie stays, because a repeated callback
// needs its page to return to.
func (h *Handler) callbackFlow(c *fiber.Ctx) (auth.Flow, bool) {
	state := c.Query("state")
	if state == "" {
		return auth.Flow{}, false
	}
	flow, ok := h.Auth.OpenFlow(c.Cookies(h.Sessions.flowCookieOf(state)))
	if !ok || !equalSecret(flow.State, state) || flow.Provider != c.Params("provider") {
		return auth.Flow{}, false
	}
	if flow.Locale == "" {
		flow.Locale = h.preferredLocale(c)
	}
	return flow, true
}

// joinFlow returns the flow whose identity waits to be joined, named by the query string.
func (h *Handler) joinFlow(c *fiber.Ctx) (auth.Flow, bool) {
	state := c.Query("join")
	flow, ok := h.Auth.OpenFlow(c.Cookies(h.Sessions.flowCookieOf(state)))
	if !ok || flow.Pending == nil || !equalSecret(flow.State, state) {
		return auth.Flow{}, false
	}
	return flow, true
}
