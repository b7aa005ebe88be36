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

// What one network, and all together, may have of us at once.
const (
	networkSlots = 512      // connections, or a quarter of all where that is less
	networkBytes = 4 << 20  // of bodies under way, of an IPv6 /48 network together
	totalBytes   = 32 << 20 // of bodies under way
)

// Listen puts a limit of connections before the server's listener. Those for which there is no room are answered as
// every other request that cannot be served now.
func (h *Handler) Listen(app *fiber.App, l net.Listener) net.Listener {
	total := transport.Room(maxConnections())
	return transport.Slots{
		Total: total, PerNetwork: max(min(networkSlots, total/4), 1), Proxies: h.Site.Proxies,
		Refuse: h.refuseConnection(app),
	}.Listen(l)
}

// refuseConnection answers a connection before it has asked anything.
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

// front is what stands before the router: it turns away what must not reach it, and serves HEAD as GET without the
// body, so that each page and call answers both alike.
func (h *Handler) front(app *fiber.App) fasthttp.RequestHandler {
	route := app.Server().Handler
	return func(r *fasthttp.RequestCtx) {
		if err := h.screen(app, r); err != nil {
			h.answerUnrouted(app, r, err)
			return
		}
		if r.IsHead() {
			r.Request.Header.SetMethod(fiber.MethodGet)
			r.Response.SkipBody = true
		}
		route(r)
	}
}

// screen refuses what can be read in more than one way, what has a method that nobody knows and, in the sandbox, what
// was meant for another host: a page elsewhere whose name leads to this machine must not find it.
func (h *Handler) screen(app *fiber.App, r *fasthttp.RequestCtx) error {
	switch {
	case !transport.WellFormed(r.Request.Header.Protocol(), r.Request.Header.RawHeaders()):
		return fault.New(fault.Malformed, nil)
	case !slices.Contains(app.Config().RequestMethods, string(r.Method())):
		return fault.New(fault.MethodNotAllowed, nil)
	case h.Site.Sandbox && !h.ownHost(string(r.Host())):
		return fault.New(fault.Misdirected, nil)
	}
	return nil
}

// answerUnrouted answers what never comes to the router, and ends the connection: where its next request begins is not
// certain.
func (h *Handler) answerUnrouted(app *fiber.App, r *fasthttp.RequestCtx, err error) {
	c := app.AcquireCtx(r)
	defer app.ReleaseCtx(c)
	_ = h.handleError(c, err) // its failure has been answered
	r.SetConnectionClose()
}

// ownHost reports whether the sandbox is called so: as APP_URL has it, or this machine.
func (h *Handler) ownHost(host string) bool {
	u := url.URL{Host: host}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if own, err := url.Parse(h.Site.AppURL); err == nil && name == own.Hostname() {
		return true
	}
	address, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && address.IsLoopback()
}
