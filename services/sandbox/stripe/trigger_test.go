package stripe_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"
)

const (
	makeProduct  = "product POST /v1/products name=myproduct&description=(created+by+Stripe+CLI)"
	makeRental   = "price POST /v1/prices product=${product}&unit_amount=1500&currency=usd&recurring[interval]=month"
	makeCustomer = "customer POST /v1/customers description=(created+by+Stripe+CLI)"
	makeRefund   = "refund POST /v1/refunds payment_intent=${payment}"
	readPage     = "page GET /v1/payment_pages/${session}"
	confirmPage  = "confirmed POST /v1/payment_pages/${session}/confirm payment_method=${method}&expected_amount=3000"
	billing      = "&billing_details[email]=stripe@example.com&billing_details[name]=Jenny+Rosen" +
		"&billing_details[address][city]=London"
)

// payWith makes a payment without a session.
func payWith(method string) string {
	return "payment POST /v1/payment_intents amount=100&currency=usd&payment_method_types[]=card&confirm=true" +
		"&payment_method=" + method + "&description=(created+by+Stripe+CLI)"
}

// paySession opens a session in the currency and pays it as its hosted page does.
func paySession(currency, options, method string) []string {
	return []string{
		makeProduct, "price POST /v1/prices product=${product}&unit_amount=1500&currency=" + currency,
		"session POST /v1/checkout/sessions success_url=https://example.com/post&cancel_url=https://example.com/post" +
			"&mode=payment&line_items[0][price]=${price}&line_items[0][quantity]=2" + options +
			"&payment_intent_data[shipping][name]=Jenny+Rosen&payment_intent_data[shipping][address][line1]=510+Townsend+St",
		readPage, "method POST /v1/payment_methods " + method + billing, confirmPage,
	}
}

// debit makes a session accept SEPA debit alone.
const debit = "&payment_method_types[]=sepa_debit&payment_intent_data[setup_future_usage]=off_session"

// TestStripeTrigger sends what "stripe trigger" sends, for each event that the product handles and the command knows.
// Source: stripe-cli v1.19.5, pkg/fixtures/triggers
func TestStripeTrigger(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		event    string
		requests []string // name, method, path and form; ${name} is the id in the answer to an earlier request
		want     map[string]any
	}{
		{"product.created", []string{makeProduct}, map[string]any{"description": "(created by Stripe CLI)"}},
		{"product.updated", []string{makeProduct, "updated POST /v1/products/${product} metadata[foo]=bar"},
			map[string]any{"metadata": map[string]any{"foo": "bar"}}},
		{"product.deleted", []string{makeProduct, "deleted DELETE /v1/products/${product}"},
			map[string]any{"name": "myproduct"}},
		{"price.created", []string{makeProduct, makeRental}, map[string]any{"type": "recurring"}},
		{"price.updated", []string{makeProduct, makeRental, "updated POST /v1/prices/${price} metadata[foo]=bar"},
			map[string]any{"metadata": map[string]any{"foo": "bar"}}},
		{"customer.deleted", []string{makeCustomer, "deleted DELETE /v1/customers/${customer}"},
			map[string]any{"description": "(created by Stripe CLI)"}},
		{"checkout.session.completed", paySession("usd", "", "type=card&card[token]=tok_visa"),
			map[string]any{"payment_status": "paid", "amount_total": 3000.0}},
		{"checkout.session.async_payment_succeeded",
			paySession("eur", debit, "type=sepa_debit&sepa_debit[iban]=AT611904300234573201"),
			map[string]any{"payment_status": "paid", "amount_total": 3000.0}},
		{"checkout.session.async_payment_failed",
			paySession("eur", debit, "type=sepa_debit&sepa_debit[iban]=IT60X0542811101000000123456"),
			map[string]any{"payment_status": "unpaid", "status": "complete"}},
		{"charge.refunded", []string{payWith("pm_card_visa"), makeRefund},
			map[string]any{"amount_refunded": 100.0, "description": "(created by Stripe CLI)"}},
		{"charge.refund.updated", []string{payWith("pm_card_visa"), makeRefund,
			"updated POST /v1/refunds/${refund} metadata[order_id]=6735"},
			map[string]any{"metadata": map[string]any{"order_id": "6735"}}},
		{"charge.dispute.created", []string{payWith("pm_card_createDisputeInquiry")},
			map[string]any{"amount": 100.0, "status": "warning_needs_response"}},
	} {
		t.Run(c.event, func(t *testing.T) {
			ids := map[string]string{}
			for _, request := range c.requests {
				s.trigger(t, request, ids)
			}
			got := s.hooks.next(t, stripe.EventType(c.event)).Data.Object
			for name, want := range c.want {
				if !reflect.DeepEqual(got[name], want) {
					t.Errorf("%s: got %v, want %v", name, got[name], want)
				}
			}
			if id := ids["payment"]; id != "" {
				if page := s.get(t, "/dashboard/payments/"+id); page.StatusCode != http.StatusOK {
					t.Errorf("page of a payment without a session: got %d, want 200", page.StatusCode)
				}
			}
		})
	}
}

var idOf = regexp.MustCompile(`\$\{(\w+)\}`)

// trigger sends one request of "stripe trigger" and stores the id in its answer.
func (s *fixture) trigger(t *testing.T, request string, ids map[string]string) {
	t.Helper()
	request = idOf.ReplaceAllStringFunc(request, func(name string) string { return ids[name[2:len(name)-1]] })
	parts := append(strings.SplitN(request, " ", 4), "")
	form, err := url.ParseQuery(parts[3])
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		ID    string
		Error map[string]any
	}
	page := s.do(t, parts[1], parts[2], form, map[string]string{"Authorization": "Bearer " + secretKey})
	if err := json.Unmarshal([]byte(page.doc.Text()), &answer); err != nil || page.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %d, %v, %v, want 200", parts[1], parts[2], page.StatusCode, answer.Error, err)
	}
	ids[parts[0]] = answer.ID
}

func TestRecurringPricesAndSoldProducts(t *testing.T) {
	t.Parallel()
	s := start(t)
	ids := map[string]string{}
	s.trigger(t, makeProduct, ids)
	s.trigger(t, makeRental, ids)
	_, err := s.api.CheckoutSessions.New(sessionParams(ids["price"]))
	wantError(t, err, http.StatusBadRequest, "", "line_items[0][price]")
	_, err = s.api.Products.Del(ids["product"], nil)
	wantError(t, err, http.StatusBadRequest, "", "")
	s.trigger(t, makeProduct, ids)
	gone, err := s.api.Products.Del(ids["product"], nil)
	if err != nil || !gone.Deleted {
		t.Fatalf("delete product: got %+v, %v", gone, err)
	}
	_, err = s.api.Products.Get(ids["product"], nil)
	wantError(t, err, http.StatusNotFound, "resource_missing", "id")
}
