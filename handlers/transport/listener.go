package transport

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Slots bounds the connections of a listener. A new one is always taken while there is one that waits for its peer and
// can make room: an idle one, one that is slow to send its request or to read its answer. The longest waiting goes first,
// so whoever collects connections loses the oldest of their own, and an idle connection lives as long as nobody needs its
// place. What the server works on is never cut off.
type Slots struct {
	Total      int     // connections at once
	PerNetwork int     // of one network, except proxies
	Proxies    Proxies // whose connections are many people's

	// Refuse answers a connection for which there is no room. It is called on a goroutine of its own; the connection is
	// closed afterwards.
	Refuse func(net.Conn)
}

// spare is how many connections may be open beyond Total, in parts of it: those that are about to close, and those that
// are being refused.
const spare = 16

// refusals is how many connections are being refused at once; beyond, they are closed without a word.
const refusals = 64

// How long a refused connection may take to read why, and a displaced one to send the request that it had begun.
const (
	refusalTime = time.Second
	graceTime   = time.Second
)

// Room is the number of slots for a process that may have this many files open.
func Room(files int) int { return max(files*spare/(spare+1), 1) }

// Listen puts slots before a listener.
func (s Slots) Listen(l net.Listener) net.Listener {
	return &listener{Listener: l, slots: s, networks: map[netip.Addr]map[*conn]struct{}{}, refusing: make(chan struct{}, refusals)}
}

type listener struct {
	net.Listener
	slots    Slots
	refusing chan struct{} // holds one for each refusal under way

	mu       sync.Mutex
	open     int // not closed yet
	seated   int // of them, those that were not displaced
	networks map[netip.Addr]map[*conn]struct{}
}

// Accept returns the next connection that has a slot.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.seat(raw); c != nil {
			return c, nil
		}
		l.refuse(raw)
	}
}

// seat gives a connection a slot, another's if need be; nil when there is none.
func (l *listener) seat(raw net.Conn) *conn {
	peer := peerOf(raw)
	c := &conn{Conn: raw, of: l, network: Network(peer)}
	c.waits()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.slots.Total+max(l.slots.Total/spare, 1) {
		return nil
	}
	if peers := l.networks[c.network]; len(peers) >= l.slots.PerNetwork && !l.slots.Proxies.Trust(peer) && !l.displace(peers) {
		return nil
	}
	if l.seated >= l.slots.Total && !l.displace(slices.Collect(maps.Values(l.networks))...) {
		return nil
	}
	l.open++
	l.seated++
	if l.networks[c.network] == nil {
		l.networks[c.network] = map[*conn]struct{}{}
	}
	l.networks[c.network][c] = struct{}{}
	return c
}

// displace gives away the slot of the connection that has waited longest for its peer, among those of some networks,
// and ends its wait; false when none waits. The caller holds the lock.
func (l *listener) displace(networks ...map[*conn]struct{}) bool {
	var longest *conn
	var since int64
	for _, peers := range networks {
		for c := range peers {
			if at := c.since.Load(); at != 0 && (longest == nil || at < since) {
				longest, since = c, at
			}
		}
	}
	if longest == nil {
		return false
	}
	l.leave(longest)
	longest.wake()
	return true
}

// leave takes a connection off its slot, once. The caller holds the lock.
func (l *listener) leave(c *conn) {
	peers := l.networks[c.network]
	if _, seated := peers[c]; !seated {
		return
	}
	l.seated--
	if delete(peers, c); len(peers) == 0 {
		delete(l.networks, c.network)
	}
}

// refuse answers a connection and closes it, without holding up those behind it. What the peer has sent by then is
// read: a close before would take the answer away from them.
func (l *listener) refuse(raw net.Conn) {
	select {
	case l.refusing <- struct{}{}:
	default:
		_ = raw.Close()
		return
	}
	go func() {
		defer func() {
			_ = raw.Close()
			<-l.refusing
		}()
		_ = raw.SetDeadline(time.Now().Add(refusalTime))
		if l.slots.Refuse != nil {
			l.slots.Refuse(raw)
		}
		if half, ok := raw.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			drain(raw)
		}
	}()
}

// drain reads until the peer closes, or the deadline.
func drain(raw net.Conn) {
	var scratch [512]byte
	for {
		if _, err := raw.Read(scratch[:]); err != nil {
			return
		}
	}
}

func peerOf(raw net.Conn) netip.Addr {
	if tcp, ok := raw.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

// conn is a connection that knows whether it waits for its peer.
type conn struct {
	net.Conn
	of      *listener
	network netip.Addr
	since   atomic.Int64 // when it began to wait, in nanoseconds since 1970; 0 while the server works
	closed  sync.Once

	mu        sync.Mutex
	displaced bool // its slot is another's
}

func (c *conn) waits() { c.since.Store(time.Now().UnixNano()) }

// Read reads from the peer.
func (c *conn) Read(p []byte) (int, error) {
	c.waits()
	defer c.since.Store(0)
	return c.Conn.Read(p)
}

// Write writes to the peer.
func (c *conn) Write(p []byte) (int, error) {
	c.waits()
	defer c.since.Store(0)
	return c.Conn.Write(p)
}

// wake ends the wait for the peer. A request whose first byte has just come is still answered: the server sets other
// deadlines then.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.displaced = true
	_ = c.Conn.SetDeadline(time.Unix(1, 0))
}

// SetReadDeadline is the server's; without a slot there is no more than graceTime.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if grace := time.Now().Add(graceTime); c.displaced && (t.IsZero() || t.After(grace)) {
		t = grace
	}
	return c.Conn.SetReadDeadline(t)
}

// Close closes the connection and frees its slot.
func (c *conn) Close() error {
	c.closed.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.of.leave(c)
		c.of.open--
	})
	return c.Conn.Close()
}
