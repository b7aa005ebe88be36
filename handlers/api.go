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

// localCall names the request's apiCall among Fiber's locals, which huma's adapter passes on in the context.
const localCall = "call"

// apiCall is the state of one API request outside huma.
type apiCall struct {
	c     *fiber.Ctx
	rules *inputRules // set once the route is known
	err   error       // answered by handleError once huma has returned
}

// api is the JSON API under construction.
type api struct {
	huma.API
	h *Handler
}

// call describes an API call: its documentation, who may make it, and its examples.
type call struct {
	huma.Operation
	access  access
	samples []sample
}

// mountAPI registers every API call except Stripe's webhook and returns the OpenAPI document.
//
// huma routes, validates and documents. Its own errors would be shaped by huma.NewError, a variable of the whole
// process. Instead every error, huma's included, is stored in the request's apiCall and answered by handleError, so
// that API errors have one shape, one language and one log line.
func (h *Handler) mountAPI(app *fiber.App) *huma.OpenAPI {
	a := &api{h: h}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[envelope]())
	format := huma.Format{Marshal: writeJSON, Unmarshal: parseJSON}
	a.API = humafiber.New(app, huma.Config{
		OpenAPI: h.describeAPI(registry),
		// huma reads problem+json as "json"
		Formats:       map[string]huma.Format{fiber.MIMEApplicationJSON: format, "json": format},
		DefaultFormat: fiber.MIMEApplicationJSON,
		Transformers:  []huma.Transformer{captureError},
	})
	a.registerCalls()
	a.finishDocument()
	for path, item := range a.OpenAPI().Paths {
		app.All(fiberPath(path), refuseMethod(allowedMethods(item)))
	}
	return a.OpenAPI()
}

// fiberPath converts a documented path to Fiber's syntax.
func fiberPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// allowedMethods lists the methods of a path for the Allow header.
func allowedMethods(item *huma.PathItem) string {
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

// register registers a call: huma decodes and validates its input, do answers it.
func register[I, O any](a *api, method, path string, d call, do func(*fiber.Ctx, *I) (*O, error)) {
	op := d.Operation
	op.Method, op.Path = method, path
	rules := &inputRules{}
	op.Middlewares = append(op.Middlewares, a.h.guard(d.access, rules))
	op.MaxBodyBytes, op.BodyReadTimeout = -1, -1 // readBody and the server's timeouts enforce both
	d.access.describe(&op)
	op.Errors = errorStatuses(&op, d.access)
	huma.Register(a.API, op, func(ctx context.Context, in *I) (*O, error) {
		call := ctx.Value(localCall).(*apiCall)
		if call.err = a.h.limitSession(call.c, d.access); call.err != nil {
			return nil, nil
		}
		var out *O
		out, call.err = do(call.c, in)
		return out, nil
	})
	documented := operationOf(a.OpenAPI(), op.Method, op.Path)
	rules.read(a.OpenAPI(), documented)
	a.h.document(documented, d.samples)
}

// operationOf finds an operation in the document.
func operationOf(doc *huma.OpenAPI, method, path string) *huma.Operation {
	if method == fiber.MethodGet {
		return doc.Paths[path].Get
	}
	return doc.Paths[path].Post
}

// returnErrors returns the error of an API call, so that it is answered like every other error.
func returnErrors(c *fiber.Ctx) error {
	call := &apiCall{c: c}
	c.Locals(localCall, call)
	if err := c.Next(); err != nil {
		return err
	}
	return call.err
}

// captureError stores huma's own error, before huma writes it, as a fault.
func captureError(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	call := humafiber.Unwrap(ctx).Locals(localCall).(*apiCall)
	call.err = call.rules.faultOfModel(model)
	return nil, nil
}

// writeJSON writes compact JSON with the fields in the order of their type, so that equal answers are equal bytes.
func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
