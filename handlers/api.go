package handlers

import (
	"context"
	"encoding/json"
	"io"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
)

// localCall is where an operation finds the request it answers: huma hands a context on, and its adapter keeps
// Fiber's locals in it.
const localCall = "call"

// localRefusal is where an operation leaves the error that it ends with.
const localRefusal = "refusal"

// api is the JSON API while it is put together.
type api struct {
	huma.API
	h *Handler
}

// mountAPI puts every call of the API on the server, except Stripe's. It returns the document that describes them.
//
// huma routes, validates and documents. What goes wrong, it would answer by itself, through huma.NewError, which is one
// variable for the whole process. We let none of its answers out instead: whatever an operation or huma's validation
// refuses is left in the request's locals, and answerRefusal hands it to the server's one way of answering errors. So
// an API error has one shape, one language and one line in the log, wherever it comes from, and two servers in one
// process do not share a hook.
func (h *Handler) mountAPI(app *fiber.App) *huma.OpenAPI {
	a := &api{h: h}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[envelope]())
	format := huma.Format{Marshal: writeJSON, Unmarshal: parseJSON}
	a.API = humafiber.New(app, huma.Config{
		OpenAPI:       h.describeAPI(registry),
		Formats:       map[string]huma.Format{fiber.MIMEApplicationJSON: format, "json": format}, // the latter is what huma reads problem+json as
		DefaultFormat: fiber.MIMEApplicationJSON,
		Transformers:  []huma.Transformer{keepRefusal},
	})
	a.addCheckout()
	a.addCredits()
	a.addHolds()
	a.finishDocument()
	for path, item := range a.OpenAPI().Paths {
		app.All(fiberPath(path), refuseMethod(allowed(item)))
	}
	return a.OpenAPI()
}

// fiberPath is a documented path in the words of the router.
func fiberPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// allowed lists the methods of a path, for the Allow header.
func allowed(item *huma.PathItem) string {
	var methods []string
	for method, op := range map[string]*huma.Operation{fiber.MethodGet: item.Get, fiber.MethodPost: item.Post} {
		if op != nil {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

func refuseMethod(allow string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAllow, allow)
		return methodNotAllowed(c)
	}
}

// register adds one operation: who may call it, how it is described, and what it does.
func register[I, O any](a *api, op huma.Operation, who access, samples []sample, do func(*fiber.Ctx, *I) (*O, error)) {
	rules := &inputRules{}
	op.Middlewares = append(op.Middlewares, a.h.guard(who, rules))
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1 // readBody and the server's own timeouts have seen to it
	who.describe(&op)
	op.Errors = errorStatuses(&op, who)
	huma.Register(a.API, op, func(ctx context.Context, in *I) (*O, error) {
		c := ctx.Value(localCall).(*fiber.Ctx)
		err := a.h.limitSession(c, who)
		if err == nil {
			var out *O
			if out, err = do(c, in); err == nil {
				return out, nil
			}
		}
		c.Locals(localRefusal, err)
		return nil, nil
	})
	documented := operationOf(a.OpenAPI(), op.Method, op.Path)
	rules.read(a.OpenAPI().Components.Schemas, documented)
	a.h.document(documented, samples)
}

// operationOf is an operation as it stands in the document.
func operationOf(doc *huma.OpenAPI, method, path string) *huma.Operation {
	if method == fiber.MethodGet {
		return doc.Paths[path].Get
	}
	return doc.Paths[path].Post
}

// answerRefusal returns what an operation left behind, so that it is answered as every other error is.
func answerRefusal(c *fiber.Ctx) error {
	c.Locals(localCall, c)
	if err := c.Next(); err != nil {
		return err
	}
	if err, ok := c.Locals(localRefusal).(error); ok {
		return err
	}
	return nil
}

// keepRefusal takes huma's own errors, before they are written, for ours.
func keepRefusal(ctx huma.Context, _ string, v any) (any, error) {
	refused, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	humafiber.Unwrap(ctx).Locals(localRefusal, faultOfModel(refused))
	return nil, nil
}

// writeJSON writes an answer: compact, with the fields in the order of their type, so that the same answer is the same
// bytes.
func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
