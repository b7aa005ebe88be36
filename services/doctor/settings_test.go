package doctor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// Without auth_time, a reauthentication is weaker.
func TestProvidersWithoutAuthTimeAreListed(t *testing.T) {
	claims := `"sub", "auth_time"`
	var provider *httptest.Server
	provider = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"claims_supported":[%s]}`, provider.URL, claims)
	}))
	t.Cleanup(provider.Close)
	f := newFixture(t).with("GITHUB_CLIENT_ID", "4711").with("GITHUB_CLIENT_SECRET",
		"b1946ac9d2").with("LINKEDIN_CLIENT_ID", "4711").
		with("LINKEDIN_CLIENT_SECRET", "b1946ac9d2").with("OIDC_CLIENT_ID", "4711").with("OIDC_CLIENT_SECRET", "b1946ac9d2").
		with("OIDC_ISSUER", provider.URL).with("OIDC_NAME", "Keycloak")
	warned := func() (all []string) {
		for _, check := range f.check() {
			if check.Text == weakPresence && check.Level == Warning {
				all = append(all, fmt.Sprint(check.Args["providers"]))
			}
		}
		return all
	}
	if got := warned(); !slices.Equal(got, []string{"Google, GitHub, LinkedIn"}) {
		t.Errorf("got a warning of %q, want all three without the OpenID provider", got)
	}
	claims = `"sub"`
	if got := warned(); !slices.Equal(got, []string{"Google, GitHub, LinkedIn", "Keycloak"}) {
		t.Errorf("got a warning of %q, want the OpenID provider too", got)
	}
	for _, name := range []string{"GOOGLE", "GITHUB", "LINKEDIN"} {
		delete(f.env, name+"_CLIENT_ID")
		delete(f.env, name+"_CLIENT_SECRET")
	}
	claims = `"auth_time"`
	if got := warned(); len(got) > 0 {
		t.Errorf("got a warning of %q, want none", got)
	}
}

func TestClockDifference(t *testing.T) {
	base := healthy(t)
	for off, level := range map[time.Duration]Level{10 * time.Minute: Red, -10 * time.Minute: Red,
		2 * time.Minute: Warning, 20 * time.Second: OK} {
		t.Run(off.String(), func(t *testing.T) {
			f := base.forTest(t)
			now := f.now
			f.now = func() time.Time { return now().Add(off) }
			switch level {
			case Red:
				f.wantRed("doctor.clock.far_off")
			case Warning:
				f.wantWarning("doctor.clock.drifting")
			default:
				f.wantHealthy()
			}
		})
	}
}

func TestIssuerDiffersFromItsDocument(t *testing.T) {
	var named string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/openid-configuration" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"claims_supported":["sub","auth_time"]}`, named)
	}))
	t.Cleanup(provider.Close)
	f := healthy(t).with("OIDC_CLIENT_ID", "4711").with("OIDC_CLIENT_SECRET", "b1946ac9d2").with("OIDC_ISSUER",
		provider.URL)
	named = provider.URL + "/"
	f.wantRed("doctor.sign_in.issuer")
	f.with("OIDC_ISSUER", provider.URL+"/").wantHealthy()
	f.with("OIDC_ISSUER", provider.URL+"/realm").wantRed("doctor.sign_in.no_discovery")
}

func TestNoSignInProvider(t *testing.T) {
	healthy(t).with("GOOGLE_CLIENT_ID", "").with("GOOGLE_CLIENT_SECRET", "").wantRed("doctor.sign_in.none")
}

// A missing or mistyped key must not start a sandbox on the real database and the public address.
func TestSandboxWithSettingsOfARealSetUp(t *testing.T) {
	base := healthy(t)
	f := base.forTest(t).with("STRIPE_SECRET_KEY", "").with("STRIPE_API_BASE", "").with("STRIPE_SECRET_KEYS", liveKey)
	f.wantRed("doctor.configuration.not_for_sandbox", "doctor.configuration.not_for_sandbox",
		"doctor.configuration.not_for_sandbox", "doctor.configuration.not_for_sandbox", "doctor.configuration.meant",
		"doctor.configuration.not_for_sandbox", "doctor.address.not_for_sandbox")
	t.Run("a foreign database is not touched", func(t *testing.T) {
		base.forTest(t).with("STRIPE_SECRET_KEY", "").with("STRIPE_API_BASE", "").with("STRIPE_WEBHOOK_SECRET",
			"").with("SESSION_SECRET", "").with("SMTP_URL", "").
			with("GOOGLE_CLIENT_ID", "").with("GOOGLE_CLIENT_SECRET", "").with("APP_URL", "").with("STRIPE_KEY", "x").
			with("DATABASE_URL", "postgres://app@db.example.com/app").wantRed("doctor.configuration.unknown",
			"doctor.database.not_for_sandbox")
	})
	t.Run("an old schema is not migrated", func(t *testing.T) {
		empty := dbtest.Empty(t)
		f := base.forTest(t).with("STRIPE_SECRET_KEY", "").with("STRIPE_API_BASE", "").with("DATABASE_URL", empty)
		f.check()
		if schema, err := postgres.Inspect(t.Context(), empty); err != nil || schema.Have != 0 {
			t.Errorf("got schema %d, %v, want 0: without --fix", schema.Have, err)
		}
	})
}

func TestUnverifiedConnectionsInProduction(t *testing.T) {
	base := healthy(t)
	t.Run("a database without verification", func(t *testing.T) {
		base.forTest(t).live().with("DATABASE_URL",
			"postgres://app:hunter2@db.example.com/app?sslmode=require").wantRed("doctor.database.unverified")
	})
	t.Run("a pooler without TLS", func(t *testing.T) {
		base.forTest(t).live().with("DATABASE_POOL_URL",
			"postgres://app:hunter2@db.example.com/app?sslmode=disable").wantRed("doctor.database.unverified")
	})
	t.Run("an issuer over http", func(t *testing.T) {
		base.forTest(t).live().with("OIDC_CLIENT_ID", "4711").with("OIDC_CLIENT_SECRET", "b1946ac9d2").with("OIDC_ISSUER",
			"http://login.example.com").
			wantRed("doctor.configuration.oidc_issuer")
	})
	t.Run("another Stripe, with a test key", func(t *testing.T) {
		f := base.forTest(t).with("APP_ENV", "production").with("SMALL_BUSINESS", "true")
		f.wantRed("doctor.configuration.stripe_api_base", "doctor.key.test_in_production")
	})
}

func TestWeakSessionSecret(t *testing.T) {
	base := healthy(t)
	t.Run("short", func(t *testing.T) {
		base.forTest(t).with("SESSION_SECRET", "6d0c1f7be2a94c58").wantRed("doctor.session.short")
	})
	t.Run("of one character", func(t *testing.T) {
		base.forTest(t).with("SESSION_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").wantRed("doctor.session.placeholder")
	})
	t.Run("an example", func(t *testing.T) {
		base.forTest(t).with("SESSION_SECRET", "changeme-changeme-changeme-changeme").wantRed("doctor.session.placeholder")
	})
	t.Run("none in production", func(t *testing.T) {
		base.forTest(t).live().with("SESSION_SECRET", "").wantRed("doctor.session.missing")
	})
	t.Run("none in test mode", func(t *testing.T) {
		base.forTest(t).with("SESSION_SECRET", "").wantWarning("doctor.session.generated")
	})
}

func TestAddressesNotInCanonicalForm(t *testing.T) {
	base := healthy(t).forTest(t)
	for _, statement := range []string{`ALTER TABLE users DISABLE TRIGGER users_email_canonical`,
		`INSERT INTO users (email) VALUES (E'j\u00f6rg@example.org'), (E'jo\u0308rg@example.org'), ('carl@xn--bcher-kva.example')`,
		`ALTER TABLE users ENABLE TRIGGER users_email_canonical`} {
		if err := base.db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	base.wantWarning("doctor.sign_in.spelling")
}
