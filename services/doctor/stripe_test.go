package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/webhook"
)

func TestPublishableKeyAsSecretKey(t *testing.T) {
	f := healthy(t)
	f.with("STRIPE_SECRET_KEY", "pk_test_4f1c9b27d0e85a36").wantRed("doctor.key.publishable")
}

func TestKeyRefusedByStripe(t *testing.T) {
	f := healthy(t)
	f.stripe = stripeapi.New("sk_test_revoked0123456789", f.env["STRIPE_API_BASE"])
	f.wantRed("doctor.key.refused")
}

func TestKeyOfTheOtherMode(t *testing.T) {
	base := healthy(t)
	t.Run("a test key in production", func(t *testing.T) {
		base.forTest(t).with("APP_ENV", "production").with("STRIPE_API_BASE", "").wantRed("doctor.key.test_in_production")
	})
	t.Run("a live key outside production", func(t *testing.T) {
		base.forTest(t).live().with("APP_ENV", "development").wantRed("doctor.key.live_in_development")
	})
	t.Run("a publishable key of the other mode", func(t *testing.T) {
		base.forTest(t).with("STRIPE_PUBLISHABLE_KEY", "pk_live_7Yt3kPwQ9aFq").wantRed("doctor.key.other_mode")
	})
	t.Run("a secret key as publishable key", func(t *testing.T) {
		base.forTest(t).with("STRIPE_PUBLISHABLE_KEY", testKey).wantRed("doctor.key.not_publishable")
	})
	t.Run("a live key for another server", func(t *testing.T) {
		f := base.forTest(t)
		base := f.env["STRIPE_API_BASE"]
		f.live().with("STRIPE_API_BASE", base).wantRed("doctor.configuration.stripe_api_base")
	})
}

func TestKeyThatMayNotListEvents(t *testing.T) {
	healthy(t).answering("/v1/events", "").wantWarning("doctor.key.events_unread")
}

func TestTaxOnInvoices(t *testing.T) {
	base := healthy(t)
	t.Run("undecided where money moves", func(t *testing.T) {
		base.forTest(t).live().with("SMALL_BUSINESS", "").wantWarning("doctor.tax.none")
	})
	t.Run("computed by Stripe", func(t *testing.T) {
		base.forTest(t).live().with("SMALL_BUSINESS", "").with("STRIPE_AUTOMATIC_TAX", "true").wantHealthy()
	})
	for want, answer := range map[string]string{
		"doctor.tax.pending": `{"object":"tax.settings","status":"pending","status_details":{"pending":{"missing_fields":["head_office"]}}}`,
		"doctor.tax.unseen":  "",
	} {
		t.Run("computed by Stripe: "+want, func(t *testing.T) {
			f := base.forTest(t).with("STRIPE_AUTOMATIC_TAX", "true").answering("/v1/tax/settings", answer)
			if answer == "" {
				f.wantWarning(want)
				return
			}
			f.wantRed(want)
		})
	}
	t.Run("computed, and not charged", func(t *testing.T) {
		base.forTest(t).with("SMALL_BUSINESS", "true").with("STRIPE_AUTOMATIC_TAX",
			"true").wantRed("doctor.configuration.small_business")
	})
	t.Run("neither true nor false", func(t *testing.T) {
		base.forTest(t).with("STRIPE_TAX_IDS", "perhaps").wantRed("doctor.configuration.yes_or_no")
	})
}

// answering lets Stripe give its own answer at one address; an empty one refuses a key that lacks the right.
func (f *fixture) answering(path, answer string) *fixture {
	f.t.Helper()
	base, err := url.Parse(f.env["STRIPE_API_BASE"])
	f.must(err)
	forward := httputil.NewSingleHostReverseProxy(base)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != path:
			forward.ServeHTTP(w, r)
		case answer == "":
			http.Error(w, `{"error":{"type":"invalid_request_error"}}`, http.StatusForbidden)
		default:
			fmt.Fprint(w, answer)
		}
	}))
	f.t.Cleanup(server.Close)
	f.stripe = stripeapi.New(testKey, server.URL)
	return f
}

// Without the methods of payment the order form cannot name them. Once an order has shown them, the right to read them
// is not needed.
func TestMethodsOfPayment(t *testing.T) {
	base := healthy(t)
	const path = "/v1/payment_method_configurations"
	base.must(base.db.Exec(`UPDATE prices SET payment_methods = '{}'`).Error)
	base.forTest(t).wantWarning("doctor.prices.methods")
	refused := base.forTest(t).answering(path, "")
	refused.wantWarning("doctor.prices.methods_unread")
	refused.fix()
	refused.wantWarning("doctor.prices.methods_unread")
	base.fix()
	base.wantHealthy()
	base.forTest(t).answering(path, "").wantHealthy()
}

func TestAddressThatStripeCannotReach(t *testing.T) {
	base := healthy(t)
	t.Run("a live key with an http address", func(t *testing.T) {
		base.forTest(t).live().with("APP_URL", "http://credits.example.com").wantRed("doctor.address.not_https")
	})
	t.Run("a live key on this machine", func(t *testing.T) {
		base.forTest(t).live().with("APP_URL", "https://localhost:3000").wantRed("doctor.address.private")
	})
	t.Run("a test key on this machine", func(t *testing.T) {
		base.forTest(t).with("APP_URL", "http://localhost:3000").wantWarning("doctor.address.tunnel",
			"doctor.endpoint.no_address")
	})
}

func TestInvalidWebhookSecret(t *testing.T) {
	base := healthy(t)
	for name, c := range map[string]struct{ value, text string }{
		"none":                   {"", "doctor.secrets.missing"},
		"an empty one in a list": {"whsec_9c3e1b7a5d,,whsec_17f0aa42c8", "doctor.secrets.empty"},
		"the same twice":         {"whsec_9c3e1b7a5d, whsec_9c3e1b7a5d", "doctor.secrets.twice"},
		"the API key":            {testKey, "doctor.secrets.shape"},
		"an example":             {"whsec_xxxxxxxxxxxx", "doctor.secrets.shape"},
		"a comma at the end":     {"whsec_9c3e1b7a5d,", "doctor.secrets.empty"},
		"an example in a list":   {"whsec_9c3e1b7a5d,whsec_...", "doctor.secrets.shape"},
	} {
		t.Run(name, func(t *testing.T) {
			base.forTest(t).with("STRIPE_WEBHOOK_SECRET", c.value).wantRed(c.text)
		})
	}
}

func TestInvalidEndpoint(t *testing.T) {
	base := healthy(t)
	t.Run("none", func(t *testing.T) {
		f := base.forTest(t)
		enabled, _ := f.endpoints()
		_, err := f.stripe.WebhookEndpoints.Del(enabled[0].ID, nil)
		f.must(err)
		f.wantRed("doctor.endpoint.missing")
	})
	t.Run("of the account's default version", func(t *testing.T) {
		f := base.forTest(t)
		f.replaceEndpoint(nil, webhook.Events()...)
		f.wantRed("doctor.endpoint.version")
	})
	t.Run("of an older version", func(t *testing.T) {
		f := base.forTest(t)
		f.replaceEndpoint(stripe.String("2023-10-16"), "*")
		f.wantRed("doctor.endpoint.version")
	})
	t.Run("without some events", func(t *testing.T) {
		f := base.forTest(t)
		f.replaceEndpoint(stripe.String(stripe.APIVersion), "checkout.session.completed")
		f.wantRed("doctor.endpoint.events")
	})
	t.Run("disabled", func(t *testing.T) {
		f := base.forTest(t)
		enabled, _ := f.endpoints()
		_, err := f.stripe.WebhookEndpoints.Update(enabled[0].ID, &stripe.WebhookEndpointParams{Disabled: stripe.Bool(true)})
		f.must(err)
		f.wantRed("doctor.endpoint.disabled")
		if secret := secretOf(t, f.fix()); secret != "" {
			t.Error("got a new endpoint, want the old one enabled")
		}
		f.wantHealthy()
	})
	t.Run("twice", func(t *testing.T) {
		f := base.forTest(t)
		f.addEndpoint(stripe.String(stripe.APIVersion), "*")
		f.wantWarning("doctor.endpoint.several")
	})
}

func TestInvalidPrice(t *testing.T) {
	base := healthy(t)
	t.Run("archived at Stripe", func(t *testing.T) {
		f := base.forTest(t)
		_, err := f.stripe.Prices.Update(f.price().ID, &stripe.PriceParams{Active: stripe.Bool(false)})
		f.must(err)
		f.wantRed("doctor.prices.inactive")
		f.fix()
		f.wantHealthy()
	})
	t.Run("in another currency", func(t *testing.T) {
		f := base.forTest(t)
		old := f.price()
		_, err := f.stripe.Prices.New(&stripe.PriceParams{Product: stripe.String(old.Product.ID),
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(2000),
			LookupKey: stripe.String(old.LookupKey), TransferLookupKey: stripe.Bool(true),
			Metadata: map[string]string{"credits": "500"}})
		f.must(err)
		f.wantRed("doctor.prices.currency")
		f.fix()
		f.wantHealthy()
	})
	t.Run("of other credits", func(t *testing.T) {
		f := base.forTest(t)
		_, err := f.stripe.Prices.Update(f.price().ID, &stripe.PriceParams{Metadata: map[string]string{"credits": "5000"}})
		f.must(err)
		f.wantRed("doctor.prices.differs")
		f.fix()
		f.wantHealthy()
	})
	t.Run("changed in our table", func(t *testing.T) {
		f := base.forTest(t)
		f.must(f.db.Exec(`UPDATE prices SET price_in_cents = 1 WHERE credits_per_unit = 500`).Error)
		f.wantRed("doctor.prices.table")
		f.fix()
		f.wantHealthy()
	})
	t.Run("of another currency in our table", func(t *testing.T) {
		f := base.forTest(t)
		f.must(
			f.db.Exec(
				`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency) VALUES ('price_x', 10, 100, 'usd')`).Error)
		f.wantRed("doctor.prices.currencies")
		f.fix()
		f.wantHealthy()
	})
	t.Run("with further currencies", func(t *testing.T) {
		f := base.forTest(t)
		price := f.price()
		_, err := f.stripe.Prices.Update(price.ID,
			&stripe.PriceParams{CurrencyOptions: map[string]*stripe.PriceCurrencyOptionsParams{"usd": {UnitAmount: stripe.Int64(
				2199)}}})
		f.must(err)
		f.wantRed("doctor.prices.further_currencies")
		_, err = f.stripe.Prices.Update(price.ID, &stripe.PriceParams{Active: stripe.Bool(false)})
		f.must(err)
		f.fix()
		f.wantHealthy()
	})
	t.Run("of another installation", func(t *testing.T) {
		f := base.forTest(t)
		tag := func(id string) {
			_, err := f.stripe.Prices.Update(f.price().ID,
				&stripe.PriceParams{Metadata: map[string]string{stripeapi.TagKey: id}})
			f.must(err)
		}
		tag("00000000-0000-4000-8000-000000000000")
		f.wantWarning("doctor.prices.other_installation")
		tag("")
		f.fix()
		f.wantHealthy()
	})
	t.Run("of the product that all packages shared", func(t *testing.T) {
		f := base.forTest(t)
		_, err := f.stripe.Prices.Update(f.price().ID,
			&stripe.PriceParams{LookupKey: stripe.String("resume_matcher_credits_500")})
		f.must(err)
		f.wantWarning("doctor.prices.unnamed")
		f.fix()
		f.wantHealthy()
	})
	t.Run("with an outdated description", func(t *testing.T) {
		f := base.forTest(t)
		f.must(f.db.Exec(`UPDATE feature_prices SET credits = 20 WHERE feature = 'resume_analysis'`).Error)
		f.wantWarning("doctor.prices.description", "doctor.prices.description", "doctor.prices.description")
		f.fix()
		f.wantHealthy()
	})
	t.Run("not in our table", func(t *testing.T) {
		f := base.forTest(t)
		f.must(f.db.Exec(`UPDATE prices SET active = false WHERE credits_per_unit = 100`).Error)
		f.wantRed("doctor.prices.unmirrored")
	})
}
