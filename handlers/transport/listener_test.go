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

// tested is a listener with slots and what it has accepted.
type tested struct {
	t        *testing.T
	listener net.Listener
}

func listen(t *testing.T, s Slots) *tested {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := s.Listen(raw)
	t.Cleanup(func() { l.Close() })
	return &tested{t, l}
}

// connect returns both ends of a new connection, which the listener has taken.
func (l *tested) connect() (ours, theirs net.Conn) {
	l.t.Helper()
	theirs = l.dial()
	ours, err := l.listener.Accept()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

func (l *tested) dial() net.Conn {
	l.t.Helper()
	theirs, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { theirs.Close() })
	return theirs
}

// work has a connection be one that the server works on: its request has been read.
func work(t *testing.T, ours, theirs net.Conn) {
	t.Helper()
	if _, err := theirs.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// ends wants a connection to have been displaced: what it waits for ends at once.
func ends(t *testing.T, ours net.Conn) {
	t.Helper()
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a displaced connection reads with %v, want its time to be over", err)
	}
}

// Whoever opens more connections than a network may hold loses the oldest of their own that wait. One that is being
// worked on stays.
func TestNetworkIsDisplaced(t *testing.T) {
	t.Parallel()
	l := listen(t, Slots{Total: 100, PerNetwork: 3})
	first, firstPeer := l.connect()
	second, _ := l.connect()
	third, thirdPeer := l.connect()
	work(t, first, firstPeer)
	l.connect()
	ends(t, second)
	work(t, third, thirdPeer)
	if _, err := first.Write([]byte("x")); err != nil {
		t.Errorf("one that is being worked on: %v", err)
	}
}

// The same holds for all connections together, whoever they are of.
func TestLongestWaitingIsDisplaced(t *testing.T) {
	t.Parallel()
	l := listen(t, Slots{Total: 3, PerNetwork: 3, Proxies: Proxies{netip.MustParsePrefix("127.0.0.0/8")}})
	working, peer := l.connect()
	work(t, working, peer)
	idle, _ := l.connect()
	l.connect()
	l.connect()
	ends(t, idle)
	if _, err := working.Write([]byte("x")); err != nil {
		t.Errorf("one that is being worked on: %v", err)
	}
}

// A wait that is under way ends too: in Read, as of an idle connection, and in Write, as of one that does not read.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(net.Conn) error{
		"reading": func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		// more than fits between the two
		"writing": func(c net.Conn) error { _, err := c.Write(make([]byte, 64<<20)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listen(t, Slots{Total: 10, PerNetwork: 1})
			ours, _ := l.connect()
			ended := make(chan error, 1)
			go func() { ended <- wait(ours) }()
			l.connect() // displaces it, whether or not it waits by now
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ended with %v, want its time to be over", err)
			}
		})
	}
}

// When nothing waits there is no room; the connection is told so, and the next one is taken as soon as there is some.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	l := listen(t, Slots{Total: 10, PerNetwork: 1, Refuse: func(c net.Conn) { _, _ = io.WriteString(c, "full") }})
	ours, theirs := l.connect()
	work(t, ours, theirs)
	refused := l.dial()
	if _, err := refused.Write([]byte("a request")); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		c, _ := l.listener.Accept()
		accepted <- c
	}()
	if said, err := io.ReadAll(refused); err != nil || string(said) != "full" {
		t.Errorf("a refused connection is told %q (%v)", said, err)
	}
	ours.Close()
	l.dial()
	if c := <-accepted; c == nil {
		t.Error("there is room and none is given")
	} else {
		c.Close()
	}
}

// Closing frees a slot, once however often it is done.
func TestSlotsAreFreed(t *testing.T) {
	t.Parallel()
	l := listen(t, Slots{Total: 2, PerNetwork: 2})
	var all sync.WaitGroup
	for range 50 {
		ours, theirs := l.connect()
		for range 3 {
			all.Go(func() { ours.Close() })
		}
		theirs.Close()
		all.Wait()
	}
	inner := l.listener.(*listener)
	if inner.open != 0 || inner.seated != 0 || len(inner.networks) != 0 {
		t.Errorf("%d open, %d seated, %d networks are left", inner.open, inner.seated, len(inner.networks))
	}
}
