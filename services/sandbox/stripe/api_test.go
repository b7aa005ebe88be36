package stripe_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
	sandbox "github.com/resume-matcher/credits/services/sandbox/stripe"
)

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	database := dbtest.Empty(t)
	for name, spoil := range map[string]func(*sandbox.Options){
		"an address off loopback": func(o *sandbox.Options) { o.Listen = "0.0.0.0:0" },
		"a live key":              func(o *sandbox.Options) { o.SecretKey = "sk_live_1" },
		"no secret":               func(o *sandbox.Options) { o.WebhookSecrets = nil },
		"an empty secret":         func(o *sandbox.Options) { o.WebhookSecrets = []string{hookSecret, ""} },
		"no webhook":              func(o *sandbox.Options) { o.WebhookURL = "/api/stripe/webhook" },
		"no database":             func(o *sandbox.Options) { o.DatabaseURL = "postgres://127.0.0.1:1/none" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(database, "http://127.0.0.1:1/")
			spoil(&o)
			if server, err := sandbox.Start(t.Context(), o); err == nil {
				t.Errorf("started; close: %v", server.Close(t.Context()))
			}
		})
	}
}

func TestTakenPortIsReplacedByAFreeOne(t *testing.T) {
	t.Parallel()
	database, hooks := dbtest.Empty(t), newReceiver(t)
	first := startOn(t, database, hooks)
	o := options(database, hooks.URL)
	o.Listen = "127.0.0.1:" + first.URL()[strings.LastIndex(first.URL(), ":")+1:]
	second, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if second.URL() == first.URL() {
		t.Errorf("both at %s", first.URL())
	}
	if err := second.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	s := start(t)
	bearer := map[string]string{"Authorization": "Bearer " + secretKey}
	for _, c := range []struct {
		name, method, path, header, value string
		form                              url.Values
		status                            int
		says                              string
	}{
		{"without key", "GET", "/v1/prices", "Authorization", "", nil, 401, "You did not provide an API key"},
		{"with a wrong key", "GET", "/v1/prices", "Authorization", "Bearer sk_test_other", nil, 401, "Invalid API Key"},
		{"of another version", "GET", "/v1/prices", "Stripe-Version", "2024-09-30.acacia", nil, 400,
			"Invalid Stripe API version"},
		{"of this version", "GET", "/v1/prices", "Stripe-Version", "2024-06-20", nil, 200, ""},
		{"to an unknown address", "GET", "/v1/plans", "", "", nil, 404, "Unrecognized request URL (GET: /v1/plans)"},
		{"with an unknown method", "DELETE", "/v1/prices/p", "", "", nil, 404, "Unrecognized request URL"},
		{"with an unknown parameter", "POST", "/v1/products", "", "", url.Values{"name": {"a"}, "colour": {"red"}}, 400,
			`"code": "parameter_unknown"`},
		{"with an unknown inner parameter", "POST", "/v1/prices", "", "", url.Values{"currency_options[eur][colour]": {"x"}},
			400, `"param": "currency_options[eur][colour]"`},
		{"without a needed parameter", "POST", "/v1/products", "", "", url.Values{"active": {"true"}}, 400,
			`"code": "parameter_missing"`},
		{"with a bad number", "GET", "/v1/prices?limit=101", "", "", nil, 400, `"code": "parameter_invalid_integer"`},
		{"with a zero byte", "POST", "/v1/products", "", "", url.Values{"name": {"a\x00"}}, 400, `"param": "name"`},
		{"with too much metadata", "POST", "/v1/products", "", "",
			url.Values{"name": {"a"}, "metadata[k]": {strings.Repeat("x", 501)}}, 400, "Metadata values"},
		{"for what cannot be expanded", "GET", "/v1/prices?expand[]=colour", "", "", nil, 400, "cannot be expanded (colour)"},
		{"with a bad address", "POST", "/v1/customers", "", "", url.Values{"email": {"invalid"}}, 400,
			`"code": "email_invalid"`},
		{"as the form of another site", "POST", "/v1/products", "Origin", "http://evil.example", url.Values{"name": {"a"}},
			403, ""},
		{"by another name", "GET", "/v1/prices", "Host", "evil.example", nil, 421, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{"Authorization": bearer["Authorization"]}
			if c.header != "" {
				header[c.header] = c.value
			}
			got := s.do(t, c.method, c.path, c.form, header)
			if got.StatusCode != c.status || !strings.Contains(got.doc.Text(), c.says) {
				t.Errorf("answer: got %d %s, want %d %s", got.StatusCode, got.doc.Text(), c.status, c.says)
			}
		})
	}
}

func TestMissingObjects(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, err := s.api.Prices.Get("price_unknown", nil)
	wantError(t, err, 404, "resource_missing", "price")
	_, err = s.api.CheckoutSessions.Get("cs_unknown", nil)
	wantError(t, err, 404, "resource_missing", "session")
	_, err = s.api.Refunds.New(&stripe.RefundParams{PaymentIntent: stripe.String("pi_unknown")})
	wantError(t, err, 400, "resource_missing", "payment_intent")
	_, err = s.api.CheckoutSessions.New(sessionParams("price_unknown"))
	wantError(t, err, 400, "resource_missing", "line_items[0][price]")
	if got := s.get(t, "/c/pay/cs_test_unknown").StatusCode; got != http.StatusNotFound {
		t.Errorf("page of an unknown session: got %d, want 404", got)
	}
}

func TestDeletedCustomer(t *testing.T) {
	t.Parallel()
	s := start(t)
	customer, err := s.api.Customers.New(&stripe.CustomerParams{Email: stripe.String("Erika@example.com")})
	if err != nil {
		t.Fatalf("make customer: %v", err)
	}
	params := &stripe.CustomerParams{Name: stripe.String("Erika")}
	params.AddMetadata("userId", "7")
	if changed, err := s.api.Customers.Update(customer.ID, params); err != nil || changed.Name != "Erika" ||
		changed.Metadata["userId"] != "7" || changed.Email != "Erika@example.com" {
		t.Errorf("update: got %+v, %v", changed, err)
	}
	for email, want := range map[string]int{"Erika@example.com": 1, "erika@example.com": 0} {
		list := s.api.Customers.List(&stripe.CustomerListParams{Email: stripe.String(email)})
		if n := len(list.CustomerList().Data); n != want {
			t.Errorf("got %d customers with %s, want %d", n, email, want)
		}
	}
	if gone, err := s.api.Customers.Del(customer.ID, nil); err != nil || !gone.Deleted {
		t.Fatalf("delete: got %+v, %v", gone, err)
	}
	s.hooks.next(t, "customer.deleted")
	if gone, err := s.api.Customers.Get(customer.ID, nil); err != nil || !gone.Deleted {
		t.Errorf("read: got %+v, %v, want it deleted", gone, err)
	}
	session := sessionParams(s.offer(t).ID)
	session.Customer = stripe.String(customer.ID)
	_, err = s.api.CheckoutSessions.New(session)
	wantError(t, err, 400, "resource_missing", "customer")
}

func TestPrices(t *testing.T) {
	t.Parallel()
	s := start(t)
	product, err := s.api.Products.New(&stripe.ProductParams{ID: stripe.String("credits"), Name: stripe.String("Credits")})
	if err != nil || product.ID != "credits" {
		t.Fatalf("make product: got %+v, %v", product, err)
	}
	_, err = s.api.Products.New(&stripe.ProductParams{ID: stripe.String("credits"), Name: stripe.String("Credits")})
	wantError(t, err, 400, "resource_already_exists", "id")
	params := func() *stripe.PriceParams {
		return &stripe.PriceParams{
			Product: stripe.String("credits"), Currency: stripe.String("eur"), UnitAmount: stripe.Int64(500),
			LookupKey: stripe.String("credits_100"),
		}
	}
	first, err := s.api.Prices.New(params())
	if err != nil {
		t.Fatalf("make price: %v", err)
	}
	_, err = s.api.Prices.New(params())
	wantError(t, err, 400, "resource_already_exists", "lookup_key")
	moved := params()
	moved.TransferLookupKey = stripe.Bool(true)
	second, err := s.api.Prices.New(moved)
	if err != nil {
		t.Fatalf("transfer lookup key: %v", err)
	}
	list := s.api.Prices.List(&stripe.PriceListParams{LookupKeys: stripe.StringSlice([]string{"credits_100", "other"}),
		Active: stripe.Bool(true)})
	if found := list.PriceList().Data; len(found) != 1 || found[0].ID != second.ID || found[0].UnitAmount != 500 {
		t.Errorf("prices by lookup key: got %+v", found)
	}
	if first, err = s.api.Prices.Update(first.ID, &stripe.PriceParams{Active: stripe.Bool(false)}); err != nil ||
		first.Active || first.LookupKey != "" {
		t.Errorf("price: got %+v, %v", first, err)
	}
	_, err = s.api.CheckoutSessions.New(sessionParams(first.ID))
	wantError(t, err, 400, "", "line_items[0][price]")
	none := sessionParams(second.ID)
	none.LineItems[0].Quantity = stripe.Int64(0)
	_, err = s.api.CheckoutSessions.New(none)
	wantError(t, err, 400, "parameter_invalid_integer", "line_items[0][quantity]")
	foreign := sessionParams(second.ID)
	foreign.Locale = stripe.String("de-DE")
	_, err = s.api.CheckoutSessions.New(foreign)
	wantError(t, err, 400, "", "locale")
}

func TestSessionAcceptsTheProductsParameters(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID, invoiced, func(p *stripe.CheckoutSessionParams) {
		p.SubmitType = stripe.String("pay")
		p.Currency = stripe.String("eur")
		p.AddExpand("line_items")
	})
	if !session.AutomaticTax.Enabled || !session.TaxIDCollection.Enabled || !session.InvoiceCreation.Enabled ||
		session.SubmitType != "pay" || session.BillingAddressCollection != "required" || len(session.LineItems.Data) != 1 {
		t.Errorf("session: got %+v", session)
	}
}
