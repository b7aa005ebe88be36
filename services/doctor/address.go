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
	args := facts{"url": s.Config.AppURL, "setting": name}
	switch {
	case s.hasProblemKind(name, config.NotForSandbox):
		return area.wrong(name, "doctor.address.not_for_sandbox")
	case s.sandbox() && !s.hasProblem(name):
		return area.ok("doctor.address.sandbox", args)
	case s.Config.Strict() && !s.Config.Secure():
		return area.wrong(name, "doctor.address.not_https")
	case s.hasProblem(name):
		return area.wrong(name, "doctor.address.shape")
	case s.Config.Strict() && !s.public():
		return area.wrong(name, "doctor.address.private")
	case !s.public():
		return area.warning("doctor.address.tunnel", args)
	}
	return area.ok("doctor.address.ok", args)
}

// public reports whether the name in APP_URL is a public one, which Stripe can reach.
func (s *SetUp) public() bool {
	u, err := url.Parse(s.Config.AppURL)
	return err == nil && !s.hasProblem("APP_URL") && publicHost(u.Hostname())
}

// privateNames are suffixes of names that resolve in a private network only.
// Source: https://www.iana.org/assignments/special-use-domain-names
var privateNames = []string{".localhost", ".local", ".internal", ".lan", ".home", ".test", ".invalid", ".home.arpa"}

// shared is the address space of carrier-grade NAT, which netip does not count as private.
var shared = netip.MustParsePrefix("100.64.0.0/10")

func publicHost(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
	}
	return strings.Contains(host, ".") && !slices.ContainsFunc(privateNames,
		func(end string) bool { return strings.HasSuffix(host, end) })
}
