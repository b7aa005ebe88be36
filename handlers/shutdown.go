package handlers

import (
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// How long running requests may take to finish once the port is closed.
const (
	shutdownTimeout     = 12 * time.Second
	gateShutdownTimeout = 30 * time.Second // those to Resume Matcher, before the others' time begins
)

// Shutdown stops the server without failing a request. Until drained yields, it still answers, but /readyz is 503 and
// every answer closes its connection, so that proxies and clients move to other replicas. Then it closes the port and
// lets the running requests finish.
func (h *Handler) Shutdown(app *fiber.App, drained <-chan time.Time) error {
	h.draining.Store(true)
	h.Site.Log.Info("stopping")
	<-drained
	patience := shutdownTimeout
	if h.Gate != nil {
		patience += gateShutdownTimeout
		defer time.AfterFunc(gateShutdownTimeout, h.Gate.Stop).Stop()
	}
	if app.ShutdownWithTimeout(patience) != nil {
		return errors.New("some requests did not finish in time")
	}
	return nil
}

// closeWhileDraining tells the client of an answer to open another connection, which a proxy leads elsewhere.
func (h *Handler) closeWhileDraining(r *fasthttp.RequestCtx) {
	if h.draining.Load() {
		r.SetConnectionClose()
	}
}
