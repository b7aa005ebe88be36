// Package loopback recognizes this machine's addresses, and listens where no other machine can connect.
package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
)

// Is reports whether host, a name or an IP address without a port, means this machine for every resolver.
// Source: RFC 6761, section 6.3.
func Is(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// All reports whether each of a comma list of hosts, as a database's address has them, means this machine: a name or an
// address with or without a port, or the directory of a socket. No host does.
func All(hosts string) bool {
	for host := range strings.SplitSeq(hosts, ",") {
		name := (&url.URL{Host: host}).Hostname()
		if !strings.HasPrefix(host, "/") && !Is(host) && name != "" && !Is(name) {
			return false
		}
	}
	return true
}

// The two loopback addresses.
const (
	ipv4 = "127.0.0.1"
	ipv6 = "::1"
)

// Listen opens address, such as 127.0.0.1:3000, and the same port on the other loopback address if this machine has
// IPv6: browsers try localhost on ::1 first, and no other program must answer there.
// Errors: an address that other machines can reach; syscall.EADDRINUSE if either is taken.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen address: %w", err)
	}
	if !Is(host) {
		return nil, fmt.Errorf("listen address %q is not a loopback address", address)
	}
	var config net.ListenConfig
	first, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	used, port, err := net.SplitHostPort(first.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read listen address: %w", err), first.Close())
	}
	other := ipv6
	if used == ipv6 {
		other = ipv4
	}
	second, err := config.Listen(ctx, "tcp", net.JoinHostPort(other, port))
	switch {
	case err == nil:
		return join(first, second), nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, errors.Join(fmt.Errorf("listen on the other loopback address: %w", err), first.Close())
	default: // no IPv6 on this machine
		return first, nil
	}
}

// freePortTries bounds the search for a port that is free on both addresses.
const freePortTries = 10

// ListenAny is Listen, on a free port if that of address is taken.
func ListenAny(ctx context.Context, address string) (net.Listener, error) {
	l, err := Listen(ctx, address)
	for range freePortTries {
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		l, err = Listen(ctx, net.JoinHostPort(ipv4, "0"))
	}
	return l, err
}

// pair is two listeners as one.
type pair struct {
	net.Listener // its address is the pair's
	other        net.Listener
	accepted     chan result
	closed       chan struct{}
	once         sync.Once
}

type result struct {
	conn net.Conn
	err  error
}

func join(first, second net.Listener) net.Listener {
	p := &pair{Listener: first, other: second, accepted: make(chan result), closed: make(chan struct{})}
	go p.accept(first)
	go p.accept(second)
	return p
}

// accept passes on the connections of l until the pair is closed.
func (p *pair) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		select {
		case p.accepted <- result{conn, err}:
		case <-p.closed:
			if conn != nil {
				_ = conn.Close() // the pair is closed
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// Accept returns the next connection of either.
func (p *pair) Accept() (net.Conn, error) {
	select {
	case r := <-p.accepted:
		return r.conn, r.err
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close closes both.
func (p *pair) Close() error {
	p.once.Do(func() { close(p.closed) })
	return errors.Join(p.Listener.Close(), p.other.Close())
}
