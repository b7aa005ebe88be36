package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/resume-matcher/credits/services/config"
)

func TestDatabaseAddressesMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"another schema": {map[string]string{
			"DATABASE_URL": "postgres://app@db.internal/credits?search_path=theirs"}, []string{"DATABASE_URL"}},
		"another schema, as another driver names it": {map[string]string{
			"DATABASE_POOL_URL": "postgres://app@db.internal/credits?schema=theirs"}, []string{"DATABASE_POOL_URL"}},
		"another schema among options": {map[string]string{
			"DATABASE_URL": "postgres://app@db.internal/credits?options=-c%20search_path%3Dtheirs"}, []string{"DATABASE_URL"}},
		"a parameter of another driver": {map[string]string{
			"DATABASE_URL": "postgres://app@db.internal/credits?prepareThreshold=0"}, []string{"DATABASE_URL"}},
		"a parameter of libpq": {map[string]string{
			"DATABASE_URL": "postgres://app@db.internal/credits?keepalives=1"}, []string{"DATABASE_URL"}},
		"a good address with many parameters": {map[string]string{"DATABASE_URL": "postgres://app@db.internal/credits?" +
			"search_path=public&connect_timeout=5&application_name=a&options=-c%20geqo%3Doff&DateStyle=ISO&channel_binding=require" +
			"&target_session_attrs=read-write&connection_limit=5&pool_timeout=9&lock_timeout=9s"}, nil},
		"too few connections":  {map[string]string{"DATABASE_MAX_CONNECTIONS": "3"}, []string{"DATABASE_MAX_CONNECTIONS"}},
		"connections in words": {map[string]string{"DATABASE_MAX_CONNECTIONS": "many"}, []string{"DATABASE_MAX_CONNECTIONS"}},
		"few connections":      {map[string]string{"DATABASE_MAX_CONNECTIONS": "4"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, wrong(t, with(production, c.env))); diff != "" {
				t.Errorf("reported variables (-want +got):\n%s", diff)
			}
		})
	}
}

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
