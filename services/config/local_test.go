package config_test

import (
	"slices"
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

// A developer who tries Stripe's test mode needs the key alone. The sign-in stand-in, which lets everybody in as
// anybody, never serves others nor a database of others.
func TestTestKeyKeepsTheSignInStandIn(t *testing.T) {
	t.Parallel()
	key := map[string]string{"STRIPE_SECRET_KEY": "sk_test_9aFq2LmZ"}
	const ours, foreign = "postgres://app@localhost/credits", "postgres://app:x@db.resume-matcher.test/credits"
	const needs, secret = "GOOGLE_CLIENT_ID", "STRIPE_WEBHOOK_SECRET"
	for name, c := range map[string]struct {
		more    map[string]string
		local   bool
		missing []string
	}{
		"alone":                 {nil, true, nil},
		"with a webhook secret": {map[string]string{secret: "whsec_7Yt3kPwQ"}, true, nil},
		"on another port":       {map[string]string{"PORT": "3100"}, true, nil},
		"with a local database": {map[string]string{"DATABASE_URL": ours}, true, nil},
		"with a provider":       {map[string]string{"GITHUB_CLIENT_ID": "a1", "GITHUB_CLIENT_SECRET": "b2"}, false, nil},
		"with half a provider":  {map[string]string{needs: "a1"}, false, []string{needs, needs}},
		"with a public address": {map[string]string{"APP_URL": "https://credits.resume-matcher.test"}, false,
			[]string{needs, secret}},
		"with a foreign database": {map[string]string{"DATABASE_URL": foreign}, false, []string{needs, secret}},
		"with a foreign pooler": {map[string]string{"DATABASE_URL": ours, "DATABASE_POOL_URL": foreign}, false,
			[]string{needs, secret}},
		"in tests": {map[string]string{"APP_ENV": "test"}, false, []string{needs, secret}},
		"in production": {map[string]string{"APP_ENV": "production", "APP_URL": "http://localhost:3000"}, false,
			[]string{"APP_URL", "DATABASE_URL", needs, "SESSION_SECRET", secret}},
		"with a live key": {map[string]string{"STRIPE_SECRET_KEY": "sk_live_9aFq2LmZ"}, false,
			[]string{needs, secret}},
		"with a bad webhook secret": {map[string]string{secret: "sk_test_1"}, true, []string{secret}},
	} {
		vars := with(key, c.more)
		cfg, err := config.Load(vars)
		if cfg.LocalSignIn != c.local {
			t.Errorf("%s: sign-in stand-in %v, want %v", name, cfg.LocalSignIn, c.local)
		}
		var missing []string
		if err != nil {
			missing = wrong(t, vars)
		}
		if !slices.Equal(missing, c.missing) {
			t.Errorf("%s: refused %v, want %v", name, missing, c.missing)
		}
	}
}
