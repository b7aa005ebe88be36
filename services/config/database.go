package config

import (
	"cmp"
	"net/url"

	"github.com/resume-matcher/credits/services/loopback"
)

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
