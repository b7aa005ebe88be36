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

// Slots bounds the connections of a listener. A new connection displaces one that waits for its peer: an idle one, or
// one that is slow to send or to read. The longest waiting goes first, so that a client with many connections loses
// its own oldest. Connections that the server works on are never displaced.
type Slots struct {
	Total      int     // connections at once; a few more of this machine and of proxies
	PerNetwork int     // of one network, except proxies
	Proxies    Proxies // exempt from PerNetwork: they carry many clients

	// Refuse answers a connection without a slot. It runs on its own goroutine; the connection is closed afterwards.
	Refuse func(net.Conn)
}

// spare allows one in spare connections beyond Total: those being closed or refused.
const spare = 16

// refusals is how many refusals run at once; further connections are closed without an answer.
const refusals = 64

// Time for a refused connection to read its answer, and for a displaced one to finish its request.
const (
	refusalTime = time.Second
	graceTime   = time.Second
)

// quiesceTimeout is how long the connections that wait for a closing listener have to be accepted.
const quiesceTimeout = 500 * time.Millisecond

// room returns how many connections may be open before a new one is refused. A quarter of the spare ones is reserved
// for this machine and the proxies, whose health checks must be answered when other senders have taken all slots.
func (s Slots) room(local bool) int {
	extra := max(s.Total/spare, 1)
	if local {
		return s.Total + extra
	}
	return s.Total + extra - extra/4
}

// Room returns the slots for a process that may open this many files.
func Room(files int) int { return max(files*spare/(spare+1), 1) }

// Listen limits the connections of a listener.
func (s Slots) Listen(l net.Listener) net.Listener {
	return &listener{Listener: l, slots: s, networks: map[netip.Addr]map[*conn]struct{}{},
		refusing: make(chan struct{}, refusals)}
}

type listener struct {
	net.Listener
	slots    Slots
	refusing chan struct{} // one token per running refusal

	mu       sync.Mutex
	open     int // connections that are not closed yet
	seated   int // open connections with a slot
	networks map[netip.Addr]map[*conn]struct{}
}

// Accept returns the next connection with a slot.
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

// Close closes the listener once it has accepted the connections that wait for it.
func (l *listener) Close() error {
	quiesce(l.Listener)
	return l.Listener.Close()
}

// seat gives a connection a slot, if necessary another's; nil when there is none.
func (l *listener) seat(raw net.Conn) *conn {
	peer := peerOf(raw)
	c := &conn{Conn: raw, of: l, network: Network(peer)}
	c.waits()
	local := peer.IsLoopback() || l.slots.Proxies.Trust(peer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.slots.room(local) {
		return nil
	}
	if peers := l.networks[c.network]; len(peers) >= l.slots.PerNetwork && !l.slots.Proxies.Trust(peer) &&
		!l.displace(peers) {
		return nil
	}
	if l.seated >= l.slots.Total && !l.displace(slices.Collect(maps.Values(l.networks))...) && !local {
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

// displace takes the slot of the longest waiting connection among networks and ends its wait; it returns false when
// none waits.
// Locks: the caller holds l.mu.
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
	l.unseat(longest)
	longest.wake()
	return true
}

// unseat frees a connection's slot, once.
// Locks: the caller holds l.mu.
func (l *listener) unseat(c *conn) {
	peers := l.networks[c.network]
	if _, seated := peers[c]; !seated {
		return
	}
	l.seated--
	if delete(peers, c); len(peers) == 0 {
		delete(l.networks, c.network)
	}
}

// refuse answers a connection and closes it, without blocking Accept. It drains what the peer sent, because closing
// earlier could discard the answer.
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

// drain reads until the peer closes or the deadline passes.
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
	since   atomic.Int64 // start of the wait in Unix nanoseconds; 0 while the server works
	closed  sync.Once

	mu        sync.Mutex
	displaced bool // lost its slot
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

// wake ends the wait for the peer. A request whose first byte has just arrived is still answered, because the server
// then sets other deadlines.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.displaced = true
	_ = c.Conn.SetDeadline(time.Unix(1, 0))
}

// SetReadDeadline shortens the server's deadline to graceTime for a displaced connection.
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
		c.of.unseat(c)
		c.of.open--
	})
	return c.Conn.Close()
}
