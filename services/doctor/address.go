package doctor

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/resume-matcher/credits/services/config"
)

func (s *SetUp) checkAddress(context.Context) []Check {
	const area, name = area("doctor.area.address"), "APP_URL"
	said := facts{"url": s.Config.AppURL, "setting": name}
	switch {
	case s.complainedOf(name, config.NotForSandbox):
		return area.wrong(name, "doctor.address.not_for_sandbox")
	case s.sandbox() && !s.complained(name):
		return area.ok("doctor.address.sandbox", said)
	case s.Config.Strict() && !s.Config.Secure():
		return area.wrong(name, "doctor.address.not_https")
	case s.complained(name):
		return area.wrong(name, "doctor.address.shape")
	case s.Config.Strict() && !s.public():
		return area.wrong(name, "doctor.address.private")
	case !s.public():
		return area.warning("doctor.address.tunnel", said)
	}
	return area.ok("doctor.address.ok", said)
}

// public reports whether Stripe can reach APP_URL as far as its name tells.
func (s *SetUp) public() bool {
	u, err := url.Parse(s.Config.AppURL)
	return err == nil && !s.complained("APP_URL") && publicHost(u.Hostname())
}

// privateNames end the names that mean something on one network alone.
// Source: https://www.iana.org/assignments/special-use-domain-names
var privateNames = []string{".localhost", ".local", ".internal", ".lan", ".home", ".test", ".invalid", ".home.arpa"}

// shared is what carriers use between themselves and their customers; netip does not count it as private.
var shared = netip.MustParsePrefix("100.64.0.0/10")

func publicHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
	}
	return strings.Contains(host, ".") && !slices.ContainsFunc(privateNames, func(end string) bool { return strings.HasSuffix(host, end) })
}
