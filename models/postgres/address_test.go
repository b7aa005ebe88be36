package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

func TestAddressesKeepTheirParameters(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	for parameters, want := range map[string]string{
		"&application_name=Resume%20Matcher": "Resume Matcher",
		"&application_name=a+b":              "a+b",
		"&application_name=100%25":           "100%",
		"&pgbouncer=true&application_name=Resume%20Matcher&connection_limit=5":       "Resume Matcher",
		"&search_path=public&schema=public&application_name=Resume%20Matcher":        "Resume Matcher",
		"&options=-c%20application_name%3DFromOptions%20-c%20work_mem%3D8MB":         "FromOptions",
		"&options=-c%20geqo%3Doff&application_name=Resume%20Matcher&sslmode=disable": "Resume Matcher",
	} {
		var got string
		err := open(t, address+parameters).Raw(`SELECT current_setting('application_name')`).Scan(&got).Error
		if err != nil || got != want {
			t.Errorf("application name with %s = %q (%v), want %q", parameters, got, err, want)
		}
	}
}

// The time to connect in an address counts: a database that was suspended may need longer than our default.
func TestTimeToConnect(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]time.Duration{"": 5 * time.Second, "?connect_timeout=9": 9 * time.Second} {
		cfg, _, err := postgres.ConnConfig("postgres://app@localhost/app" + parameters)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.ConnectTimeout != want {
			t.Errorf("%q: %s to connect, want %s", parameters, cfg.ConnectTimeout, want)
		}
	}
}

// Connections to other machines verify the server's certificate, unless the address says otherwise. An address that
// would get its host from the environment is refused, since that host could be another machine.
func TestAddressesOfOtherMachinesNeedTLS(t *testing.T) {
	t.Setenv("PGHOST", "db.example.com")
	for address, want := range map[string]string{
		"postgres://app@db.example.com/app":                   "verified",
		"postgresql://app@db.example.com/app":                 "verified",
		"postgres://app@db.example.com/app?sslmode=":          "verified",
		"postgres://app@db.example.com/app?application_name=": "verified",
		"postgres://app@db.example.com/app?sslmode=disable":   "plain",
		"postgres://app@localhost/app?host=db.example.com":    "verified",
		"postgres://app@db.example.com/app?host=localhost":    "plain first",
		"postgres:///app?host=db.example.com":                 "verified",
		"postgres://app@localhost/app":                        "plain first",
		"postgres://app@localhost/app?sslmode=":               "plain first",
		"postgres://app@localhost/app?sslmode=verify-full":    "verified",
		"postgres:///app?host=/var/run/postgresql":            "plain",
		"postgres:///app":                                            "refused",
		"postgres:///app?sslmode=verify-full":                        "refused",
		"mysql://app@localhost/app":                                  "refused",
		"postgres://app@localhost:port/app":                          "refused",
		"postgres://app@localhost/app?connect_timeout=soon&sslmode=": "refused",
	} {
		cfg, _, err := postgres.ConnConfig(address)
		got := "plain first" // or TLS that is not verified
		switch {
		case err != nil:
			got = "refused"
		case cfg.TLSConfig == nil && len(cfg.Fallbacks) == 0:
			got = "plain"
		case cfg.TLSConfig != nil && cfg.TLSConfig.ServerName != "" && !cfg.TLSConfig.InsecureSkipVerify &&
			len(cfg.Fallbacks) == 0:
			got = "verified"
		}
		if got != want {
			t.Errorf("%s is %s (%v), want %s", address, got, err, want)
		}
	}
}

// Poolers are known by their port, their host or a parameter, which counts before the others.
func TestPoolersAreKnownByTheirAddress(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	for address, want := range map[string]postgres.Connection{
		"postgres://app@localhost/app":                                           {},
		"postgres://app@localhost/app?pgbouncer=true":                            {Named: true},
		"postgres://app@localhost/app?pgbouncer=false":                           {Direct: true},
		"postgres://app@localhost:6543/app":                                      {Named: true},
		"postgres://app@localhost:6543/app?pgbouncer=false":                      {Direct: true},
		"postgres://app@ep-1-pooler.eu.example.com/app":                          {Named: true},
		"postgres://app@ep-1-pooler.eu.example.com/app?pgbouncer=false":          {Direct: true},
		"postgres://app@eu.pooler.example.com/app?pgbouncer=":                    {Named: true},
		"postgres://app@ep-1.eu.example.com:5432/app?application_name=pgbouncer": {},
	} {
		got, err := postgres.Inspect(ended, address) // which connects to none of them
		if err == nil || got.Named != want.Named || got.Direct != want.Direct || got.Pooled() != want.Named {
			t.Errorf("%s names a pooler: %t, says that there is none: %t (%v); want %t and %t", address, got.Named, got.Direct,
				err, want.Named, want.Direct)
		}
	}
}

// A lock_timeout in the address is that of migrations, too. It need not be written as Go reads it.
func TestMigrationLimit(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]struct {
		limit string
		wait  time.Duration
	}{
		"":                    {"2000", 2 * time.Second},
		"?lock_timeout=":      {"2000", 2 * time.Second},
		"?lock_timeout=250ms": {"250ms", 250 * time.Millisecond},
		"?lock_timeout=250":   {"250", 2 * time.Second},
		"?lock_timeout=1min":  {"1min", 2 * time.Second},
	} {
		if limit, wait := postgres.MigrationLimit("postgres://app@localhost/app" + parameters); limit != want.limit ||
			wait != want.wait {
			t.Errorf("%q: lock_timeout %q with pauses of %s, want %q with %s", parameters, limit, wait, want.limit, want.wait)
		}
	}
}
