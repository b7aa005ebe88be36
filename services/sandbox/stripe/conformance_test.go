package stripe_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sound are valid answers. Each case below breaks one of them.
var sound = map[string]string{
	"/v1/customers/cus_1": `{"id":"cus_1","object":"customer","created":1,"livemode":false,"email":null,"metadata":{"userId":"7"}}`,
	"/v1/refunds": `{"object":"list","url":"/v1/refunds","has_more":false,"data":[
		{"id":"re_1","object":"refund","amount":5,"created":1,"currency":"eur","status":"failed","charge":"ch_1"}]}`,
	"/v1/payment_pages/cs_1": `{"id":"cus_1","object":"customer","created":1,"livemode":false}`,
	"/v1/events/evt_1": `{"id":"evt_1","object":"event","type":"customer.updated","api_version":"2024-06-20","created":1,"livemode":false,
		"pending_webhooks":1,"request":{"id":null,"idempotency_key":null},"data":{"previous_attributes":{"email":"a"},
		"object":{"id":"cus_1","object":"customer","created":1,"livemode":false}}}`,
}

func TestDocumentFindsEachViolation(t *testing.T) {
	t.Parallel()
	document, err := stripesDocument()
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range sound {
		if violations := document.Answer(http.MethodGet, path, http.StatusOK, []byte(body)); len(violations) > 0 {
			t.Errorf("%s is sound: %q", path, violations)
		}
	}
	for _, c := range []struct{ name, path, old, spoiled, says string }{
		{"an unknown member", "/v1/customers/cus_1", `"email"`, `"e_mail"`, "answer.e_mail is not in Stripe's document"},
		{"a missing member", "/v1/customers/cus_1", `"created":1,`, ``, "answer.created is missing"},
		{"a number as text", "/v1/customers/cus_1", `"created":1`, `"created":"1"`, "answer.created is string, want integer"},
		{"half a second", "/v1/customers/cus_1", `"created":1`, `"created":1.5`, "answer.created is number, want integer"},
		{"a null where none may be", "/v1/customers/cus_1", `"livemode":false`, `"livemode":null`,
			"answer.livemode is null, want boolean"},
		{"metadata that is not text", "/v1/customers/cus_1", `"7"`, `7`, "answer.metadata.userId is integer, want string"},
		{"metadata that is too long", "/v1/customers/cus_1", `"7"`, `"` + strings.Repeat("7", 501) + `"`,
			"answer.metadata.userId has more than 500"},
		{"another object", "/v1/customers/cus_1", `"object":"customer"`, `"object":"charge"`, `answer.object is "charge"`},
		{"a tombstone that is none", "/v1/customers/cus_1", `"livemode":false`, `"deleted":false`, "is"},
		{"a fault within a list", "/v1/refunds", `"currency":"eur"`, `"colour":"red"`, "answer.data[0].colour is not in"},
		{"an unknown reference", "/v1/refunds", `"charge":"ch_1"`, `"charge":7`,
			"answer.data[0].charge is integer, want one of [string object]"},
		{"a fault within what is expanded", "/v1/refunds", `"charge":"ch_1"`, `"charge":{"id":"ch_1","object":"charge"}`,
			"answer.data[0].charge.amount is missing"},
		{"a list that is elsewhere", "/v1/refunds", `"/v1/refunds"`, `"/v1/charges"`, `answer.url is "/v1/charges"`},
		{"a fault on a payment page", "/v1/payment_pages/cs_1", `"created":1,`, ``, "answer.created is missing"},
		{"an event about something else", "/v1/events/evt_1", `"object":"customer"`, `"object":"client"`,
			`no object "client"`},
		{"an event about a bad object", "/v1/events/evt_1", `"object":{`, `"object":{"colour":"red",`,
			"answer customer.updated: data.object.colour is not in"},
		{"an event about a missing object", "/v1/events/evt_1", `{"email":"a"}`, `{"colour":"red"}`,
			"previous_attributes.colour is not a member"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(sound[c.path], c.old) {
				t.Fatalf("nothing to spoil at %s", c.path)
			}
			body := strings.Replace(sound[c.path], c.old, c.spoiled, 1)
			found := strings.Join(document.Answer(http.MethodGet, c.path, http.StatusOK, []byte(body)), "; ")
			if !strings.Contains(found, c.says) {
				t.Errorf("found %q, want %q", found, c.says)
			}
		})
	}
	for name, c := range map[string]struct {
		method, path string
		status       int
		body         string
	}{
		"an address that Stripe has not": {http.MethodGet, "/v1/planets/1", http.StatusOK, `{}`},
		"a method that the address has not": {http.MethodPut, "/v1/customers/cus_1", http.StatusOK,
			sound["/v1/customers/cus_1"]},
		"an error without its envelope": {http.MethodGet, "/v1/planets/1", http.StatusNotFound, `{"message":"no"}`},
		"an error of an unknown type": {http.MethodGet, "/v1/planets/1", http.StatusNotFound,
			`{"error":{"type":"not_found"}}`},
		"what is no JSON": {http.MethodGet, "/v1/customers/cus_1", http.StatusOK, `<html>`},
	} {
		if violations := document.Answer(c.method, c.path, c.status, []byte(c.body)); len(violations) == 0 {
			t.Errorf("%s was let through", name)
		}
	}
}

func TestTransportTurnsAViolationIntoAnError(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, strings.Replace(sound["/v1/customers/cus_1"], `"livemode"`, `"lifemode"`, 1)) //nolint:errcheck // the client will notice
	}))
	t.Cleanup(server.Close)
	transport := &Transport{Base: contract.Base} // http.DefaultTransport checks, too
	response, err := (&http.Client{Transport: transport}).Get(server.URL + "/v1/customers/cus_1")
	if err == nil {
		response.Body.Close()
		t.Fatal("the answer was let through")
	}
	host := strings.TrimPrefix(server.URL, "http://")
	if violations := transport.Violations(host); len(violations) != 1 ||
		!strings.Contains(violations[0], "answer.lifemode is not in Stripe's document") {
		t.Errorf("violations: got %q", violations)
	}
	if violations := transport.Violations("localhost:1"); len(violations) != 0 {
		t.Errorf("violations of another host: got %q", violations)
	}
}
