package config

import (
	"cmp"
	"net/url"

	"github.com/resume-matcher/credits/services/loopback"
)

// Foreign reports whether a database's address leads to another machine. One that cannot be read does not; it is
// reported for that.
func Foreign(address Secret) bool {
	u, err := url.Parse(address.Reveal())
	if err != nil || address == "" {
		return false
	}
	return !loopback.All(cmp.Or(u.Query().Get("host"), u.Host)) // a host parameter wins
}

// Unverified reports whether the address asks for a connection to another machine on which nobody checks who answers:
// without TLS, or with a certificate that is not looked at. An address that says nothing of it gets verify-full.
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
	case "require", "verify-ca": // with an authority of the operator's own, both check that it has signed
		return query.Get("sslrootcert") == ""
	}
	return true
}
