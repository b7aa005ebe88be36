package config_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/config"
)

// with is an environment of these variables.
func with(all ...map[string]string) config.Variables {
	merged := config.Variables{}
	for _, one := range all {
		maps.Copy(merged, one)
	}
	return merged
}

// production is an environment that works with real money.
var production = map[string]string{
	"APP_ENV":               "production",
	"APP_URL":               "https://credits.resume-matcher.test",
	"DATABASE_URL":          "postgres://app:4f1c9b@db.internal:5432/credits",
	"STRIPE_SECRET_KEY":     "sk_live_9aFq2LmZ",
	"STRIPE_WEBHOOK_SECRET": "whsec_7Yt3kPwQ",
	"SESSION_SECRET":        "6d0c1f7be2a94c58b3e1907f5a2d8c46",
	"GITHUB_CLIENT_ID":      "Iv1.8a61f9b3",
	"GITHUB_CLIENT_SECRET":  "b1946ac92492d234",
}

// rehearsal is an environment in Stripe's test mode.
var rehearsal = map[string]string{
	"STRIPE_SECRET_KEY": "sk_test_9aFq2LmZ", "STRIPE_WEBHOOK_SECRET": "whsec_7Yt3kPwQ", "GITHUB_CLIENT_ID": "a1",
	"GITHUB_CLIENT_SECRET": "b2",
}

// wrong lists the variables that Load complains of.
func wrong(t *testing.T, vars config.Variables) []string {
	t.Helper()
	_, err := config.Load(vars)
	if err == nil {
		return nil
	}
	var names []string
	for _, line := range strings.Split(err.Error(), "\n")[1:] {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		names = append(names, name)
	}
	return names
}

func TestLoadModes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env      []map[string]string
		mode     config.Mode
		livemode bool
	}{
		"nothing set is the sandbox":  {nil, config.Sandbox, false},
		"a test key is the test mode": {[]map[string]string{rehearsal}, config.Test, false},
		"a restricted test key is the test mode": {[]map[string]string{rehearsal,
			{"STRIPE_SECRET_KEY": "rk_test_9aFq2LmZ"}}, config.Test, false},
		"a live key is live, in development too": {[]map[string]string{rehearsal,
			{"STRIPE_SECRET_KEY": "sk_live_9aFq2LmZ"}}, config.Live, true},
		"a restricted live key is live": {[]map[string]string{rehearsal,
			{"STRIPE_SECRET_KEY": "rk_live_9aFq2LmZ"}}, config.Live, true},
		"production is live":                        {[]map[string]string{production}, config.Live, true},
		"production with a test key is a rehearsal": {[]map[string]string{production, rehearsal}, config.Test, false},
		"production with a restricted test key is too": {[]map[string]string{production, rehearsal,
			{"STRIPE_SECRET_KEY": "rk_test_9aFq2LmZ"}}, config.Test, false},
		"production with spaces around it is production": {[]map[string]string{production, {"APP_ENV": " production "}},
			config.Live, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := config.Load(with(c.env...))
			if err != nil {
				t.Fatalf("load: %v", err)
			}
			if cfg.Mode != c.mode || cfg.Livemode() != c.livemode {
				t.Errorf("mode: got %s, livemode = %t, want %s, %t", cfg.Mode, cfg.Livemode(), c.mode, c.livemode)
			}
		})
	}
}

func TestLoadFillsIn(t *testing.T) {
	t.Parallel()
	t.Run("what the sandbox needs", func(t *testing.T) {
		t.Parallel()
		cfg, err := config.Load(with())
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		if cfg.AppURL != "http://localhost:3000" || cfg.Secure() || cfg.Production() || cfg.DataDir != ".data" ||
			cfg.LogFormat != "text" {
			t.Errorf("defaults: got %+v", cfg)
		}
		if diff := cmp.Diff([]string{"admin@example.com"}, cfg.AdminEmails); diff != "" {
			t.Errorf("admins (-want +got):\n%s", diff)
		}
	})
	t.Run("the address from the port", func(t *testing.T) {
		t.Parallel()
		if cfg, err := config.Load(with(map[string]string{"PORT": "4100"})); err != nil ||
			cfg.AppURL != "http://localhost:4100" {
			t.Errorf("address: got %q, %v", cfg.AppURL, err)
		}
	})
	t.Run("no admin, and JSON logs, in production", func(t *testing.T) {
		t.Parallel()
		cfg, err := config.Load(with(production))
		if err != nil || len(cfg.AdminEmails) != 0 || cfg.LogFormat != "json" || !cfg.Secure() {
			t.Errorf("admins: got %v, format = %q, secure = %t, %v", cfg.AdminEmails, cfg.LogFormat, cfg.Secure(), err)
		}
	})
	t.Run("an address as browsers write it", func(t *testing.T) {
		t.Parallel()
		cfg, err := config.Load(with(production, map[string]string{"APP_URL": "HTTPS://Credits.Resume-Matcher.test/"}))
		if err != nil || cfg.AppURL != "https://credits.resume-matcher.test" || !cfg.Secure() {
			t.Errorf("address: got %q, secure = %t, %v", cfg.AppURL, cfg.Secure(), err)
		}
	})
	t.Run("lists without their spaces", func(t *testing.T) {
		t.Parallel()
		cfg, err := config.Load(with(production, map[string]string{
			"ADMIN_EMAILS":          " one@example.com , two@example.com,",
			"TRUSTED_PROXIES":       "10.0.0.0/8, 192.0.2.7",
			"STRIPE_WEBHOOK_SECRET": "whsec_7Yt3kPwQ, whsec_Mn4Rs8Xv ,",
			"SESSION_SECRET":        "6d0c1f7be2a94c58b3e1907f5a2d8c46, 41f9b06ad7e3825c90b4f6d81a3c7e52",
		}))
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		got := [][]string{cfg.AdminEmails, cfg.TrustedProxies, cfg.WebhookSecrets, cfg.SessionSecrets}
		want := [][]string{{"one@example.com", "two@example.com"}, {"10.0.0.0/8", "192.0.2.7"},
			{"whsec_7Yt3kPwQ", "whsec_Mn4Rs8Xv"},
			{"6d0c1f7be2a94c58b3e1907f5a2d8c46", "41f9b06ad7e3825c90b4f6d81a3c7e52"}}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("lists: got %q, want %q", got, want)
		}
	})
}

func TestLoadReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	canary := "q7canary"
	faulty := map[string]string{
		"APP_ENV":                canary,
		"APP_URL":                "ftp://" + canary,
		"PORT":                   canary,
		"DATABASE_URL":           "mysql://" + canary,
		"DATABASE_POOL_URL":      "://" + canary,
		"STRIPE_SECRET_KEY":      canary,
		"STRIPE_PUBLISHABLE_KEY": canary,
		"STRIPE_WEBHOOK_SECRET":  "whsec_Mn4Rs8Xv," + canary,
		"STRIPE_API_BASE":        "gopher:" + canary,
		"SESSION_SECRET":         canary,
		"GOOGLE_CLIENT_ID":       canary,
		"LINKEDIN_CLIENT_SECRET": canary,
		"OIDC_ISSUER":            canary,
		"ADMIN_EMAILS":           canary,
		"LOG_LEVEL":              canary,
		"LOG_FORMAT":             canary,
		"TRUSTED_PROXIES":        canary,
		"STRIPE_AUTOMATIC_TAX":   canary,
		"STRIPE_TAX_IDS":         canary,
		"SMALL_BUSINESS":         canary,
		"IMPRINT_URL":            canary,
		"TERMS_URL":              "javascript:" + canary,
		"PRIVACY_URL":            "https://me:" + canary + "@example.com",
	}
	want := []string{
		"ADMIN_EMAILS", "APP_ENV", "APP_URL", "DATABASE_POOL_URL", "DATABASE_URL", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_ID",
		"IMPRINT_URL",
		"LINKEDIN_CLIENT_ID", "LOG_FORMAT", "LOG_LEVEL", "OIDC_ISSUER", "PORT", "PRIVACY_URL", "SESSION_SECRET",
		"SMALL_BUSINESS",
		"STRIPE_API_BASE", "STRIPE_AUTOMATIC_TAX", "STRIPE_PUBLISHABLE_KEY", "STRIPE_SECRET_KEY", "STRIPE_TAX_IDS",
		"STRIPE_WEBHOOK_SECRET",
		"TERMS_URL", "TRUSTED_PROXIES",
	}
	if diff := cmp.Diff(want, wrong(t, with(faulty))); diff != "" {
		t.Errorf("reported variables (-want +got):\n%s", diff)
	}
	if _, err := config.Load(with(faulty)); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("the error quotes a value: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	live := func(more map[string]string) []map[string]string { return []map[string]string{production, more} }
	test := func(more map[string]string) []map[string]string { return []map[string]string{rehearsal, more} }
	local := func(more map[string]string) []map[string]string { return []map[string]string{more} }
	for name, c := range map[string]struct {
		env  []map[string]string
		want []string
	}{
		"production without anything": {local(map[string]string{"APP_ENV": "production"}),
			[]string{"APP_URL", "DATABASE_URL", "GOOGLE_CLIENT_ID", "SESSION_SECRET", "STRIPE_SECRET_KEY",
				"STRIPE_WEBHOOK_SECRET"}},
		"a test key without the rest": {local(map[string]string{"STRIPE_SECRET_KEY": "sk_test_9aFq2LmZ",
			"APP_URL": "https://credits.resume-matcher.test"}),
			[]string{"GOOGLE_CLIENT_ID", "STRIPE_WEBHOOK_SECRET"}},
		"another Stripe with a live key": {live(map[string]string{"STRIPE_API_BASE": "http://localhost:12111"}),
			[]string{"STRIPE_API_BASE"}},
		"another Stripe without a key": {local(map[string]string{"STRIPE_API_BASE": "http://localhost:12111"}),
			[]string{"STRIPE_SECRET_KEY"}},
		"a small business with tax to compute": {local(map[string]string{"SMALL_BUSINESS": "true",
			"STRIPE_AUTOMATIC_TAX": "1"}), []string{"SMALL_BUSINESS"}},
		"http in production": {live(
			map[string]string{"APP_URL": "http://credits.resume-matcher.test"}), []string{"APP_URL"}},
		"an address with a path": {local(map[string]string{"APP_URL": "http://localhost:3000/app"}),
			[]string{"APP_URL"}},
		"an address with a fragment": {local(map[string]string{"APP_URL": "http://localhost:3000#top"}),
			[]string{"APP_URL"}},
		"an address with a password": {local(map[string]string{"APP_URL": "http://me:pw@localhost:3000"}),
			[]string{"APP_URL"}},
		"an address without a host": {local(map[string]string{"APP_URL": "http://:3000"}),
			[]string{"APP_URL"}},
		"an environment in capitals": {live(map[string]string{"APP_ENV": "PRODUCTION"}), []string{"APP_ENV"}},
		"a port out of range":        {local(map[string]string{"PORT": "70000"}), []string{"PORT"}},
		"a pooler without its database": {local(
			map[string]string{"DATABASE_POOL_URL": "postgres://localhost/credits"}), []string{"DATABASE_URL"}},
		"a short session secret": {test(map[string]string{"SESSION_SECRET": strings.Repeat("k", 31)}),
			[]string{"SESSION_SECRET"}},
		"a short session secret in a list": {test(
			map[string]string{"SESSION_SECRET": "6d0c1f7be2a94c58b3e1907f5a2d8c46," +
				strings.Repeat("k", 31)}), []string{"SESSION_SECRET"}},
		"a provider by half": {test(map[string]string{"GOOGLE_CLIENT_SECRET": "b1946ac9"}),
			[]string{"GOOGLE_CLIENT_ID"}},
		"an OpenID client without its issuer": {test(map[string]string{"OIDC_CLIENT_ID": "web",
			"OIDC_CLIENT_SECRET": "b1946ac9"}), []string{"OIDC_ISSUER"}},
		"an issuer that is not an address": {test(map[string]string{"OIDC_CLIENT_ID": "web",
			"OIDC_CLIENT_SECRET": "b1946ac9", "OIDC_ISSUER": "login"}), []string{"OIDC_ISSUER"}},
		"an imprint without its host": {local(map[string]string{"IMPRINT_URL": "https:///imprint"}),
			[]string{"IMPRINT_URL"}},
		"terms that are still the example": {live(map[string]string{"TERMS_URL": "https://your-domain/terms"}),
			[]string{"TERMS_URL"}},
		"an admin without an address": {local(map[string]string{"ADMIN_EMAILS": "one@example.com,root"}),
			[]string{"ADMIN_EMAILS"}},
		"a helper without an address": {local(map[string]string{"SUPPORT_EMAILS": "one@example.com,desk"}),
			[]string{"SUPPORT_EMAILS"}},
		"a placeholder as secret key": {live(map[string]string{"STRIPE_SECRET_KEY": "sk_live_your_key_here"}),
			[]string{"STRIPE_SECRET_KEY"}},
		"a masked secret key": {live(map[string]string{"STRIPE_SECRET_KEY": "sk_live_xxxx"}),
			[]string{"STRIPE_SECRET_KEY"}},
		"a prefix as secret key": {live(map[string]string{"STRIPE_SECRET_KEY": "sk_live_"}),
			[]string{"STRIPE_SECRET_KEY"}},
		"a publishable key as secret key": {live(map[string]string{"STRIPE_SECRET_KEY": "pk_live_9aFq2LmZ"}),
			[]string{"STRIPE_SECRET_KEY"}},
		"a placeholder as webhook secret": {live(map[string]string{"STRIPE_WEBHOOK_SECRET": "whsec_..."}),
			[]string{"STRIPE_WEBHOOK_SECRET"}},
		"a placeholder among webhook secrets": {live(
			map[string]string{"STRIPE_WEBHOOK_SECRET": "whsec_7Yt3kPwQ,whsec_changeme"}), []string{"STRIPE_WEBHOOK_SECRET"}},
		"a comma as webhook secret": {live(map[string]string{"STRIPE_WEBHOOK_SECRET": ","}),
			[]string{"STRIPE_WEBHOOK_SECRET"}},
		"a placeholder as session secret": {live(
			map[string]string{"SESSION_SECRET": "replace-me-with-32-random-bytes-please"}), []string{"SESSION_SECRET"}},
		"a session secret of nine characters": {live(
			map[string]string{"SESSION_SECRET": strings.Repeat("abcdefghi", 8)}), []string{"SESSION_SECRET"}},
		"another Stripe in production, test key": {live(map[string]string{"STRIPE_SECRET_KEY": "sk_test_9aFq2LmZ",
			"STRIPE_API_BASE": "http://localhost:12111"}), []string{"STRIPE_API_BASE"}},
		"an issuer in the clear": {live(map[string]string{"OIDC_CLIENT_ID": "web",
			"OIDC_CLIENT_SECRET": "b1946ac9", "OIDC_ISSUER": "http://login.example.com"}), []string{"OIDC_ISSUER"}},
		"a yes or no that is neither": {local(map[string]string{"DATABASE_INSECURE": "perhaps"}),
			[]string{"DATABASE_INSECURE"}},
		"zeros as session secret": {live(map[string]string{"SESSION_SECRET": strings.Repeat("0", 64)}),
			[]string{"SESSION_SECRET"}},
		"a placeholder as database": {live(
			map[string]string{"DATABASE_URL": "postgres://app:changeme@db.internal/credits"}), []string{"DATABASE_URL"}},
		"a placeholder as pooler": {live(
			map[string]string{"DATABASE_POOL_URL": "postgres://app:your_password@pool.internal/credits"}), []string{"DATABASE_POOL_URL"}},
		"a placeholder as address": {live(map[string]string{"APP_URL": "https://credits.your-domain.com"}),
			[]string{"APP_URL"}},
		"placeholders as a provider's registration": {live(map[string]string{"GITHUB_CLIENT_ID": "your-client-id",
			"GITHUB_CLIENT_SECRET": "your-client-secret"}), []string{"GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, wrong(t, with(c.env...))); diff != "" {
				t.Errorf("reported variables (-want +got):\n%s", diff)
			}
		})
	}
}

// A number or a boolean that cannot be parsed is reported. It never falls back to the default.
func TestUnreadableSettingsAreReported(t *testing.T) {
	t.Parallel()
	var check func(prefix string, of reflect.Type)
	check = func(prefix string, of reflect.Type) {
		for f := range of.Fields() {
			name := prefix + strings.Split(f.Tag.Get("env"), ",")[0]
			switch {
			case f.Type.Kind() == reflect.Struct:
				check(prefix+f.Tag.Get("envPrefix"), f.Type)
			case name == prefix || name == prefix+"-":
			case f.Type.Kind() == reflect.Bool, f.Type.Kind() == reflect.Int:
				if got := wrong(t, with(map[string]string{name: "perhaps"})); !slices.Equal(got, []string{name}) {
					t.Errorf("%s=perhaps: reported %v, want %s alone", name, got, name)
				}
			}
		}
	}
	check("", reflect.TypeFor[config.Config]())
}

func TestMailSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url, from, support string
		want               []string
	}{
		"complete":           {"smtp://user:secret@mail.example.org:587", "credits@example.org", "help@example.org", nil},
		"implicit TLS":       {"smtps://mail.example.org", "credits@example.org", "", nil},
		"none":               {},
		"no sender":          {"smtp://mail.example.org", "", "", []string{"MAIL_FROM"}},
		"another scheme":     {"https://mail.example.org", "credits@example.org", "", []string{"SMTP_URL"}},
		"no host":            {"smtp://", "credits@example.org", "", []string{"SMTP_URL"}},
		"a name, no address": {"smtp://mail.example.org", "Credits <credits@example.org>", "help", []string{"MAIL_FROM", "SUPPORT_EMAIL"}},
		"a line break":       {"smtp://mail.example.org", "credits@example.org\nBcc: x@example.org", "", []string{"MAIL_FROM"}},
	} {
		settings := map[string]string{"SMTP_URL": c.url, "MAIL_FROM": c.from, "SUPPORT_EMAIL": c.support}
		got := wrong(t, with(rehearsal, settings))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: problems with %v, want %v", name, got, c.want)
		}
	}
}
