package stripe

import (
	"fmt"
	"net/http"
)

// apiError is an error answer in Stripe's envelope.
type apiError struct {
	status  int
	kind    string // "type" on the wire
	code    string
	param   string
	message string
	// begun means that the request was valid and had begun to run: only then is the answer stored under its idempotency
	// key.
	begun bool
}

func (e *apiError) Error() string { return e.message }

// envelope returns the error in its wire format.
func (e *apiError) envelope(logURL string) map[string]any {
	body := map[string]any{"type": e.kind, "message": e.message, "request_log_url": logURL}
	if e.code != "" {
		body["code"] = e.code
	}
	if e.param != "" {
		body["param"] = e.param
	}
	return map[string]any{"error": body}
}

// invalid refuses a parameter before anything has run.
func invalid(code, param, message string, args ...any) *apiError {
	return &apiError{
		status: http.StatusBadRequest, kind: "invalid_request_error",
		code: code, param: param, message: fmt.Sprintf(message, args...),
	}
}

// refused is invalid for a request that had begun to run.
func refused(code, param, message string, args ...any) *apiError {
	e := invalid(code, param, message, args...)
	e.begun = true
	return e
}

// missing means that there is no such object: 404 when the URL names it, 400 when a parameter does.
func missing(kind, id, param string) *apiError {
	e := refused("resource_missing", param, "No such %s: '%s'", kind, id)
	if param == pathParam[kind] {
		e.status = http.StatusNotFound
	}
	return e
}

// pathParam is Stripe's name for the identifier in the URL of each kind.
var pathParam = map[string]string{
	kindProduct: "id", kindPrice: "price", kindCustomer: "id", kindSession: "session",
	kindIntent: "intent", kindCharge: "id", kindRefund: "id", kindEvent: "id", kindDispute: "dispute",
	kindInvoice:  "invoice",
	kindEndpoint: "id",
}
