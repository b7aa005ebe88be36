package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
)

// fixture is a listener with slots.
type fixture struct {
	t        *testing.T
	listener net.Listener
}

func listen(t *testing.T, s Slots) *fixture {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := s.Listen(raw)
	t.Cleanup(func() { l.Close() })
	return &fixture{t, l}
}

// connect returns both ends of a connection that the listener has accepted.
func (f *fixture) connect() (ours, theirs net.Conn) {
	f.t.Helper()
	theirs = f.dial()
	ours, err := f.listener.Accept()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

func (f *fixture) dial() net.Conn {
	f.t.Helper()
	theirs, err := net.Dial("tcp", f.listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { theirs.Close() })
	return theirs
}

// occupy makes a connection busy: the server has read its request.
func occupy(t *testing.T, ours, theirs net.Conn) {
	t.Helper()
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// checkDisplaced requires that a read on a displaced connection ends at once.
func checkDisplaced(t *testing.T, ours net.Conn) {
	t.Helper()
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read on a displaced connection: %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

// A network over its limit loses its oldest idle connection. Busy connections stay.
func TestNetworkLosesItsOldestIdleConnection(t *testing.T) {
	t.Parallel()
	f := listen(t, Slots{Total: 100, PerNetwork: 3})
	first, firstPeer := f.connect()
	second, _ := f.connect()
	third, thirdPeer := f.connect()
	occupy(t, first, firstPeer)
	f.connect()
	checkDisplaced(t, second)
	occupy(t, third, thirdPeer)
	if _, err := first.Write([]byte("x")); err != nil {
		t.Errorf("write on a busy connection: %v", err)
	}
}

// Over the total limit the oldest idle connection of any network is displaced.
func TestOldestIdleConnectionIsDisplaced(t *testing.T) {
	t.Parallel()
	f := listen(t, Slots{Total: 3, PerNetwork: 3, Proxies: Proxies{netip.MustParsePrefix("127.0.0.0/8")}})
	busy, peer := f.connect()
	occupy(t, busy, peer)
	idle, _ := f.connect()
	f.connect()
	f.connect()
	checkDisplaced(t, idle)
	if _, err := busy.Write([]byte("x")); err != nil {
		t.Errorf("write on a busy connection: %v", err)
	}
}

// Displacing a connection also ends a blocked Read, as of an idle client, and a blocked Write, as of a client that
// does not read.
func TestDisplacementEndsABlockedCall(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(net.Conn) error{
		"reading": func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		// more than the socket buffers hold
		"writing": func(c net.Conn) error { _, err := c.Write(make([]byte, 64<<20)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := listen(t, Slots{Total: 10, PerNetwork: 1})
			ours, _ := f.connect()
			ended := make(chan error, 1)
			go func() { ended <- wait(ours) }()
			f.connect() // displaces ours, whether or not it already blocks
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("error %v, want %v", err, os.ErrDeadlineExceeded)
			}
		})
	}
}

// When all connections are busy, a new one gets the refusal. The next one is accepted once a slot is free.
func TestFullListenerRefuses(t *testing.T) {
	t.Parallel()
	f := listen(t, Slots{Total: 10, PerNetwork: 1, Refuse: func(c net.Conn) { _, _ = io.WriteString(c, "full") }})
	ours, theirs := f.connect()
	occupy(t, ours, theirs)
	refused := f.dial()
	if _, err := refused.Write([]byte("a request")); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		c, _ := f.listener.Accept()
		accepted <- c
	}()
	if got, err := io.ReadAll(refused); err != nil || string(got) != "full" {
		t.Errorf("a refused connection reads %q (%v), want %q", got, err, "full")
	}
	ours.Close()
	f.dial()
	if c := <-accepted; c == nil {
		t.Error("the connection is refused although a slot is free")
	} else {
		c.Close()
	}
}

// Closing a connection frees its slot once, even when it is closed several times.
func TestCloseFreesASlotOnce(t *testing.T) {
	t.Parallel()
	f := listen(t, Slots{Total: 2, PerNetwork: 2})
	var all sync.WaitGroup
	for range 50 {
		ours, theirs := f.connect()
		for range 3 {
			all.Go(func() { ours.Close() })
		}
		theirs.Close()
		all.Wait()
	}
	inner := f.listener.(*listener)
	if inner.open != 0 || inner.seated != 0 || len(inner.networks) != 0 {
		t.Errorf("%d open, %d seated, %d networks, want 0", inner.open, inner.seated, len(inner.networks))
	}
}

// from is a connection from an address.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.address), 1))
}

// When others have taken every slot and keep them busy, this machine and the proxies still connect: their health checks
// decide whether the server is killed.
func TestHealthChecksHaveReservedSlots(t *testing.T) {
	t.Parallel()
	f := listen(t, Slots{Total: 64, PerNetwork: 1000, Proxies: Proxies{netip.MustParsePrefix("10.0.0.0/8")}})
	l := f.listener.(*listener)
	seat := func(address string) bool {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { ours.Close(); theirs.Close() })
		c := l.seat(from{ours, address})
		if c != nil {
			c.since.Store(0) // the server works on its request
		}
		return c != nil
	}
	for i := range 64 {
		if !seat("203.0.113.9") {
			t.Fatalf("connection %d is refused, want 64 accepted", i+1)
		}
	}
	for _, c := range []struct {
		address string
		want    bool
	}{
		{"203.0.113.9", false}, {"198.51.100.7", false}, {"127.0.0.1", true}, {"::1", true}, {"10.0.0.1", true},
		{"203.0.113.9", false}, {"127.0.0.1", true}, {"127.0.0.1", false},
	} {
		if got := seat(c.address); got != c.want {
			t.Errorf("%s, with %d open: accepted %v, want %v", c.address, l.open, got, c.want)
		}
	}
}
