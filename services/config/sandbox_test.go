package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/config"
)

// The sandbox is for this machine alone. What says that others are to be served needs a key that says whose money
// moves.
func TestSandboxRefusesARealSetUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"a public address":           {map[string]string{"APP_URL": "https://credits.example.com"}, []string{"APP_URL"}},
		"an address of the network":  {map[string]string{"APP_URL": "http://192.168.1.7:3000"}, []string{"APP_URL"}},
		"a name like this machine's": {map[string]string{"APP_URL": "http://localhost.example.com"}, []string{"APP_URL"}},
		"a foreign database": {map[string]string{"DATABASE_URL": "postgres://app@db.internal/credits"},
			[]string{"DATABASE_URL"}},
		"a database that a parameter leads away": {map[string]string{"DATABASE_URL": "postgres://app@localhost/credits?host=db.internal"},
			[]string{"DATABASE_URL"}},
		"a foreign pooler": {map[string]string{"DATABASE_URL": "postgres://app@localhost/credits",
			"DATABASE_POOL_URL": "postgres://app@localhost,pool.internal/credits"},
			[]string{"DATABASE_POOL_URL"}},
		"a webhook secret": {map[string]string{"STRIPE_WEBHOOK_SECRET": "whsec_7Yt3kPwQ"},
			[]string{"STRIPE_WEBHOOK_SECRET"}},
		"a session secret": {map[string]string{"SESSION_SECRET": "6d0c1f7be2a94c58b3e1907f5a2d8c46"},
			[]string{"SESSION_SECRET"}},
		"a publishable key": {map[string]string{"STRIPE_PUBLISHABLE_KEY": "pk_test_9aFq2LmZ"},
			[]string{"STRIPE_PUBLISHABLE_KEY"}},
		"providers": {map[string]string{"GOOGLE_CLIENT_ID": "a1", "GOOGLE_CLIENT_SECRET": "b2",
			"OIDC_ISSUER": "https://login.example.com"},
			[]string{"GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "OIDC_ISSUER"}},
		"a key whose name is mistyped": {map[string]string{"STRIPE_SECRET_KEYS": "sk_live_9aFq2LmZ"},
			[]string{"STRIPE_SECRET_KEYS"}},
		"names in another case": {map[string]string{"stripe_secret_key": "sk_live_9aFq2LmZ",
			"Stripe_Webhook_Secret": "whsec_7Yt3kPwQ", "session_secret": "6d0c1f7be2a94c58b3e1907f5a2d8c46",
			"Database_URL": "postgres://app@db.internal/credits", "app_env": "production", "Google_Client_Id": "a1",
			"azure_client_secret": "b2", "oidc_issuer": "https://login.example.com"},
			[]string{"Database_URL", "Google_Client_Id", "Stripe_Webhook_Secret", "app_env", "azure_client_secret",
				"oidc_issuer", "session_secret", "stripe_secret_key"}},
		"a provider that is not ours": {map[string]string{"GITLAB_CLIENT_SECRET": "b2"}, []string{"GITLAB_CLIENT_SECRET"}},
		"all of it, as in production but for the key": {map[string]string{"STRIPE_SECRET_KEYS": "sk_live_9aFq2LmZ",
			"APP_URL":      "https://credits.example.com",
			"DATABASE_URL": "postgres://app@db.internal/credits", "GOOGLE_CLIENT_ID": "a1", "GOOGLE_CLIENT_SECRET": "b2",
			"STRIPE_WEBHOOK_SECRET": "whsec_7Yt3kPwQ",
			"SESSION_SECRET":        "6d0c1f7be2a94c58b3e1907f5a2d8c46"},
			[]string{"APP_URL", "DATABASE_URL", "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "SESSION_SECRET",
				"STRIPE_SECRET_KEYS", "STRIPE_WEBHOOK_SECRET"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, wrong(t, with(c.env))); diff != "" {
				t.Errorf("reported variables (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSandboxTakesWhatDevelopmentNeeds(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"a database of this machine": {"DATABASE_URL": "postgres://app@127.0.0.1:5432/credits",
			"DATABASE_POOL_URL": "postgres://app@[::1]:6432/credits"},
		"a database on a socket": {"DATABASE_URL": "postgres://app@/credits?host=/var/run/postgresql"},
		"another port":           {"PORT": "4100"},
		"this machine by number": {"APP_URL": "http://127.0.0.1:3000"},
		"this machine over IPv6": {"APP_URL": "http://[::1]:3000"},
		"tax to look at":         {"STRIPE_AUTOMATIC_TAX": "true", "STRIPE_TAX_IDS": "true"},
		"variables of other programs": {"GITHUB_TOKEN": "b2", "AWS_REGION": "eu-central-1",
			"http_proxy": "http://proxy.internal:3128", "github_token": "b2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if cfg, err := config.Load(with(env)); err != nil || cfg.Mode != config.Sandbox {
				t.Errorf("mode: got %s, %v; want the sandbox", cfg.Mode, err)
			}
		})
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, meant string
		env         map[string]string // beside it
	}{
		{"STRIPE_SECRET_KEYS", "STRIPE_SECRET_KEY", nil},
		{"STRIPE_SERCET_KEY", "STRIPE_SECRET_KEY", nil},
		{"STRIPE_KEY", "", nil},
		{"GOGLE_CLIENT_ID", "GOOGLE_CLIENT_ID", nil},
		{"AZURE_CLIENT_ID", "", nil},
		{"STRIPE_AUTOMATIC_TAXES", "STRIPE_AUTOMATIC_TAX", production},
		{"OIDC_ISSUER_URL", "", production},
		{"stripe_secret_key", "STRIPE_SECRET_KEY", nil},
		{"Stripe_Automatic_Tax", "STRIPE_AUTOMATIC_TAX", production},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(with(c.env, map[string]string{c.name: "q7canary"}))
			if err == nil || !strings.Contains(err.Error(), c.name+" is not a setting of this program") ||
				strings.Contains(err.Error(), "q7canary") {
				t.Fatalf("error: got %v, want one that names it and quotes nothing", err)
			}
			if asks := strings.Contains(err.Error(), "did you mean"); asks != (c.meant != "") ||
				!strings.Contains(err.Error(), c.meant) {
				t.Errorf("error: got %v, want %q to be proposed", err, c.meant)
			}
		})
	}
	t.Run("of other programs count only where the mode is not said", func(t *testing.T) {
		t.Parallel()
		if got := wrong(t,
			with(production, map[string]string{"AZURE_CLIENT_ID": "b2", "STRIPE_ACCOUNT": " ", "port": "4100"})); got != nil {
			t.Errorf("reported variables: %v, want none", got)
		}
	})
}

func TestProductionVerifiesItsDatabase(t *testing.T) {
	t.Parallel()
	const foreign = "postgres://app:4f1c9b@db.internal:5432/credits"
	for _, c := range []struct {
		address  string
		insecure string
		taken    bool
	}{
		{foreign, "", true}, // gets verify-full
		{foreign + "?sslmode=verify-full", "", true},
		{foreign + "?sslmode=verify-ca&sslrootcert=/etc/ca.pem", "", true},
		{foreign + "?sslmode=require&sslrootcert=/etc/ca.pem", "", true}, // as libpq: verify-ca
		{foreign + "?sslmode=require", "", false},
		{foreign + "?sslmode=verify-ca", "", false},
		{foreign + "?sslmode=prefer", "", false},
		{foreign + "?sslmode=allow", "", false},
		{foreign + "?sslmode=disable", "", false},
		{foreign + "?sslmode=disable", "false", false},
		{foreign + "?sslmode=disable", "true", true},
		{"postgres://app@localhost/credits?sslmode=disable", "", true},
		{"postgres://app@localhost/credits?sslmode=disable&host=db.internal", "", false},
		{"postgres://app@/credits?sslmode=disable&host=/var/run/postgresql", "", true},
	} {
		for _, name := range []string{"DATABASE_URL", "DATABASE_POOL_URL"} {
			got := wrong(t, with(production, map[string]string{name: c.address, "DATABASE_INSECURE": c.insecure}))
			want := []string{name}
			if c.taken {
				want = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s=%s, DATABASE_INSECURE=%s (-want +got):\n%s", name, c.address, c.insecure, diff)
			}
		}
	}
	if got := wrong(t,
		with(rehearsal, map[string]string{"DATABASE_URL": foreign + "?sslmode=disable", "OIDC_CLIENT_ID": "web",
			"OIDC_CLIENT_SECRET": "b1946ac9",
			"OIDC_ISSUER":        "http://keycloak:8080/realms/x"})); got != nil {
		t.Errorf("a development set-up is refused for %v", got)
	}
}

// Whatever chance makes is taken: a check that refuses one in a thousand is one that operators meet.
func TestGuessable(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]bool{
		"6d0c1f7be2a94c58b3e1907f5a2d8c46": false, strings.Repeat("0123456789", 4): false, strings.Repeat("a", 32): true,
		strings.Repeat("e2e", 12): true,
	} {
		if got := config.Guessable(secret); got != want {
			t.Errorf("Guessable(%q): got %v, want %v", secret, got, want)
		}
	}
}
