package outbound

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/seal"
)

// Where an endpoint may be, by address: for anyone, with private networks allowed, in development.
func TestAddresses(t *testing.T) {
	t.Parallel()
	const public, private, loopback, never = "public", "private", "loopback", "never"
	for text, want := range map[string]string{
		"8.8.8.8": public, "172.32.0.1": public, "100.128.0.1": public, "2606:4700::1111": public,
		"::ffff:8.8.8.8": public,
		"10.0.0.1":       private, "172.16.0.1": private, "192.168.1.1": private, "100.64.0.1": private, "fd00::1": private,
		"::ffff:10.0.0.1": private,
		"127.0.0.1":       loopback, "127.255.255.254": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback,
		"169.254.169.254": never, "fe80::1": never, "fe80::1%eth0": never, "::ffff:169.254.169.254": never,
		"0.0.0.0": never, "0.1.2.3": never, "::": never, "224.0.0.1": never, "239.1.1.1": never, "ff02::1": never,
		"255.255.255.255": never, "240.0.0.1": never, "192.0.0.192": never, "192.0.2.1": never, "198.18.0.1": never,
		"198.51.100.1": never, "203.0.113.1": never,
		"64:ff9b::7f00:1": never, "::7f00:1": never, "2002:7f00:1::": never, "2001:0:1::1": never, "2001:db8::1": never,
		"3fff::1": never, "fec0::1": never, "4000::1": never,
	} {
		address := netip.MustParseAddr(text)
		for g, allowed := range map[guard]string{
			{public: true}: public,
			{public: true, private: true, loopback: true}: public + private + loopback,
			{public: true, loopback: true}:                public + loopback,
			{private: true, loopback: true}:               private + loopback,
			{loopback: true}:                              loopback,
		} {
			if got := g.allows(address); got != strings.Contains(allowed, want) {
				t.Errorf("%+v allows %s: %v, want %v", g, text, got, !got)
			}
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url      string
		networks Networks
		want     fault.Problem
	}{
		{"https://example.com/hook?x=1", Networks{}, ""},
		{"https://example.com:8443", Networks{}, ""},
		{"http://example.com", Networks{}, fault.WebhookHTTPS},
		{"http://127.0.0.1:9", Networks{}, fault.WebhookHTTPS},
		{"https://127.0.0.1:9", Networks{}, fault.WebhookAddress},
		{"https://[::1]:9", Networks{}, fault.WebhookAddress},
		{"https://10.1.2.3", Networks{}, fault.WebhookAddress},
		{"https://169.254.169.254/latest", Networks{Private: true, Loopback: true}, fault.WebhookAddress},
		{"http://127.0.0.1:9", Networks{Loopback: true}, ""},
		{"http://10.1.2.3", Networks{Loopback: true}, fault.WebhookAddress},
		{"http://10.1.2.3", Networks{Private: true}, ""},
		{"http://8.8.8.8", Networks{Private: true}, fault.WebhookAddress},
		{"http://worker:8080", Networks{Private: true}, ""}, // the address decides when connecting
		{"https://user:pw@example.com", Networks{}, fault.WebhookURL},
		{"https://example.com/#a", Networks{}, fault.WebhookURL},
		{"https://", Networks{}, fault.WebhookURL},
		{"", Networks{}, fault.WebhookURL},
		{"ftp://example.com", Networks{}, fault.WebhookURL},
		{"javascript:alert(1)", Networks{}, fault.WebhookURL},
		{"https://example.com/\x00", Networks{}, fault.WebhookURL},
		{"https://example.com/" + strings.Repeat("a", MaxURL), Networks{}, fault.WebhookURL},
	} {
		got := fault.Problem("")
		if f := fault.Of((&Service{networks: c.networks}).checkURL(c.url)); f != nil {
			got = f.Problem
		}
		if got != c.want {
			t.Errorf("%q with %+v: problem %q, want %q", c.url, c.networks, got, c.want)
		}
	}
}

// A name is judged by the address that it has when we connect.
func TestNameOfARefusedAddress(t *testing.T) {
	t.Parallel()
	hit := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	t.Cleanup(server.Close)
	s := New(nil, seal.Secrets{current}, Networks{}, nil)
	c := claimed{Secrets: s.secrets.Seal(sealPurpose, []byte(newSecret()))}
	c.Attempts, c.URL = 1, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if err := s.checkURL(c.URL); err != nil {
		t.Fatalf("check: %v, want none: a name may resolve to anything", err)
	}
	if r := s.send(t.Context(), c); r.Failure != models.DeliveryAddress || r.Status != models.DeliveryPending || hit {
		t.Errorf("outcome = %+v, server reached: %v, want a refused address", r, hit)
	}
}

// Plain HTTP reaches no public address, to which a name may lead after it was checked.
func TestPlainHTTPStaysPrivate(t *testing.T) {
	t.Parallel()
	s := New(nil, seal.Secrets{current}, Networks{Private: true}, nil)
	c := claimed{Secrets: s.secrets.Seal(sealPurpose, []byte(newSecret()))}
	c.Attempts, c.URL = 1, "http://8.8.8.8:9"
	if r := s.send(t.Context(), c); r.Failure != models.DeliveryAddress {
		t.Errorf("outcome = %+v, want a refused address", r)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	plain := newReceiver(t, nil)
	untrusted := httptest.NewUnstartedServer(nil)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	hang := make(chan struct{})
	hanging := newReceiver(t, func(http.ResponseWriter, int) { <-hang })
	t.Cleanup(func() { close(hang) })
	for _, c := range []struct {
		url  string
		want models.DeliveryFailure
	}{
		{strings.Replace(plain.URL, "http:", "https:", 1), models.DeliveryTLS},
		{untrusted.URL, models.DeliveryTLS},
		{gone.URL, models.DeliveryConnection},
		{"https://nothing.invalid", models.DeliveryDNS},
		{hanging.URL, models.DeliveryTimeout},
	} {
		s := newService(nil)
		if c.want == models.DeliveryTimeout {
			s.timeout = 1 // nanosecond
		}
		d := claimed{Secrets: s.secrets.Seal(sealPurpose, []byte(newSecret()))}
		d.Attempts, d.URL = 1, c.url
		if r := s.send(t.Context(), d); r.Failure != c.want || r.Response != 0 {
			t.Errorf("%s: failure %q with status %d, want %q without", c.url, r.Failure, r.Response, c.want)
		}
	}
}

// A redirect is a failure, and an endless answer does not hold the sender.
func TestAnswersAreNotFollowedNorRead(t *testing.T) {
	t.Parallel()
	target := newReceiver(t, nil)
	redirects := newReceiver(t, func(w http.ResponseWriter, _ int) {
		w.Header().Set("Location", target.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	endless := newReceiver(t, func(w http.ResponseWriter, _ int) {
		for {
			if _, err := io.WriteString(w, strings.Repeat("a", maxAnswer)); err != nil {
				return
			}
		}
	})
	s := newService(nil)
	send := func(url string) result {
		d := claimed{Secrets: s.secrets.Seal(sealPurpose, []byte(newSecret()))}
		d.Attempts, d.URL = 1, url
		return s.send(t.Context(), d)
	}
	if r := send(redirects.URL); r.Response != http.StatusTemporaryRedirect || r.Status != models.DeliveryPending ||
		len(target.received()) != 0 {
		t.Errorf("redirect: %+v, %d requests at its target, want a failure and 0", r, len(target.received()))
	}
	if r := send(endless.URL); r.Status != models.DeliveryDelivered {
		t.Errorf("endless answer: %+v, want delivered", r)
	}
}

// Certificates are verified, by default and whatever the address.
func TestClientsVerifyCertificates(t *testing.T) {
	t.Parallel()
	config := newClient(guard{}).Transport.(*http.Transport).TLSClientConfig
	if config != nil && (config.InsecureSkipVerify || config.MinVersion != 0 && config.MinVersion < tls.VersionTLS12) {
		t.Errorf("TLS configuration %+v accepts what the default refuses", config)
	}
}
