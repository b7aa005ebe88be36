package stripe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// freePortTries bounds the search for a port that is free on both loopbacks.
const freePortTries = 10

// loopback refuses an address that another machine could reach.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("listen address %q is not a loopback address", address)
	}
	return nil
}

// listen opens address, or a free port when that one is taken. The same port of the
// other loopback is opened too where there is IPv6: browsers try "localhost" on ::1
// first, and another program must not be what answers there.
func listen(ctx context.Context, address string) ([]net.Listener, string, error) {
	opened, port, err := listenBoth(ctx, address)
	for range freePortTries {
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
		opened, port, err = listenBoth(ctx, "127.0.0.1:0")
	}
	return opened, port, err
}

func listenBoth(ctx context.Context, address string) ([]net.Listener, string, error) {
	var config net.ListenConfig
	first, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w", address, err)
	}
	host, port, err := net.SplitHostPort(first.Addr().String())
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("read listen address: %w", err), first.Close())
	}
	other := "::1"
	if host == other {
		other = "127.0.0.1"
	}
	second, err := config.Listen(ctx, "tcp", net.JoinHostPort(other, port))
	switch {
	case err == nil:
		return []net.Listener{first, second}, port, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, "", errors.Join(fmt.Errorf("listen on the other loopback: %w", err), first.Close())
	default: // no IPv6 on this machine
		return []net.Listener{first}, port, nil
	}
}
