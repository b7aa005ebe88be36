package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
	"github.com/resume-matcher/credits/services/webhook"
)

func TestPublishableKeyAsSecretKey(t *testing.T) {
	c := healthy(t)
	c.with("STRIPE_SECRET_KEY", "pk_test_4f1c9b27d0e85a36").wantRed("doctor.key.publishable")
}

func TestKeyThatStripeRefuses(t *testing.T) {
	c := healthy(t)
	c.stripe = stripeapi.New("sk_test_revoked0123456789", c.env["STRIPE_API_BASE"])
	c.wantRed("doctor.key.refused")
}

func TestKeyOfTheOtherMode(t *testing.T) {
	well := healthy(t)
	t.Run("a test key in production", func(t *testing.T) {
		well.in(t).with("APP_ENV", "production").with("STRIPE_API_BASE", "").wantRed("doctor.key.test_in_production")
	})
	t.Run("a live key outside production", func(t *testing.T) {
		well.in(t).live().with("APP_ENV", "development").wantRed("doctor.key.live_in_development")
	})
	t.Run("a publishable key of the other mode", func(t *testing.T) {
		well.in(t).with("STRIPE_PUBLISHABLE_KEY", "pk_live_7Yt3kPwQ9aFq").wantRed("doctor.key.other_mode")
	})
	t.Run("a secret key where the publishable one belongs", func(t *testing.T) {
		well.in(t).with("STRIPE_PUBLISHABLE_KEY", testKey).wantRed("doctor.key.not_publishable")
	})
	t.Run("a live key beside another server", func(t *testing.T) {
		c := well.in(t)
		base := c.env["STRIPE_API_BASE"]
		c.live().with("STRIPE_API_BASE", base).wantRed("doctor.configuration.stripe_api_base")
	})
}

func TestTaxOnInvoices(t *testing.T) {
	well := healthy(t)
	t.Run("undecided where money moves", func(t *testing.T) {
		well.in(t).live().with("SMALL_BUSINESS", "").wantWarning("doctor.tax.none")
	})
	t.Run("computed by Stripe", func(t *testing.T) {
		well.in(t).live().with("SMALL_BUSINESS", "").with("STRIPE_AUTOMATIC_TAX", "true").wantHealthy()
	})
	for want, says := range map[string]string{
		"doctor.tax.pending": `{"object":"tax.settings","status":"pending","status_details":{"pending":{"missing_fields":["head_office"]}}}`,
		"doctor.tax.unseen":  "",
	} {
		t.Run("computed by a Stripe that says "+want, func(t *testing.T) {
			c := well.in(t).with("STRIPE_AUTOMATIC_TAX", "true")
			base, err := url.Parse(c.env["STRIPE_API_BASE"])
			if err != nil {
				t.Fatal(err)
			}
			forward := httputil.NewSingleHostReverseProxy(base)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path != "/v1/tax/settings":
					forward.ServeHTTP(w, r)
				case says == "":
					http.Error(w, `{"error":{"type":"invalid_request_error"}}`, http.StatusForbidden)
				default:
					fmt.Fprint(w, says)
				}
			}))
			t.Cleanup(server.Close)
			c.stripe = stripeapi.New(testKey, server.URL)
			if says == "" {
				c.wantWarning(want)
				return
			}
			c.wantRed(want)
		})
	}
	t.Run("computed and not charged at once", func(t *testing.T) {
		well.in(t).with("SMALL_BUSINESS", "true").with("STRIPE_AUTOMATIC_TAX", "true").wantRed("doctor.configuration.small_business")
	})
	t.Run("not a yes or no", func(t *testing.T) {
		well.in(t).with("STRIPE_TAX_IDS", "perhaps").wantRed("doctor.configuration.stripe_tax_ids")
	})
}

func TestAddressThatNobodyReaches(t *testing.T) {
	well := healthy(t)
	t.Run("a live key with an http address", func(t *testing.T) {
		well.in(t).live().with("APP_URL", "http://credits.example.com").wantRed("doctor.address.not_https")
	})
	t.Run("a live key on this machine", func(t *testing.T) {
		well.in(t).live().with("APP_URL", "https://localhost:3000").wantRed("doctor.address.private")
	})
	t.Run("a test key on this machine", func(t *testing.T) {
		well.in(t).with("APP_URL", "http://localhost:3000").wantWarning("doctor.address.tunnel", "doctor.endpoint.no_address")
	})
}

func TestWebhookSecretThatCannotWork(t *testing.T) {
	well := healthy(t)
	for name, want := range map[string]struct{ value, text string }{
		"none":                       {"", "doctor.secrets.missing"},
		"an empty one in a list":     {"whsec_9c3e1b7a5d,,whsec_17f0aa42c8", "doctor.secrets.empty"},
		"the same twice":             {"whsec_9c3e1b7a5d, whsec_9c3e1b7a5d", "doctor.secrets.twice"},
		"the API key":                {testKey, "doctor.secrets.shape"},
		"the example of one":         {"whsec_xxxxxxxxxxxx", "doctor.secrets.shape"},
		"a comma at the end of one":  {"whsec_9c3e1b7a5d,", "doctor.secrets.empty"},
		"the example beside another": {"whsec_9c3e1b7a5d,whsec_...", "doctor.secrets.shape"},
	} {
		t.Run(name, func(t *testing.T) {
			well.in(t).with("STRIPE_WEBHOOK_SECRET", want.value).wantRed(want.text)
		})
	}
}

func TestEndpointThatDoesNotServe(t *testing.T) {
	well := healthy(t)
	t.Run("none", func(t *testing.T) {
		c := well.in(t)
		enabled, _ := c.at()
		_, err := c.stripe.WebhookEndpoints.Del(enabled[0].ID, nil)
		c.must(err)
		c.wantRed("doctor.endpoint.missing")
	})
	t.Run("of the account's default version", func(t *testing.T) {
		c := well.in(t)
		c.endpoint(nil, webhook.Events()...)
		c.wantRed("doctor.endpoint.version")
	})
	t.Run("of an older version", func(t *testing.T) {
		c := well.in(t)
		c.endpoint(stripe.String("2023-10-16"), "*")
		c.wantRed("doctor.endpoint.version")
	})
	t.Run("that lacks events", func(t *testing.T) {
		c := well.in(t)
		c.endpoint(stripe.String(stripe.APIVersion), "checkout.session.completed")
		c.wantRed("doctor.endpoint.events")
	})
	t.Run("disabled", func(t *testing.T) {
		c := well.in(t)
		enabled, _ := c.at()
		_, err := c.stripe.WebhookEndpoints.Update(enabled[0].ID, &stripe.WebhookEndpointParams{Disabled: stripe.Bool(true)})
		c.must(err)
		c.wantRed("doctor.endpoint.disabled")
		if secret := secretOf(t, c.fix()); secret != "" {
			t.Error("another endpoint was made")
		}
		c.wantHealthy()
	})
	t.Run("twice", func(t *testing.T) {
		c := well.in(t)
		c.addEndpoint(stripe.String(stripe.APIVersion), "*")
		c.wantWarning("doctor.endpoint.several")
	})
}

func TestPriceThatIsNotOurs(t *testing.T) {
	well := healthy(t)
	t.Run("archived at Stripe", func(t *testing.T) {
		c := well.in(t)
		_, err := c.stripe.Prices.Update(c.price().ID, &stripe.PriceParams{Active: stripe.Bool(false)})
		c.must(err)
		c.wantRed("doctor.prices.inactive")
		c.fix()
		c.wantHealthy()
	})
	t.Run("in another currency", func(t *testing.T) {
		c := well.in(t)
		old := c.price()
		_, err := c.stripe.Prices.New(&stripe.PriceParams{Product: stripe.String(old.Product.ID), Currency: stripe.String("usd"), UnitAmount: stripe.Int64(2000),
			LookupKey: stripe.String(old.LookupKey), TransferLookupKey: stripe.Bool(true), Metadata: map[string]string{"credits": "500"}})
		c.must(err)
		c.wantRed("doctor.prices.currency")
		c.fix()
		c.wantHealthy()
	})
	t.Run("of other credits", func(t *testing.T) {
		c := well.in(t)
		_, err := c.stripe.Prices.Update(c.price().ID, &stripe.PriceParams{Metadata: map[string]string{"credits": "5000"}})
		c.must(err)
		c.wantRed("doctor.prices.differs")
		c.fix()
		c.wantHealthy()
	})
	t.Run("changed in our table", func(t *testing.T) {
		c := well.in(t)
		c.must(c.db.Exec(`UPDATE prices SET price_in_cents = 1 WHERE credits_per_unit = 500`).Error)
		c.wantRed("doctor.prices.table")
		c.fix()
		c.wantHealthy()
	})
	t.Run("of another currency in our table", func(t *testing.T) {
		c := well.in(t)
		c.must(c.db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency) VALUES ('price_x', 10, 100, 'usd')`).Error)
		c.wantRed("doctor.prices.currencies")
		c.fix()
		c.wantHealthy()
	})
	t.Run("to be had in further currencies", func(t *testing.T) {
		c := well.in(t)
		price := c.price()
		_, err := c.stripe.Prices.Update(price.ID, &stripe.PriceParams{CurrencyOptions: map[string]*stripe.PriceCurrencyOptionsParams{"usd": {UnitAmount: stripe.Int64(2199)}}})
		c.must(err)
		c.wantRed("doctor.prices.further_currencies")
		_, err = c.stripe.Prices.Update(price.ID, &stripe.PriceParams{Active: stripe.Bool(false)})
		c.must(err)
		c.fix()
		c.wantHealthy()
	})
	t.Run("of another installation", func(t *testing.T) {
		c := well.in(t)
		tag := func(id string) {
			_, err := c.stripe.Prices.Update(c.price().ID, &stripe.PriceParams{Metadata: map[string]string{stripeapi.TagKey: id}})
			c.must(err)
		}
		tag("00000000-0000-4000-8000-000000000000")
		c.wantWarning("doctor.prices.other_installation")
		tag("")
		c.fix()
		c.wantHealthy()
	})
	t.Run("not in our table", func(t *testing.T) {
		c := well.in(t)
		c.must(c.db.Exec(`UPDATE prices SET active = false WHERE credits_per_unit = 100`).Error)
		c.wantRed("doctor.prices.unmirrored")
	})
}

func TestDatabaseThatCannotBeUsed(t *testing.T) {
	well := healthy(t)
	t.Run("nobody answers", func(t *testing.T) {
		well.in(t).with("DATABASE_URL", "postgres://app:hunter2@127.0.0.1:9/app").wantRed("doctor.database.away")
	})
	t.Run("no address of one", func(t *testing.T) {
		well.in(t).with("DATABASE_URL", "mysql://app@localhost/app").wantRed("doctor.database.shape")
	})
	t.Run("not migrated", func(t *testing.T) {
		c := well.in(t).with("DATABASE_URL", dbtest.Empty(t))
		c.wantRed("doctor.database.older")
		c.fix()
		c.wantWarning("doctor.prices.other_installation") // the prices at Stripe were made from another database
	})
	t.Run("of a newer program", func(t *testing.T) {
		c := well.in(t)
		c.must(c.db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`).Error)
		c.wantRed("doctor.database.newer")
	})
}

func TestPoolerAsDirectConnection(t *testing.T) {
	well := healthy(t)
	t.Run("that its address does not show", func(t *testing.T) {
		c := well.in(t)
		c.with("DATABASE_URL", dbtest.Pooler(t, c.env["DATABASE_URL"])).wantRed("doctor.database.pooled")
	})
	t.Run("that its address shows", func(t *testing.T) {
		c := well.in(t)
		c.with("DATABASE_URL", c.env["DATABASE_URL"]+"&pgbouncer=true").wantRed("doctor.database.pooled")
	})
	t.Run("both the wrong way round", func(t *testing.T) {
		c := well.in(t)
		direct := c.env["DATABASE_URL"]
		c.with("DATABASE_URL", dbtest.Pooler(t, direct)).with("DATABASE_POOL_URL", direct).wantRed("doctor.database.pooled")
	})
	t.Run("a direct connection as pooler", func(t *testing.T) {
		c := well.in(t)
		c.with("DATABASE_POOL_URL", c.env["DATABASE_URL"]).wantWarning("doctor.pooler.direct")
	})
	t.Run("a pooler of another database", func(t *testing.T) {
		c := well.in(t)
		c.with("DATABASE_POOL_URL", dbtest.Pooler(t, dbtest.URL(t))).wantRed("doctor.pooler.other_database", "doctor.prices.unmirrored",
			"doctor.prices.unmirrored", "doctor.prices.unmirrored")
	})
	t.Run("a pooler without a database", func(t *testing.T) {
		c := well.in(t)
		c.with("DATABASE_POOL_URL", c.env["DATABASE_URL"]).with("DATABASE_URL", "").wantRed("doctor.database.missing")
	})
}

func TestDatabaseWhoseDefaultsDoNotFit(t *testing.T) {
	well := healthy(t)
	for name, setting := range map[string]string{"a date style": "datestyle = 'German, DMY'", "a form of bytes": "bytea_output = 'escape'"} {
		t.Run(name+" does not matter", func(t *testing.T) {
			c := well.in(t)
			c.setDefault(setting)
			c.with("DATABASE_POOL_URL", dbtest.Pooler(t, c.env["DATABASE_URL"])).wantHealthy()
		})
	}
	t.Run("an isolation that the pooler does not change", func(t *testing.T) {
		c := well.in(t)
		c.setDefault("default_transaction_isolation = 'serializable'")
		defer c.setDefault("default_transaction_isolation = 'read committed'")
		c.with("DATABASE_POOL_URL", dbtest.Pooler(t, c.env["DATABASE_URL"])).wantRed("doctor.database.settings")
		if checks := c.fix(); Ill(checks) {
			t.Errorf("red after --fix: %v, want none", texts(checks, Red))
		}
	})
}

// Providers that do not say when a person signed in prove less, and whoever runs the product should know.
func TestProvidersWithoutAuthTime(t *testing.T) {
	claims := `"sub", "auth_time"`
	var provider *httptest.Server
	provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"claims_supported":[%s]}`, provider.URL, claims)
	}))
	t.Cleanup(provider.Close)
	c := newClinic(t).with("GITHUB_CLIENT_ID", "4711").with("GITHUB_CLIENT_SECRET", "b1946ac9d2").with("LINKEDIN_CLIENT_ID", "4711").
		with("LINKEDIN_CLIENT_SECRET", "b1946ac9d2").with("OIDC_CLIENT_ID", "4711").with("OIDC_CLIENT_SECRET", "b1946ac9d2").
		with("OIDC_ISSUER", provider.URL).with("OIDC_NAME", "Keycloak")
	named := func() (all []string) {
		for _, check := range c.check() {
			if check.Text == weakPresence && check.Level == Warning {
				all = append(all, fmt.Sprint(check.Args["providers"]))
			}
		}
		return all
	}
	if got := named(); !slices.Equal(got, []string{"Google, GitHub, LinkedIn"}) {
		t.Errorf("warned of %q, want of all three and not of the OpenID provider", got)
	}
	claims = `"sub"`
	if got := named(); !slices.Equal(got, []string{"Google, GitHub, LinkedIn", "Keycloak"}) {
		t.Errorf("warned of %q, want of the OpenID provider too", got)
	}
	for _, name := range []string{"GOOGLE", "GITHUB", "LINKEDIN"} {
		delete(c.env, name+"_CLIENT_ID")
		delete(c.env, name+"_CLIENT_SECRET")
	}
	claims = `"auth_time"`
	if got := named(); len(got) > 0 {
		t.Errorf("warned of %q, want of none", got)
	}
}

func TestRoleOfTheServer(t *testing.T) {
	well := healthy(t)
	t.Run("the owner's", func(t *testing.T) {
		checks := well.in(t).check()
		if got := texts(checks, Warning); Ill(checks) || !slices.Equal(got, []string{"doctor.role.powers", weakPresence}) {
			t.Errorf("warnings: %v, want one of the role", got)
		}
	})
	t.Run("its own", func(t *testing.T) {
		c := well.in(t)
		checks := c.with("DATABASE_POOL_URL", dbtest.ServerURL(c.env["DATABASE_URL"])).check()
		if got := texts(checks, Warning); Ill(checks) || !slices.Equal(got, []string{weakPresence}) || !slices.Contains(texts(checks, OK), "doctor.role.ok") {
			t.Errorf("warnings: %v, red: %v; want all well", got, texts(checks, Red))
		}
	})
	t.Run("its own, behind a pooler", func(t *testing.T) {
		c := well.in(t)
		checks := c.with("DATABASE_POOL_URL", dbtest.Pooler(t, dbtest.ServerURL(c.env["DATABASE_URL"]))).check()
		if got := texts(checks, Warning); Ill(checks) || !slices.Equal(got, []string{weakPresence}) || !slices.Contains(texts(checks, OK), "doctor.role.ok") {
			t.Errorf("warnings: %v, red: %v; want all well", got, texts(checks, Red))
		}
	})
}

func TestClockThatIsOff(t *testing.T) {
	well := healthy(t)
	for off, level := range map[time.Duration]Level{10 * time.Minute: Red, -10 * time.Minute: Red, 2 * time.Minute: Warning, 20 * time.Second: OK} {
		t.Run(off.String(), func(t *testing.T) {
			c := well.in(t)
			now := c.now
			c.now = func() time.Time { return now().Add(off) }
			switch level {
			case Red:
				c.wantRed("doctor.clock.far_off")
			case Warning:
				c.wantWarning("doctor.clock.drifting")
			default:
				c.wantHealthy()
			}
		})
	}
}

func TestIssuerThatIsNotTheOneNamed(t *testing.T) {
	var named string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/openid-configuration" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"claims_supported":["sub","auth_time"]}`, named)
	}))
	t.Cleanup(provider.Close)
	c := healthy(t).with("OIDC_CLIENT_ID", "4711").with("OIDC_CLIENT_SECRET", "b1946ac9d2").with("OIDC_ISSUER", provider.URL)
	named = provider.URL + "/"
	c.wantRed("doctor.sign_in.issuer")
	c.with("OIDC_ISSUER", provider.URL+"/").wantHealthy()
	c.with("OIDC_ISSUER", provider.URL+"/realm").wantRed("doctor.sign_in.no_discovery")
}

func TestNobodyCanSignIn(t *testing.T) {
	healthy(t).with("GOOGLE_CLIENT_ID", "").with("GOOGLE_CLIENT_SECRET", "").wantRed("doctor.sign_in.none")
}

// Whoever mistypes the key's name, or forgets it, must not get a sandbox on the real database and the public address.
func TestSandboxBesideARealSetUp(t *testing.T) {
	well := healthy(t)
	c := well.in(t).with("STRIPE_SECRET_KEY", "").with("STRIPE_API_BASE", "").with("STRIPE_SECRET_KEYS", liveKey)
	c.wantRed("doctor.configuration.not_for_sandbox", "doctor.configuration.not_for_sandbox", "doctor.configuration.not_for_sandbox", "doctor.configuration.meant",
		"doctor.configuration.not_for_sandbox", "doctor.address.not_for_sandbox")
	t.Run("a foreign database is not touched", func(t *testing.T) {
		well.in(t).with("STRIPE_SECRET_KEY", "").with("STRIPE_API_BASE", "").with("STRIPE_WEBHOOK_SECRET", "").with("SESSION_SECRET", "").
			with("GOOGLE_CLIENT_ID", "").with("GOOGLE_CLIENT_SECRET", "").with("APP_URL", "").with("STRIPE_KEY", "x").
			with("DATABASE_URL", "postgres://app@db.example.com/app").wantRed("doctor.configuration.unknown", "doctor.database.not_for_sandbox")
	})
	t.Run("an old schema is not migrated", func(t *testing.T) {
		empty := dbtest.Empty(t)
		c := well.in(t).with("STRIPE_SECRET_KEY", "").with("STRIPE_API_BASE", "").with("DATABASE_URL", empty)
		c.check()
		if seen, err := postgres.Inspect(t.Context(), empty); err != nil || seen.Have != 0 {
			t.Errorf("schema = %d, %v; want none: nobody asked for it", seen.Have, err)
		}
	})
}

func TestProductionThatTrustsTheNetwork(t *testing.T) {
	well := healthy(t)
	t.Run("a database whose certificate nobody checks", func(t *testing.T) {
		well.in(t).live().with("DATABASE_URL", "postgres://app:hunter2@db.example.com/app?sslmode=require").wantRed("doctor.database.unverified")
	})
	t.Run("a pooler without TLS", func(t *testing.T) {
		well.in(t).live().with("DATABASE_POOL_URL", "postgres://app:hunter2@db.example.com/app?sslmode=disable").wantRed("doctor.database.unverified")
	})
	t.Run("an issuer in the clear", func(t *testing.T) {
		well.in(t).live().with("OIDC_CLIENT_ID", "4711").with("OIDC_CLIENT_SECRET", "b1946ac9d2").with("OIDC_ISSUER", "http://login.example.com").
			wantRed("doctor.configuration.oidc_issuer")
	})
	t.Run("another Stripe, with a test key", func(t *testing.T) {
		c := well.in(t).with("APP_ENV", "production").with("SMALL_BUSINESS", "true")
		c.wantRed("doctor.configuration.stripe_api_base", "doctor.key.test_in_production")
	})
}

func TestSessionSecretThatCanBeGuessed(t *testing.T) {
	well := healthy(t)
	t.Run("short", func(t *testing.T) {
		well.in(t).with("SESSION_SECRET", "6d0c1f7be2a94c58").wantRed("doctor.session.short")
	})
	t.Run("of one character", func(t *testing.T) {
		well.in(t).with("SESSION_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").wantRed("doctor.session.placeholder")
	})
	t.Run("an example", func(t *testing.T) {
		well.in(t).with("SESSION_SECRET", "changeme-changeme-changeme-changeme").wantRed("doctor.session.placeholder")
	})
	t.Run("none in production", func(t *testing.T) {
		well.in(t).live().with("SESSION_SECRET", "").wantRed("doctor.session.missing")
	})
	t.Run("none in test mode", func(t *testing.T) {
		well.in(t).with("SESSION_SECRET", "").wantWarning("doctor.session.generated")
	})
}

func TestAddressesInAnOldSpelling(t *testing.T) {
	well := healthy(t).in(t)
	for _, statement := range []string{`ALTER TABLE users DISABLE TRIGGER users_email_canonical`,
		`INSERT INTO users (email) VALUES (E'j\u00f6rg@example.org'), (E'jo\u0308rg@example.org'), ('carl@xn--bcher-kva.example')`,
		`ALTER TABLE users ENABLE TRIGGER users_email_canonical`} {
		if err := well.db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	well.wantWarning("doctor.sign_in.spelling")
}
