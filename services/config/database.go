package config

import (
	"cmp"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/loopback"
)

// refusedParameters are parameters of other drivers, and libpq's, that neither PostgreSQL nor pgx knows.
var refusedParameters = []string{"fallback_application_name", "gssencmode", "keepalives", "keepalives_count",
	"keepalives_idle", "keepalives_interval", "load_balance_hosts", "replication", "requirepeer", "sslaccept",
	"sslcrl", "tcp_user_timeout", "uselibpqcompat"}

// refusedParameter returns the first parameter of an address that would have no effect or that PostgreSQL would refuse.
// The schema is always public: DATABASE_URL and DATABASE_POOL_URL must lead to the same tables, and poolers drop
// search_path.
func refusedParameter(u *url.URL) string {
	query := u.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(name)
		switch {
		case (name == "search_path" || name == "schema") && value != "public",
			name == "options" && strings.Contains(value, "search_path"),
			slices.Contains(refusedParameters, name),
			camelCase.MatchString(name):
			return name
		}
	}
	return ""
}

// camelCase matches names such as prepareThreshold: PostgreSQL's settings have none of this form, except for DateStyle
// and its like, which begin with a capital.
var camelCase = regexp.MustCompile(`^[a-z]+[A-Z][A-Za-z]*$`)

// Foreign reports whether a database is on another machine. It is false for an invalid address, which check reports.
func Foreign(address Secret) bool {
	u, err := url.Parse(address.Reveal())
	if err != nil || address == "" {
		return false
	}
	return !loopback.All(cmp.Or(u.Query().Get("host"), u.Host)) // a host parameter wins
}

// Unverified reports whether the address asks for a connection to another machine that does not verify the server:
// without TLS or without a check of the certificate. An address without sslmode gets verify-full.
// Source: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
func Unverified(address Secret) bool {
	u, err := url.Parse(address.Reveal())
	if err != nil || !Foreign(address) {
		return false
	}
	query := u.Query()
	switch query.Get("sslmode") {
	case "", "verify-full":
		return false
	case "require", "verify-ca": // with sslrootcert, both verify the certificate
		return query.Get("sslrootcert") == ""
	}
	return true
}
