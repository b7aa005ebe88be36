package stripe

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxBody bounds the body of a request.
const maxBody = 1 << 20

// endpoint is one address of the API.
type endpoint struct {
	pattern string // method and path, as http.ServeMux takes them
	params  schema
	serve   func(context.Context, *txn, *call) (any, error)
}

// call is one request to an endpoint.
type call struct {
	id   string // the object that the path names, if any
	form form
}

// endpoints lists the API.
func (s *Server) endpoints() []endpoint {
	return []endpoint{
		{"POST /v1/products", productParams.with(newProductParams), s.createProduct},
		{"GET /v1/products/{id}", nil, retrieve(kindProduct)},
		{"POST /v1/products/{id}", productParams, on(update[*product])},
		{"DELETE /v1/products/{id}", nil, on(deleteProduct)},

		{"POST /v1/prices", priceParams.with(newPriceParams), s.createPrice},
		{"GET /v1/prices", prices.params(), prices.serve},
		{"GET /v1/prices/{id}", nil, retrieve(kindPrice)},
		{"POST /v1/prices/{id}", priceParams, on(update[*price])},

		{"POST /v1/customers", customerParams, s.createCustomer},
		{"GET /v1/customers", customers.params(), customers.serve},
		{"GET /v1/customers/{id}", nil, retrieve(kindCustomer)},
		{"POST /v1/customers/{id}", customerParams, s.updateCustomer},
		{"DELETE /v1/customers/{id}", nil, s.deleteCustomer},

		{"POST /v1/checkout/sessions", sessionParams, s.createSession},
		{"GET /v1/checkout/sessions", sessions.params(), sessions.serve},
		{"GET /v1/checkout/sessions/{id}", nil, retrieve(kindSession)},
		{"GET /v1/checkout/sessions/{id}/line_items", pageParams, on(listLineItems)},
		{"POST /v1/checkout/sessions/{id}/expire", nil, on(expireSession)},

		{"GET /v1/payment_intents", intents.params(), intents.serve},
		{"GET /v1/payment_intents/{id}", nil, retrieve(kindIntent)},
		{"GET /v1/charges/{id}", nil, retrieve(kindCharge)},
		{"GET /v1/invoices/{id}", nil, retrieve(kindInvoice)},

		{"GET /v1/tax/settings", nil, showTaxSettings},
		{"GET /v1/payment_method_configurations", schema{"limit": integer(1, maxPage)}, listMethods},

		{"POST /v1/refunds", refundParams, s.createRefund},
		{"GET /v1/refunds", refundList.params(), refundList.serve},
		{"GET /v1/refunds/{id}", nil, retrieve(kindRefund)},
		{"POST /v1/refunds/{id}", refundUpdateParams, on(updateRefund)},

		{"GET /v1/disputes", disputes.params(), disputes.serve},
		{"GET /v1/disputes/{id}", nil, retrieve(kindDispute)},

		{"GET /v1/events", eventParams, listEvents},
		{"GET /v1/events/{id}", nil, retrieveEvent},

		{"POST /v1/webhook_endpoints", endpointParams.with(newEndpointParams), s.createEndpoint},
		{"GET /v1/webhook_endpoints", endpointPage, endpointList.serve},
		{"GET /v1/webhook_endpoints/{id}", nil, retrieve(kindEndpoint)},
		{"POST /v1/webhook_endpoints/{id}", endpointParams.with(schema{"disabled": boolean}), on(update[*webhookEndpoint])},
		{"DELETE /v1/webhook_endpoints/{id}", nil, on(deleteEndpoint)},
	}
}

// retrieve serves one object of a kind.
func retrieve(kind string) func(context.Context, *txn, *call) (any, error) {
	return func(ctx context.Context, t *txn, c *call) (any, error) {
		return t.wire(ctx, kind, c.id, pathParam[kind])
	}
}

// handle serves one endpoint, or an unknown address if e is nil.
func (s *Server) handle(e *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		by := caller{RequestID: newID("req_"), IdempotencyKey: r.Header.Get("Idempotency-Key")}
		w.Header().Set("Request-Id", by.RequestID)
		w.Header().Set("Stripe-Version", Version)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache, no-store")
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("stripe sandbox: panicked", "err", p, "request_id", by.RequestID)
				s.reply(w, s.failure(errors.New("panic"), by))
			}
		}()
		a, err := s.respond(w, r, e, by)
		if err != nil {
			a = s.failure(err, by)
		}
		if a.original != "" {
			w.Header().Set("Idempotent-Replayed", "true")
			w.Header().Set("Original-Request", a.original)
		}
		s.reply(w, a)
		s.log.Debug("stripe sandbox: request", "method", r.Method, "route", r.Pattern, "status", a.status, "request_id",
			by.RequestID)
	}
}

func (s *Server) respond(w http.ResponseWriter, r *http.Request, e *endpoint, by caller) (*answer, error) {
	if err := s.authenticate(r); err != nil {
		return nil, err
	}
	if v := r.Header.Get("Stripe-Version"); v != "" && v != Version {
		return nil, invalid("", "", "Invalid Stripe API version: %s. This stand-in speaks only %s.", v, Version)
	}
	if e == nil {
		err := invalid("", "", "Unrecognized request URL (%s: %s).", r.Method, r.URL.Path)
		err.status = http.StatusNotFound
		return nil, err
	}
	params, err := readParams(w, r)
	if err != nil {
		return nil, err
	}
	return s.run(r, e, e.params.with(schema{"expand[]": anything}), params, by)
}

// run checks the parameters and runs the endpoint.
func (s *Server) run(r *http.Request, e *endpoint, allowed schema, params url.Values, by caller) (*answer, error) {
	f, err := parseForm(params)
	if err == nil {
		err = allowed.check(f)
	}
	if err != nil {
		return nil, err
	}
	c := &call{id: r.PathValue("id"), form: f}
	if !storable(c.id) {
		return nil, invalid("", "id", "Invalid id: %q", c.id)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return s.answerRead(r.Context(), e, c)
	}
	return s.answerWrite(r.Context(), e, c, by, hashRequest(r.Method, r.URL.Path, params))
}

// authenticate accepts the key as a bearer token or as the user name of basic authentication.
func (s *Server) authenticate(r *http.Request) error {
	unauthorized := &apiError{status: http.StatusUnauthorized, kind: "invalid_request_error"}
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		key, _, ok = r.BasicAuth()
	}
	if !ok || key == "" {
		unauthorized.message =
			"You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
		return unauthorized
	}
	if subtle.ConstantTimeCompare([]byte(key), []byte(s.key)) != 1 {
		unauthorized.message = "Invalid API Key provided."
		return unauthorized
	}
	return nil
}

func (s *Server) answerRead(ctx context.Context, e *endpoint, c *call) (a *answer, err error) {
	err = s.store.read(ctx, func(ctx context.Context, t *txn) error {
		a, err = serve(ctx, t, e, c)
		return err
	})
	return a, err
}

// answerWrite runs the endpoint once for each idempotency key. A refusal is stored as an answer too, after a rollback
// of what the endpoint did before it.
func (s *Server) answerWrite(ctx context.Context, e *endpoint, c *call, by caller, hash string) (*answer, error) {
	if len(by.IdempotencyKey) > maxKeyLength || !storable(by.IdempotencyKey) {
		return nil, invalid("", "", "Idempotency keys can have up to %d characters.", maxKeyLength)
	}
	var a *answer
	replay := func(ctx context.Context, t *txn) (err error) {
		a, err = t.replay(ctx, by.IdempotencyKey, hash)
		return err
	}
	if by.IdempotencyKey != "" { // first without the key's lock, which a replay must not hold against others
		if err := s.store.read(ctx, replay); err != nil || a != nil {
			return a, err
		}
	}
	err := s.store.write(ctx, by, func(ctx context.Context, t *txn) (err error) {
		if by.IdempotencyKey != "" { // again: a request that ran meanwhile may have stored its answer
			if err := replay(ctx, t); err != nil || a != nil {
				return err
			}
		}
		if a, err = s.attempt(ctx, t, e, c); err != nil {
			return err
		}
		if by.IdempotencyKey == "" {
			return nil
		}
		return t.saveAnswer(ctx, by.IdempotencyKey, hash, a)
	})
	if err == nil {
		s.deliverer.Wake()
	}
	return a, err
}

func (s *Server) attempt(ctx context.Context, t *txn, e *endpoint, c *call) (*answer, error) {
	if _, err := t.ExecContext(ctx, `SAVEPOINT attempt`); err != nil {
		return nil, fmt.Errorf("set savepoint: %w", err)
	}
	a, err := serve(ctx, t, e, c)
	var refusal *apiError
	if !errors.As(err, &refusal) || !refusal.begun {
		return a, err
	}
	if _, err := t.ExecContext(ctx, `ROLLBACK TO SAVEPOINT attempt`); err != nil {
		return nil, fmt.Errorf("return to savepoint: %w", err)
	}
	t.emitted = nil
	return s.failure(refusal, t.caller), nil
}

// serve runs the endpoint and expands the requested members.
func serve(ctx context.Context, t *txn, e *endpoint, c *call) (*answer, error) {
	result, err := e.serve(ctx, t, c)
	if err != nil {
		return nil, err
	}
	if o, ok := result.(record); ok {
		if result, err = t.shapes.render(o); err != nil {
			return nil, err
		}
	}
	object, ok := result.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("unexpected result %T", result)
	}
	for _, path := range c.form.texts("expand") {
		if err := t.expand(ctx, object, path); err != nil {
			return nil, err
		}
	}
	body, err := encode(object)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, body: body}, nil
}

// failure turns an error into an answer. An error that is not a refusal is logged here and answered without details.
func (s *Server) failure(err error, by caller) *answer {
	var refusal *apiError
	if !errors.As(err, &refusal) {
		s.logError("stripe sandbox: request failed", err, "request_id", by.RequestID)
		refusal = &apiError{status: http.StatusInternalServerError, kind: "api_error", message: "An unknown error occurred."}
	}
	body, err := encode(refusal.envelope(s.url + "/dashboard"))
	if err != nil { // cannot happen: the envelope holds only texts
		body = `{"error":{"type":"api_error"}}`
	}
	return &answer{status: refusal.status, body: body, refusal: refusal}
}

func (s *Server) reply(w http.ResponseWriter, a *answer) {
	w.WriteHeader(a.status)
	if _, err := w.Write([]byte(a.body)); err != nil { //nolint:gosec // JSON, sent as JSON with nosniff: no page to inject into
		s.log.Debug("stripe sandbox: write answer failed", "err", err)
	}
}

// encode renders an object as Stripe does, indented and unescaped.
func encode(object map[string]any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(object); err != nil {
		return "", fmt.Errorf("encode answer: %w", err)
	}
	return b.String(), nil
}
