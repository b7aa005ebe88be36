//go:build !linux

package transport

import "net"

// quiesce does nothing: only Linux says how many connections wait for a listener.
func quiesce(net.Listener) {}
