package handlers

import (
	"context"
	"maps"

	"github.com/danielgtaylor/huma/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// envelope is the shape of every API error.
type envelope struct {
	RequestID string   `json:"request_id" doc:"Finds the request in our log; also in the header X-Request-ID."`
	Error     apiError `json:"error"`
}

// apiError describes a failure to programs and to people.
type apiError struct {
	Code    errorName      `json:"code"`
	Message string         `json:"message" doc:"For people, in their language."`
	Detail  map[string]any `json:"detail" nullable:"true" doc:"What a program can act on: field, problem and expected of a wrong value; line and column of a body that is not JSON; features that exist; required, available, missing and purchaseUrl when credits are missing; status of a hold that has ended; null when the code says it all."`
}

// errorName is a code of the API.
type errorName string

// Schema lists the codes.
func (errorName) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: "For programs."}
	for _, e := range apiErrors {
		s.Enum = append(s.Enum, string(e.name))
		s.Description += "\n- `" + string(e.name) + "`: " + e.meaning + " " + e.cure
	}
	return s
}

// apiErrors explains each code of the API: what has happened, and what the caller does about it.
var apiErrors = []struct {
	name          errorName
	meaning, cure string
}{
	{"INVALID_REQUEST", "The request cannot be read, or a value in it is wrong.",
		"Correct what `detail.field` names; `detail.expected` says what fits, `detail.line` and `detail.column` where the JSON breaks. Do not repeat it unchanged."},
	{"FEATURE_UNKNOWN", "No feature has this name, or it is switched off.",
		"Use one of `detail.features`, or read `GET /api/features`."},
	{"UNAUTHENTICATED", "The service key is missing, wrong, revoked or expired, or no session exists.",
		"Send `Authorization: Bearer rmc_…` with a valid key; an administrator makes one."},
	{"INSUFFICIENT_CREDITS", "The user has too few credits. Nothing was taken.",
		"Send the user to `detail.purchaseUrl`, which selects the package that covers `detail.missing`. Then repeat the request with the same `Idempotency-Key`."},
	{"FORBIDDEN", "The caller may not make this call.",
		"Use a key with the scope that the call needs, or a session where the call needs one."},
	{"USER_NOT_FOUND", "No account has this `userId` or `email`: the user has never signed in here.",
		"Check the address. To create the account with the call, send `email` and `createUser: true`."},
	{"NOT_FOUND", "Nothing is at this address, or the hold belongs to another key.", "Check the path and the `holdId`."},
	{"IDEMPOTENCY_CONFLICT", "This `Idempotency-Key` was sent before with another request.",
		"Use a new key for a new request; a repeat must be unchanged."},
	{"REQUEST_IN_PROGRESS", "The first request with this `Idempotency-Key` is still running.",
		"Repeat it after `Retry-After` seconds."},
	{"HOLD_NOT_OPEN", "The hold has ended already; `detail.status` says how.",
		"After `captured` there is nothing to do. After `released` or `expired`, make a new hold."},
	{"PAYLOAD_TOO_LARGE", "The body has more than 64 KiB.", "Send less; keep large data on your side."},
	{"RATE_LIMITED", "Too many requests.", "Wait `Retry-After` seconds, then repeat the request."},
	{"UNAVAILABLE", "Not possible right now; `detail.problem` may say why.",
		"Repeat the same request after `Retry-After` seconds. With an `Idempotency-Key` it takes effect once."},
	{"INTERNAL", "The server failed.", "Repeat the same request with the same `Idempotency-Key`. If it stays, tell the operator the `request_id`."},
	{"UPSTREAM_FAILED", "Resume Matcher, behind the gate, did not answer properly. Nothing was charged.",
		"Try again later."},
	{"WEBHOOK_SIGNATURE_INVALID", "Only to Stripe: the signature of its event does not match.",
		"Check `STRIPE_WEBHOOK_SECRET`; `credits doctor` does."},
}

// exactNames names the refusals that the API tells apart from others of their code.
var exactNames = map[fault.Problem]struct {
	code fault.Code
	name errorName
}{
	fault.StillRunning:   {fault.Conflict, "REQUEST_IN_PROGRESS"}, // ends without action by the caller
	fault.UserUnknown:    {fault.NotFound, "USER_NOT_FOUND"},
	fault.FeatureUnknown: {fault.Invalid, "FEATURE_UNKNOWN"},
}

// nameOf returns the API's name of a fault.
func nameOf(f *fault.Error) errorName {
	if exact, ok := exactNames[f.Problem]; ok {
		return exact.name
	}
	return answers[f.Code].name
}

// envelope wraps a fault, in the language of ctx.
func (h *Handler) envelope(ctx context.Context, id string, f *fault.Error) envelope {
	message := h.message(ctx, f)
	if f.Code == fault.NotFound && f.Problem == "" {
		message = locales.T(ctx, "errors.call_not_found") // a program opens no pages
	}
	return envelope{RequestID: id, Error: apiError{Code: nameOf(f), Message: message, Detail: detail(f)}}
}

// detail returns what a program can act on; null when the code says it all.
func detail(f *fault.Error) map[string]any {
	detail := map[string]any{}
	maps.Copy(detail, f.Detail)
	if f.Field != "" {
		detail["field"] = jsonNames[f.Field]
		if detail["field"] == "" {
			detail["field"] = f.Field
		}
	}
	if f.Problem != "" {
		detail["problem"] = string(f.Problem)
	}
	if len(detail) == 0 {
		return nil
	}
	return detail
}

// jsonNames maps form fields to their JSON names where they differ.
var jsonNames = map[string]string{"price_id": "priceId", "ttl_seconds": "ttlSeconds"}

// advise adds to a refusal what a program needs to go on: the features that exist, or where the missing credits are
// sold. Without the database the refusal stays as it is.
func (h *Handler) advise(ctx context.Context, f *fault.Error) *fault.Error {
	switch {
	case f.Problem == fault.FeatureUnknown:
		features, err := h.Spend.Features(ctx)
		if err != nil {
			return f
		}
		names := make([]string, len(features))
		for i, feature := range features {
			names[i] = string(feature.Feature)
		}
		return f.With("features", names)
	case f.Code == fault.InsufficientCredits:
		missing, _ := f.Detail["missing"].(int64)
		cover, err := h.Catalog.Cover(ctx, models.Credits(missing))
		if err != nil {
			cover = nil
		}
		back, _ := f.Detail[paramReturnURL].(string)
		return f.With("purchaseUrl", h.purchaseURL(ctx, cover, back))
	}
	return f
}

// purchaseURL is the address of the packages, with the one selected that covers what is missing, and the way back.
func (h *Handler) purchaseURL(ctx context.Context, cover *models.Cover, back string) string {
	choice := pages.Choice{ReturnURL: back}
	if cover != nil {
		choice.Credits, choice.Quantity = cover.Offer.CreditsPerUnit, cover.Quantity
	}
	return h.Site.AppURL + choice.Path(locales.Code(ctx))
}
