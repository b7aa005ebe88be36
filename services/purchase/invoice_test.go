package purchase_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// An invoice leads to its payment, if it has one.
func TestPaymentOfInvoice(t *testing.T) {
	t.Parallel()
	f := newRefundFixture(t)
	for name, c := range map[string]struct {
		status       int
		answer, want string
		code         fault.Code
	}{
		"paid":           {http.StatusOK, `{"id":"in_1","payment_intent":"pi_1"}`, "pi_1", ""},
		"nothing to pay": {http.StatusOK, `{"id":"in_1","payment_intent":null}`, "", ""},
		"unknown":        {http.StatusNotFound, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}`, "", ""},
		"Stripe is away": {http.StatusInternalServerError, `{"error":{"type":"api_error"}}`, "", fault.Unavailable},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Stripe-Should-Retry", "false")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.answer))
		}))
		t.Cleanup(server.Close)
		f.Stripe = stripeapi.New(testKey, server.URL)
		got, err := f.PaymentOfInvoice(t.Context(), "in_1")
		if got != c.want || (c.code == "") != (err == nil) || c.code != "" && !fault.Is(err, c.code) {
			t.Errorf("%s: payment %q, error %v; want %q, %q", name, got, err, c.want, c.code)
		}
	}
}
