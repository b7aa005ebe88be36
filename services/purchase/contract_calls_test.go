package purchase_test

import (
	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/client"
)

// contract lists every call of Stripe's API that the product makes, by its name in stripe-go, with typical parameters.
// stripe-mock refuses what Stripe's API does not have. TestEveryStripeCallIsUnderContract fails when a call is missing.
var contract = map[string]func(*client.API) error{
	"Products.Get": func(api *client.API) error {
		_, err := api.Products.Get("resume_matcher_credits", nil)
		return err
	},
	"Products.New": func(api *client.API) error {
		_, err := api.Products.New(&stripe.ProductParams{
			ID: stripe.String("resume_matcher_credits"), Name: stripe.String("Credits"),
			Description: stripe.String("10 resume analyses"), Metadata: map[string]string{"type": "credits"},
		})
		return err
	},
	"Products.Update": func(api *client.API) error {
		_, err := api.Products.Update("resume_matcher_credits", &stripe.ProductParams{Active: stripe.Bool(true)})
		return err
	},
	"Charges.Get": func(api *client.API) error {
		_, err := api.Charges.Get("ch_1", nil)
		return err
	},
	"PaymentMethodConfigurations.List": func(api *client.API) error {
		params := &stripe.PaymentMethodConfigurationListParams{}
		params.Limit = stripe.Int64(100)
		return api.PaymentMethodConfigurations.List(params).Err()
	},
	"WebhookEndpoints.Update": func(api *client.API) error {
		_, err := api.WebhookEndpoints.Update("we_1", &stripe.WebhookEndpointParams{
			EnabledEvents: stripe.StringSlice([]string{"price.created", "charge.refunded"}), Disabled: stripe.Bool(false),
		})
		return err
	},
	"Prices.List": func(api *client.API) error {
		params := &stripe.PriceListParams{Product: stripe.String("p"),
			LookupKeys: stripe.StringSlice([]string{"resume_matcher_package_100"})}
		params.AddExpand("data.product")
		params.Limit = stripe.Int64(100)
		return api.Prices.List(params).Err()
	},
	"Prices.New": func(api *client.API) error {
		_, err := api.Prices.New(&stripe.PriceParams{
			Product: stripe.String("p"), Currency: stripe.String("eur"), UnitAmount: stripe.Int64(500),
			LookupKey:         stripe.String("k"),
			TransferLookupKey: stripe.Bool(true), TaxBehavior: stripe.String("inclusive"),
			Metadata: map[string]string{"credits": "100"},
		})
		return err
	},
	"Prices.Update": func(api *client.API) error {
		_, err := api.Prices.Update("price_1", &stripe.PriceParams{Active: stripe.Bool(false),
			Metadata: map[string]string{"credits": "100"}})
		return err
	},
	"Customers.Get": func(api *client.API) error {
		_, err := api.Customers.Get("cus_1", nil)
		return err
	},
	"PaymentIntents.Get": func(api *client.API) error {
		_, err := api.PaymentIntents.Get("pi_1", nil)
		return err
	},
	"Customers.New": func(api *client.API) error {
		_, err := api.Customers.New(&stripe.CustomerParams{Metadata: map[string]string{"userId": "7"}})
		return err
	},
	"Customers.Update": func(api *client.API) error {
		_, err := api.Customers.Update("cus_1", &stripe.CustomerParams{Email: stripe.String("ada@example.com"),
			Name: stripe.String("Ada")})
		return err
	},
	"TaxSettings.Get": func(api *client.API) error {
		_, err := api.TaxSettings.Get(&stripe.TaxSettingsParams{})
		return err
	},
	"Customers.Del": func(api *client.API) error {
		_, err := api.Customers.Del("cus_1", nil)
		return err
	},
	"CheckoutSessions.Expire": func(api *client.API) error {
		_, err := api.CheckoutSessions.Expire("cs_1", nil)
		return err
	},
	"CheckoutSessions.New": func(api *client.API) error { // productAgainst sends the real parameters
		_, err := api.CheckoutSessions.New(&stripe.CheckoutSessionParams{Mode: stripe.String("payment"),
			SuccessURL: stripe.String("https://example.com")})
		return err
	},
	"CheckoutSessions.Get": func(api *client.API) error {
		params := &stripe.CheckoutSessionParams{}
		params.AddExpand("line_items")
		params.AddExpand("invoice")
		params.AddExpand("payment_intent.latest_charge")
		_, err := api.CheckoutSessions.Get("cs_1", params)
		return err
	},
	"Invoices.Get": func(api *client.API) error {
		_, err := api.Invoices.Get("in_1", nil)
		return err
	},
	"CheckoutSessions.List": func(api *client.API) error {
		params := &stripe.CheckoutSessionListParams{Status: stripe.String("complete"),
			CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: 1}}
		params.Limit = stripe.Int64(100)
		params.AddExpand("data.payment_intent")
		return api.CheckoutSessions.List(params).Err()
	},
	"CheckoutSessions.ListLineItems": func(api *client.API) error {
		return api.CheckoutSessions.ListLineItems(&stripe.CheckoutSessionListLineItemsParams{Session: stripe.String("cs_1")}).
			Err()
	},
	"Refunds.New": func(api *client.API) error {
		_, err := api.Refunds.New(&stripe.RefundParams{
			PaymentIntent: stripe.String("pi_1"), Amount: stripe.Int64(500), Reason: stripe.String("requested_by_customer"),
			Metadata: map[string]string{"actor": "1"},
		})
		return err
	},
	"Refunds.List": func(api *client.API) error {
		params := &stripe.RefundListParams{PaymentIntent: stripe.String("pi_1")}
		params.Limit = stripe.Int64(100)
		return api.Refunds.List(params).Err()
	},
	"Disputes.Get": func(api *client.API) error {
		_, err := api.Disputes.Get("dp_1", &stripe.DisputeParams{})
		return err
	},
	"Disputes.List": func(api *client.API) error {
		params := &stripe.DisputeListParams{PaymentIntent: stripe.String("pi_1"),
			CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: 1}}
		params.Limit = stripe.Int64(100)
		return api.Disputes.List(params).Err()
	},
	"Events.List": func(api *client.API) error {
		params := &stripe.EventListParams{Types: stripe.StringSlice([]string{"charge.refunded", "charge.dispute.created"}),
			CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: 1, LesserThanOrEqual: 2}}
		params.Limit = stripe.Int64(100)
		return api.Events.List(params).Err()
	},
	"WebhookEndpoints.List": func(api *client.API) error {
		return api.WebhookEndpoints.List(&stripe.WebhookEndpointListParams{}).Err()
	},
	"WebhookEndpoints.New": func(api *client.API) error {
		_, err := api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
			URL: stripe.String("https://credits.example.com/api/stripe/webhook"), APIVersion: stripe.String(stripe.APIVersion),
			EnabledEvents: stripe.StringSlice([]string{
				"checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
				"checkout.session.expired",
				"charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "customer.deleted",
				"charge.dispute.created",
				"charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
				"charge.dispute.funds_reinstated",
			}),
		})
		return err
	},
}

// refusable lists calls that stripe-mock must refuse, which shows that it checks the parameters of contract.
var refusable = map[string]func(*client.API) error{
	"an event that the API version does not have": func(api *client.API) error {
		_, err := api.WebhookEndpoints.New(&stripe.WebhookEndpointParams{
			URL: stripe.String("https://example.com"), EnabledEvents: stripe.StringSlice([]string{"refund.failed"}),
		})
		return err
	},
	"an unknown parameter": func(api *client.API) error {
		params := &stripe.RefundParams{PaymentIntent: stripe.String("pi_1")}
		params.AddExtra("colour", "red")
		_, err := api.Refunds.New(params)
		return err
	},
	"an unknown locale": func(api *client.API) error {
		_, err := api.CheckoutSessions.New(&stripe.CheckoutSessionParams{Locale: stripe.String("de-DE"),
			SuccessURL: stripe.String("https://example.com")})
		return err
	},
}
