package handlers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/logging"
)

// answers is the one table from fault codes to HTTP: the status, and the code's name in the API.
var answers = map[fault.Code]struct {
	status int
	name   errorName
}{
	fault.Malformed:           {fiber.StatusBadRequest, "INVALID_REQUEST"},
	fault.Invalid:             {fiber.StatusUnprocessableEntity, "INVALID_REQUEST"},
	fault.SignatureInvalid:    {fiber.StatusBadRequest, "WEBHOOK_SIGNATURE_INVALID"},
	fault.Unauthenticated:     {fiber.StatusUnauthorized, "UNAUTHENTICATED"},
	fault.Forbidden:           {fiber.StatusForbidden, "FORBIDDEN"},
	fault.NotFound:            {fiber.StatusNotFound, "NOT_FOUND"},
	fault.MethodNotAllowed:    {fiber.StatusMethodNotAllowed, "INVALID_REQUEST"},
	fault.Conflict:            {fiber.StatusConflict, "IDEMPOTENCY_CONFLICT"},
	fault.HoldClosed:          {fiber.StatusConflict, "HOLD_NOT_OPEN"},
	fault.InsufficientCredits: {fiber.StatusPaymentRequired, "INSUFFICIENT_CREDITS"},
	fault.PayloadTooLarge:     {fiber.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE"},
	fault.RateLimited:         {fiber.StatusTooManyRequests, "RATE_LIMITED"},
	fault.Misdirected:         {fiber.StatusMisdirectedRequest, "INVALID_REQUEST"},
	fault.Internal:            {fiber.StatusInternalServerError, "INTERNAL"},
	fault.Unavailable:         {fiber.StatusServiceUnavailable, "UNAVAILABLE"},
	fault.Upstream:            {fiber.StatusBadGateway, "UPSTREAM_FAILED"},
}

// fiberCodes maps Fiber's own errors to fault codes. Their texts quote the raw request and are dropped.
var fiberCodes = map[int]fault.Code{
	fiber.StatusBadRequest:                  fault.Malformed,
	fiber.StatusNotFound:                    fault.NotFound,
	fiber.StatusMethodNotAllowed:            fault.MethodNotAllowed,
	fiber.StatusRequestEntityTooLarge:       fault.PayloadTooLarge,
	fiber.StatusRequestHeaderFieldsTooLarge: fault.PayloadTooLarge,
	fiber.StatusUnprocessableEntity:         fault.Malformed,
	fiber.StatusUpgradeRequired:             fault.Malformed,
	fiber.StatusRequestTimeout:              fault.Malformed,
	fiber.StatusServiceUnavailable:          fault.Unavailable,
}

// faultOf converts any error to a fault: Fiber's by their status, an unreachable database and an unknown outcome to
// Unavailable, everything else to Internal.
func faultOf(err error) *fault.Error {
	if postgres.OutcomeUnknown(err) {
		return fault.Caused(fault.Unavailable, fault.OutcomeUnknown, err)
	}
	if f := fault.Of(err); f != nil {
		return f
	}
	if own, ok := errors.AsType[*fiber.Error](err); ok {
		if code, ok := fiberCodes[own.Code]; ok {
			return fault.New(code, nil)
		}
		if own.Code < 500 {
			return fault.New(fault.Malformed, nil)
		}
	}
	if postgres.Away(err) {
		return fault.Wrap(fault.Unavailable, err)
	}
	return fault.Wrap(fault.Internal, err)
}

// handleError answers an error in the caller's language. It recovers from its own panics, which would end the
// process.
func (h *Handler) handleError(c *fiber.Ctx, err error) (failure error) {
	defer func() {
		if r := recover(); r != nil {
			h.logPanic(c, r)
			failure = c.Status(fiber.StatusInternalServerError).SendString(requestID(c))
		}
	}()
	return h.answerError(c, faultOf(err), err)
}

// closeIdle closes a connection that sent no request, without an answer. fasthttp would answer its read timeout, and
// a client that keeps connections open would take that for the answer to the request it is just sending.
func closeIdle(answer func(*fasthttp.RequestCtx, error)) func(*fasthttp.RequestCtx, error) {
	return func(c *fasthttp.RequestCtx, err error) {
		if network, ok := err.(net.Error); ok && network.Timeout() { //nolint:errorlint // a partial request wraps it and is answered
			_ = c.Conn().Close() // the peer sees the close
			return
		}
		answer(c, err)
	}
}

// logPanic logs a panic with its stack.
func (h *Handler) logPanic(c *fiber.Ctx, cause any) {
	h.Site.Log.ErrorContext(c.UserContext(), "panic", "route", routeOf(c), "type", fmt.Sprintf("%T", cause),
		"stack", string(debug.Stack()))
}

// answerBudget bounds the rendering of an error. It starts anew, because many errors come when requestBudget is spent.
const answerBudget = 5 * time.Second

// answerError sends an envelope to programs and a page to people.
func (h *Handler) answerError(c *fiber.Ctx, f *fault.Error, err error) error {
	answer := answers[f.Code]
	if requestID(c) == "" { // refused before any middleware ran
		c.SetUserContext(logging.WithRequestID(context.Background(), assignRequestID(c)))
		h.writeSecurityHeaders(c)
		defer h.logRequest(c, "", time.Now())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), answerBudget)
	defer cancel()
	c.SetUserContext(ctx)
	h.ensureLocale(c)
	h.Metrics.Refusal(string(f.Code))
	if h.Health.NoteFull != nil && postgres.DiskFull(err) {
		h.Health.NoteFull()
	}
	h.logRefusal(c, f, err)
	c.Status(answer.status)
	c.Set(fiber.HeaderCacheControl, "no-store")
	if wait := retryAfter(f); wait != "" {
		c.Set(fiber.HeaderRetryAfter, wait)
	}
	if f.Code == fault.Unauthenticated && h.byPerson(c) {
		return h.redirectToSignIn(c)
	}
	if h.inGate(c) {
		return h.answerGate(c, h.advise(c.UserContext(), f), answer.status)
	}
	if isAPI(c) {
		f = h.advise(c.UserContext(), f)
		if f.Code == fault.Unauthenticated {
			c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
		}
		return c.JSON(h.envelope(c.UserContext(), requestID(c), f))
	}
	return h.renderError(c, f, answer.status)
}

// retryAfter returns the seconds after which a retry makes sense; empty when it never does.
func retryAfter(f *fault.Error) string {
	if seconds, ok := f.Detail["retryAfter"]; ok {
		return fmt.Sprint(seconds)
	}
	if f.Code == fault.Unavailable {
		return "5"
	}
	return ""
}

// closedProblems are why Resume Matcher is closed. The gate logs when that changes.
var closedProblems = []fault.Problem{fault.UpstreamAway, fault.AddOnMissing, fault.AddOnRefuses}

// logRefusal logs one line for each failed request, and one for many that fail because a service is away. Our own
// failures carry the cause.
func (h *Handler) logRefusal(c *fiber.Ctx, f *fault.Error, err error) {
	ctx := c.UserContext()
	switch {
	case f.Code == fault.Internal:
		h.Site.Log.ErrorContext(ctx, "request failed", "route", routeOf(c), "code", f.Code, "err", err)
	case slices.Contains(closedProblems, f.Problem):
		if n := h.away.count("Resume Matcher "+string(f.Problem), time.Now()); n > 0 {
			h.Site.Log.WarnContext(ctx, "Resume Matcher failed", "problem", f.Problem, "err", err, "failed_requests", n)
		}
	case f.Code == fault.Upstream:
		h.Site.Log.WarnContext(ctx, "Resume Matcher failed", "problem", f.Problem, "err", err)
	case f.Problem == fault.OutcomeUnknown:
		h.Site.Log.ErrorContext(ctx, "outcome of a request unknown", "err", err, "user_id", currentUserID(c))
	case postgres.Unreachable(err):
		if h.outage.Add(1) == 1 { // the access log has the others, and logRecovery counts them
			h.Site.Log.ErrorContext(ctx, "database does not answer", "route", routeOf(c), "err", err)
		}
	case f.Code == fault.Unavailable && f.Problem != fault.Busy:
		kind := routeOf(c)
		if postgres.Away(err) { // too slow or overloaded: another failure than that of a service behind the route
			kind += " database"
		}
		if n := h.away.count(kind, time.Now()); n > 0 {
			h.Site.Log.ErrorContext(ctx, "service unavailable", "route", routeOf(c), "code", f.Code, "err", err,
				"failed_requests", n)
		}
	// the access log suffices, or webhook has logged the reason
	case f.Code == fault.NotFound || f.Code == fault.MethodNotAllowed || f.Code == fault.Unauthenticated ||
		f.Code == fault.SignatureInvalid:
	default:
		h.Site.Log.WarnContext(ctx, "request refused", "code", f.Code, "problem", f.Problem, "field", f.Field, "user_id",
			currentUserID(c))
	}
}

// message returns the text of a fault in the language of ctx.
func (h *Handler) message(ctx context.Context, f *fault.Error) string {
	key := "errors." + string(f.Code)
	if f.Problem != "" {
		key = "errors.problem." + string(f.Problem)
	}
	if _, placed := f.Detail["line"]; placed {
		key += "_at"
	}
	if seconds, ok := f.Detail["retryAfter"].(int); ok && f.Code == fault.RateLimited {
		return tooFast(ctx, seconds)
	}
	return locales.T(ctx, key, detail(f))
}

// tooFast says how long to wait: in seconds, or in minutes above one.
func tooFast(ctx context.Context, seconds int) string {
	unit, n := "seconds", seconds
	if seconds > 60 {
		unit, n = "minutes", (seconds+59)/60
	}
	return locales.N(ctx, "errors.too_fast."+unit, n)
}
