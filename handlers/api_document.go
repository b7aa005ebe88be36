package handlers

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// The document's groups of calls.
const (
	tagCredits = "Credits"
	tagHolds   = "Holds"
	tagBuying  = "Buying"
	tagPrices  = "Prices"
)

const problemJSON = "application/problem+json"

// apiVersion changes when callers have to change.
const apiVersion = "1.0.0"

const apiIntroduction = `Read balances, spend credits, and reserve them for work that may fail.

**Authentication.** A program sends a service key, ` + "`Authorization: Bearer rmc_…`" + `, and names the user in each call:
` + "`userId` or `email`" + `, exactly one of them. Our own pages send the session's cookie and act for the signed-in user. With a key, cookies are ignored.

**Any call can be repeated safely.** An ` + "`Idempotency-Key`" + ` belongs to the caller that sent it and never expires. The same key with the same
request returns the first answer, byte for byte, with ` + "`Idempotent-Replayed: true`" + `; with a different request it is a conflict. Refusals are not stored.

**Work that may fail.** Hold the credits, do the work, then capture them. If you release them or let the hold expire, nothing is deducted.

**Errors** have one shape. ` + "`error.code`" + ` is for programs, ` + "`error.message`" + ` for people, in the language of ` + "`Accept-Language`" + ` (de, en) or of the
signed-in user. ` + "`request_id`" + `, also in the header ` + "`X-Request-ID`" + `, finds the request in our log. After 429 and 503, and after a 409 with this header, wait for
` + "`Retry-After`" + ` seconds and send the same request again.

**Strict input.** Whatever is not documented is refused: unknown fields, a field sent twice, a number written as text or with a fraction.

**The examples** are run by our tests. They are about user 42, ada@example.com; the keys, holds and sessions in them are not real.`

// describeAPI returns the head of the document; operations add themselves.
func (h *Handler) describeAPI(registry huma.Registry) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "Resume Matcher Credits", Version: apiVersion, Description: apiIntroduction},
		Servers: []*huma.Server{{URL: h.Site.AppURL}},
		Tags: []*huma.Tag{
			{Name: tagCredits, Description: "A user's balance and transactions."},
			{Name: tagHolds, Description: "Credits reserved while work is in progress."},
			{Name: tagBuying, Description: "Buying more credits."},
			{Name: tagPrices, Description: "What features and packages cost, for your own buttons. No key required."},
		},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				schemeKey: {Type: "http", Scheme: "bearer",
					Description: "A service key, created by an administrator and shown once. Its scope `read` allows " +
						"reading balances, transactions and holds; `spend` allows everything."},
				schemeSession: {Type: "apiKey", In: "cookie", Name: h.Sessions.cookie(),
					Description: "The cookie of a signed-in browser, sent by pages of our own origin only."},
			},
		},
	}
}

// finishDocument adds what every operation has.
func (a *api) finishDocument() {
	for _, item := range a.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op == nil {
				continue
			}
			for status, response := range op.Responses {
				if response.Headers == nil {
					response.Headers = map[string]*huma.Param{}
				}
				response.Headers[fiber.HeaderXRequestID] = headerOf(huma.TypeString, "Finds the request in our log.")
				switch status {
				case "409", "429", "503":
					response.Headers[fiber.HeaderRetryAfter] = headerOf(huma.TypeInteger,
						"Seconds after which the same request may be sent again.")
				}
			}
		}
	}
}

func headerOf(kind, description string) *huma.Param {
	return &huma.Param{Description: description, Schema: &huma.Schema{Type: kind}}
}

// errorStatuses lists the error statuses of an operation.
func errorStatuses(op *huma.Operation, who access) []int {
	statuses := []int{400, 401, 403, 422, 429, 500, 503}
	if who.public {
		statuses = []int{401, 422, 429, 500, 503} // 401 and 429 for a key that is wrong
	}
	if who.scope != "" {
		statuses = append(statuses, 404)
	}
	if op.Method == fiber.MethodPost {
		statuses = append(statuses, 409, 413)
	}
	if len(op.Errors) > 0 {
		statuses = append(statuses, op.Errors...)
	}
	slices.Sort(statuses)
	return slices.Compact(statuses)
}

// meanings describes the statuses.
var meanings = map[int]string{
	400: "The request cannot be read: no JSON, a field twice, an unfit Idempotency-Key.",
	401: "No session and no valid service key.",
	402: "The user has too few credits. Nothing was taken.",
	403: "The caller may not make this call.",
	404: "There is no such user (USER_NOT_FOUND) or hold (NOT_FOUND), or it is not the caller's.",
	409: "The Idempotency-Key was used for another request, or the first one with it is still running (then REQUEST_IN_PROGRESS, with Retry-After), or the hold is no longer open.",
	413: "The body is larger than any request.",
	422: "A value is wrong; error.detail names the field.",
	429: "Too many requests.",
	500: "Our fault. Nothing was taken unless a repeat with the same Idempotency-Key says so.",
	503: "Not possible right now, for instance because the database is away.",
}

// sample is one example of a call. Request, parameters and answer share its name in the document; tests send the
// request and compare the answer.
type sample struct {
	name    string
	summary string
	caller  string         // schemeKey or schemeSession; empty for an answer without a request
	params  map[string]any // by the parameter's name
	body    any
	status  int
	answer  any // nil: refusal is the answer
	refusal *fault.Error
}

// document writes an operation's examples into it, plus one for each error status without an example.
func (h *Handler) document(op *huma.Operation, samples []sample) {
	for _, response := range op.Responses {
		if model, ok := response.Content[problemJSON]; ok { // huma's own error format
			response.Content = map[string]*huma.MediaType{fiber.MIMEApplicationJSON: model}
		}
	}
	shown := map[int]bool{}
	for _, s := range append(slices.Clone(samples), commonRefusals...) {
		status := s.status
		if s.refusal != nil {
			status = answers[s.refusal.Code].status
			s.answer = h.sampleEnvelope(s.refusal)
		}
		response := op.Responses[strconv.Itoa(status)]
		if response == nil || s.caller == "" && shown[status] {
			continue
		}
		shown[status] = true
		if meaning, ok := meanings[status]; ok {
			response.Description = meaning
		}
		for _, p := range op.Parameters {
			if value, ok := s.params[p.Name]; ok {
				p.Examples = withExample(p.Examples, s.name, &huma.Example{Value: value})
			}
		}
		if s.body != nil {
			media := op.RequestBody.Content[fiber.MIMEApplicationJSON]
			media.Examples = withExample(media.Examples, s.name, &huma.Example{Summary: s.summary, Value: s.body})
		}
		media := response.Content[fiber.MIMEApplicationJSON]
		example := &huma.Example{Summary: s.summary, Value: s.answer}
		if s.caller != "" {
			example.Extensions = map[string]any{"x-caller": s.caller}
		}
		media.Examples = withExample(media.Examples, s.name, example)
	}
}

func withExample(examples map[string]*huma.Example, name string, e *huma.Example) map[string]*huma.Example {
	examples = maps.Clone(examples)
	if examples == nil {
		examples = map[string]*huma.Example{}
	}
	examples[name] = e
	return examples
}

// sampleEnvelope returns a refusal's answer in English.
func (h *Handler) sampleEnvelope(f *fault.Error) envelope {
	ctx, _ := h.Site.Texts.Context(context.Background(), "en")
	if f.Code == fault.InsufficientCredits {
		smallest := models.Offer{Price: models.Price{CreditsPerUnit: 100}}
		f = f.With("purchaseUrl", h.purchaseURL(ctx, &models.Cover{Offer: smallest, Quantity: 1}, ""))
	}
	return h.envelope(ctx, "req_0190f3a1b2c3d4e5f6071829", f)
}

// commonRefusals are examples of refusals that any call may return.
var commonRefusals = []sample{
	{name: "unreadable", summary: "No JSON", refusal: unreadable([]byte(`{"feature": }`))},
	{name: "unknown_caller", summary: "No session and no valid key",
		refusal: fault.Because(fault.Unauthenticated, fault.CallerUnknown)},
	{name: "expired_key", summary: "The key has expired", refusal: fault.Because(fault.Unauthenticated, fault.KeyExpired)},
	{name: "not_allowed", summary: "The key lacks the scope", refusal: fault.Because(fault.Forbidden, fault.ScopeMissing)},
	{name: "unknown", summary: "No such hold", refusal: fault.New(fault.NotFound, nil)},
	{name: "used_otherwise", summary: "The key was used for another request",
		refusal: fault.Because(fault.Conflict, fault.KeyUsedOtherwise)},
	{name: "too_large", summary: "More than 64 KiB", refusal: fault.New(fault.PayloadTooLarge, nil)},
	{name: "unknown_field", summary: "A field that is not documented",
		refusal: named(fault.Invalid, fault.FieldUnknown, "amount")},
	{name: "too_fast", summary: "Too many requests", refusal: fault.New(fault.RateLimited,
		map[string]any{"retryAfter": 7})},
	{name: "our_fault", summary: "Our fault", refusal: fault.New(fault.Internal, nil)},
	{name: "away", summary: "Not possible right now", refusal: fault.New(fault.Unavailable, nil)},
}

// documentJSON encodes the document.
func documentJSON(doc *huma.OpenAPI) []byte {
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err) // constant: this fails at every start or never
	}
	return text
}

// sendDocument is GET /api/openapi.json.
func sendDocument(c *fiber.Ctx, document []byte) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(document)
}
