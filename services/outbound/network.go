package outbound

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Limits of one attempt.
const (
	sendTimeout    = 10 * time.Second
	connectTimeout = 5 * time.Second
	maxHeader      = 16 << 10 // bytes of an answer's headers
	maxAnswer      = 1 << 10  // bytes of an answer's body that are read, and thrown away
	idleConnection = 30 * time.Second
)

// errAddress refuses to connect to an address.
var errAddress = errors.New("address not allowed")

// guard says which addresses a client may connect to. It sees the address of each connection, after the name was
// resolved, so that a name cannot lead elsewhere later.
type guard struct{ public, private, loopback bool }

// control refuses connections as net.Dialer's Control.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !g.allows(to.Addr()) {
		return errAddress
	}
	return nil
}

// Addresses that net/netip does not know as special. Of IPv6, only 2000::/3 is routed; parts of it lead to addresses
// inside other addresses.
// Source: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
var (
	carrierNAT = netip.MustParsePrefix("100.64.0.0/10")
	unicast6   = netip.MustParsePrefix("2000::/3")
	special    = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
		netip.MustParsePrefix("3fff::/20"),
	}
)

// allows reports whether the guard lets connections to an address pass. Link-local addresses, such as those of the
// clouds' metadata servers, never pass.
func (g guard) allows(to netip.Addr) bool {
	to = to.Unmap().WithZone("")
	switch {
	case to.IsLoopback():
		return g.loopback
	case to.IsPrivate() || carrierNAT.Contains(to):
		return g.private
	case !to.IsGlobalUnicast() || to.Is6() && !unicast6.Contains(to):
		return false
	}
	return g.public && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(to) })
}

// newClient returns a client that connects where g allows, through no proxy, and follows no redirect.
func newClient(g guard) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: g.control}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout, MaxResponseHeaderBytes: maxHeader,
			MaxConnsPerHost: 2 * batchSize, MaxIdleConnsPerHost: batchSize, IdleConnTimeout: idleConnection,
			DisableCompression: true,
		},
	}
}

// checkURL returns the fault of a URL that can be no endpoint, or nil. What a host name resolves to is checked when
// connecting.
func (s *Service) checkURL(text string) error {
	if utf8.RuneCountInString(text) > MaxURL || !models.Storable(text) {
		return fault.Field("url", fault.WebhookURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" ||
		u.Scheme != "https" && u.Scheme != "http" {
		return fault.Field("url", fault.WebhookURL)
	}
	if u.Scheme == "http" && !s.networks.Loopback && !s.networks.Private {
		return fault.Field("url", fault.WebhookHTTPS)
	}
	public := guard{public: u.Scheme == "https", private: s.networks.Private,
		loopback: s.networks.Loopback || s.networks.Private}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil && !public.allows(address) {
		return fault.Field("url", fault.WebhookAddress)
	}
	return nil
}

// client returns the client for an endpoint.
func (s *Service) client(u *url.URL) *http.Client {
	if u.Scheme == "https" {
		return s.https
	}
	return s.http
}
