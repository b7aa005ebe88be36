package transport

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is trusted.
type Proxies []netip.Prefix

// ParseProxies parses addresses and networks in CIDR notation.
func ParseProxies(list []string) (Proxies, error) {
	var all Proxies
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("trusted proxies: %q is neither an address nor a network", text)
			}
			address = address.Unmap().WithZone("")
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// Trust reports whether address belongs to a trusted proxy.
func (p Proxies) Trust(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}

// Sender returns the client's address: the peer's, unless the peer is a trusted proxy. Each proxy appends the address
// that it saw to X-Forwarded-For, so the last untrusted address is the only one that the client did not choose. An
// unreadable entry yields the peer's address.
func (p Proxies) Sender(peer netip.Addr, forwarded []string) netip.Addr {
	peer = peer.Unmap().WithZone("")
	sender := peer
	for _, line := range slices.Backward(forwarded) { // several header lines form one list
		for _, entry := range slices.Backward(strings.Split(line, ",")) {
			if !p.Trust(sender) {
				return sender
			}
			address, ok := hop(entry)
			if !ok {
				return peer
			}
			sender = address
		}
	}
	return sender
}

// hop parses one entry of X-Forwarded-For: an address, which some proxies write with a port, IPv6 then in brackets.
// Source: https://learn.microsoft.com/azure/application-gateway/rewrite-http-headers-url
func hop(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if with, err := netip.ParseAddrPort(entry); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	entry = strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]")
	address, err := netip.ParseAddr(entry)
	return address.Unmap().WithZone(""), err == nil
}

// Network returns what counts as one client: an IPv4 address, or an IPv6 /64, the smallest network that a customer
// gets.
func Network(address netip.Addr) netip.Addr { return masked(address, 64) }

// site returns the IPv6 /48 of an address, the largest network that a customer gets: 65,536 /64 networks.
func site(address netip.Addr) netip.Addr { return masked(address, 48) }

// masked returns an IPv4 address, or the first bits of an IPv6 address.
func masked(address netip.Addr, bits int) netip.Addr {
	address = address.Unmap().WithZone("")
	if address.Is6() {
		prefix, err := address.Prefix(bits)
		if err == nil { // always, for up to 128 bits
			return prefix.Addr()
		}
	}
	return address
}
