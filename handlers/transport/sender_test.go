package transport

import (
	"net/netip"
	"testing"
)

func TestSender(t *testing.T) {
	t.Parallel()
	proxies, err := ParseProxies([]string{"127.0.0.1", "10.0.0.0/8", "2001:db8:f::/48", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no header":                      {"127.0.0.1", nil, "127.0.0.1"},
		"a header from an unknown peer":  {"198.51.100.7", []string{"203.0.113.9"}, "198.51.100.7"},
		"one proxy":                      {"127.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		"a proxy that appends":           {"127.0.0.1", []string{"1.2.3.4, 203.0.113.9"}, "203.0.113.9"},
		"two trusted proxies":            {"127.0.0.1", []string{"1.2.3.4, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		"two header lines":               {"127.0.0.1", []string{"1.2.3.4", "203.0.113.9,10.1.2.3"}, "203.0.113.9"},
		"an unknown proxy":               {"127.0.0.1", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"a port":                         {"127.0.0.1", []string{"203.0.113.9:51234"}, "203.0.113.9"},
		"IPv6":                           {"::1", []string{"2001:db8::9"}, "2001:db8::9"},
		"IPv6 in brackets":               {"::1", []string{"[2001:db8::9]"}, "2001:db8::9"},
		"IPv6 with a port":               {"2001:db8:f::1", []string{"[2001:db8::9]:443"}, "2001:db8::9"},
		"IPv4 inside IPv6":               {"::ffff:127.0.0.1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"a zone":                         {"127.0.0.1", []string{"fe80::1%eth0"}, "fe80::1"},
		"trusted proxies alone":          {"127.0.0.1", []string{"10.0.0.9, 10.0.0.8"}, "10.0.0.9"},
		"invalid":                        {"127.0.0.1", []string{"unknown"}, "127.0.0.1"},
		"invalid before a trusted proxy": {"127.0.0.1", []string{"_hidden, 10.0.0.8"}, "127.0.0.1"},
		"nothing after the comma":        {"127.0.0.1", []string{"203.0.113.9,"}, "127.0.0.1"},
		"empty":                          {"127.0.0.1", []string{""}, "127.0.0.1"},
	} {
		if got := proxies.Sender(netip.MustParseAddr(c.peer), c.forwarded); got.String() != c.want {
			t.Errorf("%s: sender %s, want %s", name, got, c.want)
		}
	}
	if got := Proxies(nil).Sender(netip.MustParseAddr("127.0.0.1"), []string{"203.0.113.9"}); got.String() != "127.0.0.1" {
		t.Errorf("without trusted proxies: sender %s, want the peer", got)
	}
	if _, err := ParseProxies([]string{"10.0.0.0/8", "proxy.example"}); err == nil {
		t.Error("ParseProxies accepts a host name, want an error")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"fe80::1%eth0": "fe80::",
	} {
		if got := Network(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("Network(%s) = %s, want %s", address, got, want)
		}
	}
}

func FuzzSender(f *testing.F) {
	for _, seed := range []string{"203.0.113.9", "1.2.3.4, [::1]:5", "x,,", "[", "%"} {
		f.Add(seed)
	}
	proxies := Proxies{netip.MustParsePrefix("127.0.0.1/32")}
	peer := netip.MustParseAddr("127.0.0.1")
	f.Fuzz(func(t *testing.T, forwarded string) {
		if got := proxies.Sender(peer, []string{forwarded}); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("Sender(%q) = %v, want a valid address without a zone", forwarded, got)
		}
	})
}
