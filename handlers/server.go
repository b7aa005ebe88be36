package handlers

import (
	"bufio"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/handlers/transport"
	"github.com/resume-matcher/credits/services/fault"
)

// Limits per network, and in total.
const (
	networkSlots = 512      // connections, at most a quarter of all
	networkBytes = 4 << 20  // of bodies in flight, per IPv6 /48 network
	totalBytes   = 32 << 20 // of bodies in flight
)

// Listen limits the connections of a listener. Connections beyond the limit get the same error as every unavailable
// request.
func (h *Handler) Listen(app *fiber.App, l net.Listener) net.Listener {
	total := transport.Room(maxConnections())
	if h.Gate != nil {
		total /= 2 // each of them may need one to Resume Matcher
	}
	return transport.Slots{
		Total: total, PerNetwork: max(min(networkSlots, total/4), 1), Proxies: h.Site.Proxies,
		Refuse: h.refuseConnection(app),
	}.Listen(l)
}

// refuseConnection answers a connection before it has sent a request.
func (h *Handler) refuseConnection(app *fiber.App) func(net.Conn) {
	return func(c net.Conn) {
		var r fasthttp.RequestCtx
		r.Init2(c, nil, false)
		h.answerUnrouted(app, &r, fault.Because(fault.Unavailable, fault.Busy))
		w := bufio.NewWriter(c)
		if r.Response.Write(w) == nil {
			_ = w.Flush() // the peer may have gone
		}
	}
}

// preRoute runs before the routers: it refuses ambiguous requests, serves HEAD as GET without a body, and leads what
// belongs to Resume Matcher to the gate, if there is one.
func (h *Handler) preRoute(app *fiber.App, theirs, side fasthttp.RequestHandler) fasthttp.RequestHandler {
	own := app.Server().Handler
	return func(r *fasthttp.RequestCtx) {
		defer h.closeWhileDraining(r)
		if err := h.checkRequest(app, r); err != nil {
			h.answerUnrouted(app, r, err)
			return
		}
		if r.IsHead() {
			r.Request.Header.SetMethod(fiber.MethodGet)
			r.Response.SkipBody = true
		}
		switch host := string(r.Request.Header.Host()); {
		case h.forGate(host, string(r.Path())):
			theirs(r)
		case h.Site.atGate(host):
			side(r)
		default:
			own(r)
		}
	}
}

// checkRequest refuses ambiguous requests, unknown methods, other spellings of the gate's host and, beside the sign-in
// stand-in, foreign hosts, which defeats DNS rebinding by another site's page.
func (h *Handler) checkRequest(app *fiber.App, r *fasthttp.RequestCtx) error {
	switch {
	case !transport.WellFormed(r.Request.Header.Protocol(), r.Request.Header.RawHeaders()):
		return fault.New(fault.Malformed, nil)
	case !slices.Contains(app.Config().RequestMethods, string(r.Method())):
		return fault.New(fault.MethodNotAllowed, nil)
	case h.Site.ThisMachine && !h.ownHost(string(r.Host())), h.Site.almostGate(string(r.Request.Header.Host())):
		return fault.New(fault.Misdirected, nil)
	case h.Gate != nil:
		return canonicalPath(r)
	}
	return nil
}

// answerUnrouted answers a request that never reaches the router, and closes the connection, because the start of its
// next request is uncertain.
func (h *Handler) answerUnrouted(app *fiber.App, r *fasthttp.RequestCtx, err error) {
	c := app.AcquireCtx(r)
	defer app.ReleaseCtx(c)
	_ = h.handleError(c, err) // handleError has answered
	r.SetConnectionClose()
}

// ownHost reports whether the sandbox serves this host: the host of APP_URL, or this machine.
func (h *Handler) ownHost(host string) bool {
	u := url.URL{Host: host}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if own, err := url.Parse(h.Site.AppURL); err == nil && name == own.Hostname() {
		return true
	}
	address, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && address.IsLoopback()
}
