package loopback_test

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"

	"github.com/resume-matcher/credits/services/loopback"
)

func TestIs(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "credits.localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true,
		"[::1]": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example.com": false, "notlocalhost": false, "0.0.0.0": false, "::": false, "10.0.0.1": false,
		"credits.example.com": false, "127.0.0.1.example.com": false,
	} {
		if got := loopback.Is(host); got != want {
			t.Errorf("Is(%q): got %v, want %v", host, got, want)
		}
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	for hosts, want := range map[string]bool{
		"": true, ":5432": true, "localhost:5432": true, "[::1]:5432": true, "/var/run/postgresql": true,
		"127.0.0.1:5432,localhost": true, "::1": true,
		"db.internal:5432": false, "localhost,db.internal": false, "10.0.0.7": false, "[2001:db8::1]:5432": false,
	} {
		if got := loopback.All(hosts); got != want {
			t.Errorf("All(%q): got %v, want %v", hosts, got, want)
		}
	}
}

// hasIPv6 reports whether ::1 can be used here.
func hasIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func TestListenAnswersOnBothAddresses(t *testing.T) {
	t.Parallel()
	l, err := loopback.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	hosts := []string{"127.0.0.1"}
	if hasIPv6(t) {
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		client, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatalf("dial %s: %v", host, err)
		}
		served, err := l.Accept()
		if err != nil {
			t.Fatalf("accept from %s: %v", host, err)
		}
		if got := served.RemoteAddr().(*net.TCPAddr).IP.String(); got != host {
			t.Errorf("a connection to %s comes from %s", host, got)
		}
		served.Close()
		client.Close()
		if taken, err := loopback.Listen(t.Context(), net.JoinHostPort(host, port)); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a second program may have %s too: %v, %v", host, taken, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: got %v, want net.ErrClosed", err)
	}
	for _, host := range hosts {
		if conn, err := net.Dial("tcp", net.JoinHostPort(host, port)); err == nil {
			conn.Close()
			t.Errorf("%s still answers after close", host)
		}
	}
}

func TestListenRefusesWhatOthersReach(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.7:0", "credits.example.com:0", "127.0.0.1"} {
		if l, err := loopback.Listen(t.Context(), address); err == nil {
			l.Close()
			t.Errorf("listens on %s", address)
		}
	}
}

func TestListenAnyAvoidsAPortOfEitherAddress(t *testing.T) {
	t.Parallel()
	addresses := []string{"127.0.0.1:0"}
	if hasIPv6(t) {
		addresses = append(addresses, "[::1]:0")
	}
	for _, address := range addresses {
		taken, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port := taken.Addr().(*net.TCPAddr).Port
		l, err := loopback.ListenAny(t.Context(), net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatalf("with %s taken: %v", taken.Addr(), err)
		}
		defer l.Close()
		if l.Addr().(*net.TCPAddr).Port == port {
			t.Errorf("took port %d although %s is another program's", port, taken.Addr())
		}
	}
}
