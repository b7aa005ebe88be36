package handlers

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
)

// forward asks Resume Matcher and sends its answer.
func (h *Handler) forward(c *fiber.Ctx) error {
	request := gate.Request{Method: c.Method(), Path: routes.Path(c.Path()),
		Query: string(c.Context().URI().QueryString()), Header: requestHeader(c), Body: c.Request().Body()}
	if account := currentVisitor(c).account; account != nil {
		request.UserID, request.Tenant = account.ID, account.TenantID
	}
	answer, err := h.Gate.Serve(c.UserContext(), ruleOf(c), request)
	h.recordOutcome(c, answer, err)
	if err != nil {
		return err
	}
	embed(c, answer)
	for name, values := range answer.Header {
		c.Set(name, strings.Join(values, ", "))
	}
	if !cacheable(c) || answer.Status >= 400 || answer.Header.Get(fiber.HeaderCacheControl) == "" {
		c.Set(fiber.HeaderCacheControl, "private, no-store")
	}
	c.Status(answer.Status)
	length := bodySize(answer)
	c.Context().SetBodyStream(&renewing{ReadCloser: answer.Body, of: c.Context(), length: length}, length)
	return nil
}

// headerCharged is how many credits an action on a charged route took; 0 if it failed. The page's script shows that.
// Answers of other routes, those that a pass paid for, and refusals of ours lack it.
const headerCharged = "X-Credits-Charged"

// outcomeClosed is the outcome of requests while Resume Matcher is not to be used.
const outcomeClosed = "closed"

// recordOutcome counts a request to Resume Matcher, and tells the page what it took.
func (h *Handler) recordOutcome(c *fiber.Ctx, answer *gate.Response, err error) {
	outcome := outcomeOf(answer, err)
	h.Metrics.Gate(ruleOf(c).Name(), outcome)
	switch {
	case answer != nil && answer.Feature != "":
		c.Set(headerCharged, strconv.FormatInt(int64(answer.Charged), 10))
		c.Set("X-Credits-Feature", answer.Feature)
	case ruleOf(c).Kind == routes.Charged && (outcome == outcomeClosed || outcome == string(fault.Upstream)):
		c.Set(headerCharged, "0")
	}
}

// outcomeOf names what became of a request for the metrics.
func outcomeOf(answer *gate.Response, err error) string {
	f := fault.Of(err)
	switch {
	case f != nil && f.Code == fault.Unavailable && slices.Contains(closedProblems, f.Problem):
		return outcomeClosed
	case err != nil:
		return string(faultOf(err).Code)
	case answer.Charged > 0:
		return "charged"
	}
	return "uncharged"
}

// cacheable reports whether an answer is the same for everybody. Next.js allows shared caches to keep pages for a year.
func cacheable(c *fiber.Ctx) bool { return ruleOf(c).Kind == routes.Open && !isAPI(c) }

// bodySize is the length of the answer's body as fasthttp wants it.
func bodySize(answer *gate.Response) int {
	if answer.Length < 0 {
		return -1 // chunked
	}
	return int(answer.Length)
}

// renewing is a body that gives the browser writeTimeout for each piece instead of for the whole.
type renewing struct {
	io.ReadCloser
	of     *fasthttp.RequestCtx
	length int // bytes; -1 if unknown
}

// Read renews the deadline for the piece that it returns.
func (r *renewing) Read(piece []byte) (int, error) {
	n, err := r.ReadCloser.Read(piece)
	if e := r.of.SetWriteDeadline(time.Now().Add(writeTimeout)); e != nil && err == nil {
		err = e
	}
	return n, err
}

// pieceBytes is how much of a body is read at most before it is sent. fasthttp would read 4 KiB and write each piece
// twice, because it does not fit into its buffer with the length in front.
const pieceBytes = 16 << 10

// WriteTo sends the body, each piece as it arrives.
func (r *renewing) WriteTo(w io.Writer) (int64, error) {
	size := pieceBytes
	if r.length >= 0 {
		size = min(r.length+1, pieceBytes)
	}
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, size))
}

// SupportsBodyWriteTo lets fasthttp call WriteTo instead of Read.
func (r *renewing) SupportsBodyWriteTo() bool { return true }
