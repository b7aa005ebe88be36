package config_test

import (
	"testing"

	"github.com/resume-matcher/credits/services/config"
)

func TestServerDatabaseURL(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(with(production))
	if err != nil || cfg.ServerDatabaseURL() != cfg.DatabaseURL {
		t.Errorf("without a pooler the server's database is another: %v", err)
	}
	cfg,
		err = config.Load(with(production, map[string]string{"DATABASE_POOL_URL": "postgres://app@pool.internal/credits"}))
	if err != nil || cfg.ServerDatabaseURL().Reveal() != "postgres://app@pool.internal/credits?pgbouncer=true" {
		t.Errorf("the server does not know that its database is behind a pooler: %v", err)
	}
	cfg, err = config.Load(with(production, map[string]string{
		"DATABASE_POOL_URL": "postgres://app@pool.internal/credits?application_name=Resume%20Matcher"}))
	const want = "postgres://app@pool.internal/credits?pgbouncer=true&application_name=Resume%20Matcher"
	if got := cfg.ServerDatabaseURL().Reveal(); err != nil || got != want {
		t.Errorf("the server's database is %s (%v), want %s", got, err, want)
	}
}
