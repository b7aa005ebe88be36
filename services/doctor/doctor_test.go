package doctor

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/config"
	"github.com/resume-matcher/credits/services/webhook"
)

func TestFixCorrectsTheEndpoint(t *testing.T) {
	t.Run("creates what is missing, once", func(t *testing.T) {
		f := newFixture(t)
		f.with("DATABASE_URL", dbtest.Empty(t))
		f.wantRed("doctor.database.older", "doctor.endpoint.missing")
		secret := secretOf(t, f.fix())
		if !strings.HasPrefix(secret, "whsec_") {
			t.Error("got a secret without the prefix whsec_")
		}
		f.with("STRIPE_WEBHOOK_SECRET", secret)
		f.wantHealthy()
		if again := f.fix(); AnyRed(again) || len(warnings(again)) > 0 || secretOf(t, again) != "" {
			t.Errorf("second run: got red %v, warnings %v or a secret, want none", texts(again, Red), texts(again, Warning))
		}
		enabled, disabled := f.endpoints()
		if len(enabled) != 1 || len(disabled) != 0 {
			t.Fatalf("got %d enabled and %d disabled endpoints, want 1 and 0", len(enabled), len(disabled))
		}
		if e := enabled[0]; e.APIVersion != stripe.APIVersion ||
			!slices.Equal(slices.Sorted(slices.Values(e.EnabledEvents)), webhook.Events()) {
			t.Errorf("got an endpoint of version %s with events %v", e.APIVersion, e.EnabledEvents)
		}
	})
	t.Run("adds the missing events and keeps the others", func(t *testing.T) {
		f := healthy(t)
		f.replaceEndpoint(stripe.String(stripe.APIVersion), "checkout.session.completed", "invoice.paid")
		before, _ := f.endpoints()
		if secret := secretOf(t, f.fix()); secret != "" {
			t.Error("got a new endpoint, want the old one changed")
		}
		f.wantHealthy()
		after, disabled := f.endpoints()
		if len(after) != 1 || len(disabled) != 0 || after[0].ID != before[0].ID ||
			!slices.Contains(after[0].EnabledEvents, "invoice.paid") {
			t.Errorf("got endpoints %v, want the one with invoice.paid", after)
		}
	})
	t.Run("replaces an endpoint of another version, and disables it afterwards", func(t *testing.T) {
		f := healthy(t)
		f.replaceEndpoint(nil, "*")
		before, _ := f.endpoints()
		checks := f.fix()
		if secretOf(t, checks) == "" || !slices.Contains(texts(checks, OK), "doctor.endpoint.replaced") {
			t.Errorf("got %v, want the replacement and a secret", checks)
		}
		f.wantHealthy()
		enabled, disabled := f.endpoints()
		if len(enabled) != 1 || len(disabled) != 1 || disabled[0].ID != before[0].ID ||
			enabled[0].APIVersion != stripe.APIVersion {
			t.Errorf("got enabled %v, disabled %v, want one new and the old one", enabled, disabled)
		}
		f.fix()
		if again, _ := f.endpoints(); len(again) != 1 || again[0].ID != enabled[0].ID {
			t.Errorf("second run: got endpoints %v, want the same", again)
		}
	})
	t.Run("creates no endpoint that Stripe cannot reach", func(t *testing.T) {
		f := newFixture(t).with("APP_URL", "http://localhost:3000")
		if secret := secretOf(t, f.fix()); secret != "" {
			t.Error("got a new endpoint, want none")
		}
		f.wantWarning("doctor.address.tunnel", "doctor.endpoint.no_address")
	})
}

// secretOf returns the secret in the findings and wants at most one.
func secretOf(t *testing.T, checks []Check) (secret string) {
	t.Helper()
	for _, c := range checks {
		if c.Secret != "" && secret != "" {
			t.Error("got two secrets, want at most one")
		}
		secret += c.Secret.Reveal()
	}
	return secret
}

func TestHealthyProductionBehindAPooler(t *testing.T) {
	f := healthy(t).live().with("STRIPE_PUBLISHABLE_KEY", "pk_live_7Yt3kPwQ9aFq")
	f.with("DATABASE_POOL_URL", dbtest.Pooler(t, f.env["DATABASE_URL"])).wantHealthy()
}

// Each problem is reported once.
func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, now: models.Now, env: map[string]string{"PORT": "http", "APP_ENV": "production",
		"APP_URL": "credits", "STRIPE_SECRET_KEY": "changeme",
		"SESSION_SECRET": "short", "LOG_LEVEL": "loud", "GITHUB_CLIENT_ID": "x", "TRUSTED_PROXIES": "me",
		"ADMIN_EMAILS": "me", "LOG_FORMAT": "xml", "TERMS_URL": "/terms"}}
	f.wantRed("doctor.configuration.admin_emails", "doctor.configuration.provider", "doctor.configuration.log_format",
		"doctor.configuration.log_level",
		"doctor.configuration.port", "doctor.configuration.legal_url", "doctor.configuration.trusted_proxies",
		"doctor.session.short", "doctor.address.not_https",
		"doctor.database.missing", "doctor.key.shape", "doctor.secrets.missing", "doctor.sign_in.none", "doctor.mail.none",
		"doctor.legal.missing")
	f.env = map[string]string{"APP_ENV": "staging", "OIDC_ISSUER": "login", "OIDC_CLIENT_ID": "x",
		"OIDC_CLIENT_SECRET": "y", ".env": "unreadable"}
	f.wantRed("doctor.configuration.env_file", "doctor.configuration.app_env", "doctor.configuration.not_for_sandbox",
		"doctor.configuration.not_for_sandbox",
		"doctor.configuration.not_for_sandbox")
}

func TestProblemWithoutATextShowsItsAdvice(t *testing.T) {
	t.Parallel()
	s := &SetUp{Problems: config.Problems{{Name: "FUTURE", Advice: "must be bright"}}}
	checks := s.checkConfiguration(nil)
	if len(checks) != 1 || checks[0].Text != "doctor.configuration.unlisted" ||
		checks[0].Args["advice"] != "must be bright" || checks[0].Args["setting"] != "FUTURE" {
		t.Errorf("got %+v, want the advice of config", checks)
	}
}

func TestFailedStartOfTheSandboxIsRed(t *testing.T) {
	t.Parallel()
	f := &fixture{t: t, now: models.Now, env: map[string]string{}}
	cfg, err := config.Load(nil)
	f.must(err)
	s := &SetUp{Config: cfg, Failed: errors.New("no room"), Now: models.Now, Log: slog.New(slog.DiscardHandler)}
	checks := s.Run(t.Context())
	wantComplete(t, checks)
	if got := texts(checks, Red); !slices.Equal(got, []string{"doctor.sandbox.failed"}) {
		t.Errorf("got red %v, want only the failed start", got)
	}
}

func TestCallableSendsLiveKeysToStripeOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, base string
		want      bool
	}{
		{testKey, "", true}, {testKey, "http://localhost:12111", true}, {"rk_test_12345678", "", true}, {liveKey, "", true},
		// would leak a live key
		{liveKey, "http://localhost:12111", false}, {"rk_live_12345678", "http://localhost:12111", false},
		{"pk_live_12345678", "", false}, {"", "", false}, {"changeme", "", false},
	} {
		if got := Callable(config.Config{StripeSecretKey: config.Secret(c.key), StripeAPIBase: c.base}); got != c.want {
			t.Errorf("Callable(%q, %q): got %v, want %v", c.key, c.base, got, c.want)
		}
	}
}

func TestPublicHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"credits.example.com": true, "Credits.Example.COM.": true, "203.0.113.7": true, "2001:db8::1": true,
		"localhost": false, "app.localhost": false, "db": false, "printer.local": false, "app.internal": false,
		"127.0.0.1": false, "::1": false,
		"10.1.2.3": false, "192.168.0.1": false, "169.254.1.1": false, "100.64.0.1": false, "fd00::1": false,
		"0.0.0.0": false, "::ffff:10.0.0.1": false, "": false,
	} {
		if got := publicHost(host); got != want {
			t.Errorf("publicHost(%q): got %v, want %v", host, got, want)
		}
	}
}

func TestServerChecksVersionAndEncryption(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		conn postgres.Connection
		want []Check
	}{
		{"a socket", postgres.Connection{Version: 15}, nil},
		{"this machine", postgres.Connection{Version: 15, Remote: net.IPv6loopback}, nil},
		{"TLS over the internet", postgres.Connection{Version: 18, Encrypted: true, Remote: net.IPv4(203, 0, 113, 7)}, nil},
		{"no TLS over the internet", postgres.Connection{Version: 18, Remote: net.IPv4(203, 0, 113, 7)},
			area("a").wrong("X", "doctor.database.plain")},
		{"no TLS in a private network", postgres.Connection{Version: 18, Remote: net.IPv4(10, 0, 0, 7)},
			area("a").warning("doctor.database.plain_private", facts{"setting": "X"})},
		{"too old", postgres.Connection{Version: 14},
			area("a").red("doctor.database.old", facts{"setting": "X", "version": "14", "wanted": "15"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := area("a").server(c.conn, "X"); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestWriteAlignsFindings(t *testing.T) {
	t.Parallel()
	checks := append(area("doctor.area.key").ok("first", nil),
		area("doctor.area.endpoint").warning("second", facts{"url": "u"})...)
	checks[1].Secret = "whsec_4711"
	checks = append(checks, area("doctor.area.database").ok("third", nil)...)
	var out strings.Builder
	err := Write(&out, config.Test, checks, func(key string, args map[string]any) string {
		switch key {
		case "doctor.level.warning":
			return "Hör zu"
		case "doctor.summary":
			return fmt.Sprint(args["ok"], args["warning"], args["red"])
		}
		return key[strings.LastIndexByte(key, '.')+1:]
	})
	want := "start\n  ok      database  third\n\nsell\n  ok      key       first\n  Hör zu  endpoint  second\n\n" +
		"    STRIPE_WEBHOOK_SECRET=whsec_4711\n\n\n2 1 0\nserve\n"
	if err != nil || out.String() != want {
		t.Errorf("got %q, %v, want %q", out.String(), err, want)
	}
	if text := fmt.Sprintf("%v %+v", checks, checks); strings.Contains(text, "4711") {
		t.Errorf("got the secret in %s", text)
	}
}

// The last line names one thing to do: about the first red finding of those that the others depend on.
func TestWriteSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	database, key := area("doctor.area.database"), area("doctor.area.key")
	for want, checks := range map[string][]Check{
		"doctor.next.serve": key.warning("w", nil),
		"doctor.next.fix":   slices.Concat(key.wrong("STRIPE_SECRET_KEY", "w"), database.red("doctor.database.older", nil)),
		"doctor.next.setting": slices.Concat(endpointArea.red("doctor.endpoint.failed", nil),
			database.wrong("DATABASE_URL", "w")),
		"doctor.next.area": endpointArea.red("doctor.endpoint.failed", nil),
	} {
		if got, _ := next(config.Test, slices.Concat(group(checks)[0], group(checks)[1])); got != want {
			t.Errorf("next = %s, want %s", got, want)
		}
	}
	if got, _ := next(config.Sandbox, nil); got != "doctor.next.sandbox" {
		t.Errorf("next in the sandbox = %s, want doctor.next.sandbox", got)
	}
}
