package catalog_test

import (
	"context"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

const methodsPath = "/v1/payment_method_configurations"

// configuredMethods is an account with PayPal, and with methods that do not count: they are off, not yet available, not
// for euros, without a text, or those of a connected account or of another configuration.
const configuredMethods = `{"object":"list","has_more":false,"data":[
	{"id":"pmc_child","active":true,"is_default":true,"application":"ca_1","klarna":{"available":true,"display_preference":{"value":"on"}}},
	{"id":"pmc_other","active":true,"is_default":false,"application":null,"ideal":{"available":true,"display_preference":{"value":"on"}}},
	{"id":"pmc_1","active":true,"is_default":true,"application":null,
		"card":{"available":true,"display_preference":{"value":"on"}},
		"paypal":{"available":true,"display_preference":{"value":"on"}},
		"eps":{"available":true,"display_preference":{"value":"off"}},
		"sepa_debit":{"available":false,"display_preference":{"value":"on"}},
		"twint":{"available":true,"display_preference":{"value":"on"}},
		"apple_pay":{"available":true,"display_preference":{"value":"on"}}}]}`

// Before the first order, the prices can be paid by what the account's configuration offers.
func TestSyncReadsTheMethodsOfPayment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := context.Background()
	sync := func() {
		t.Helper()
		if n, err := f.Sync(ctx); err != nil || n != 3 {
			t.Errorf("sync = %d prices, %v; want 3", n, err)
		}
	}
	wantMethods := func(when string, want ...string) { // of the packages, the smallest first
		t.Helper()
		offers, err := f.Offers(ctx)
		var got []string
		for _, o := range offers {
			got = append(got, strings.Join(o.PaymentMethods, ","))
		}
		if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: methods of payment %q, %v; want %q", when, got, err, want)
		}
	}
	const asStandIn = "card,sepa_debit"
	wantMethods("from the start", asStandIn, asStandIn, asStandIn)

	f.overrides.Store(methodsPath, configuredMethods)
	dbtest.Concurrently(20, func(int) { sync() })
	wantMethods("as configured", "card,paypal", "card,paypal", "card,paypal")

	user := dbtest.User(t, f.DB, "ada@example.com")
	err := f.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
		idempotency_key, checkout_session_id, checkout_url)
		VALUES (gen_random_uuid(), ?, ?, 1, 500, 2000, 'eur', 'de', 'form', 'cs_test_1', 'https://stripe.example.com')`,
		user.ID, f.price[500].StripePriceID).Error
	if err != nil {
		t.Fatal(err)
	}
	f.overrides.Delete(methodsPath)
	sync()
	wantMethods("after an order", asStandIn, "card,paypal", asStandIn)

	for name, answer := range map[string]string{
		"a key without the right":  `{"error":{"type":"invalid_request_error","message":"no permission"}}`,
		"an answer without a list": `{}`, "no JSON": `<html>`,
	} {
		if err := f.DB.Exec(`UPDATE prices SET payment_methods = '{}' WHERE credits_per_unit = 100`).Error; err != nil {
			t.Fatal(err)
		}
		f.overrides.Store(methodsPath, answer)
		sync()
		offers, err := f.CurrentOffers(ctx)
		if err != nil || len(offers) != 3 || len(offers[0].PaymentMethods) > 0 {
			t.Errorf("%s: offers %+v, %v; want three, the first without methods", name, offers, err)
		}
	}
}
