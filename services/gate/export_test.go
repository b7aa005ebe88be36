package gate

import (
	"context"
	"net"
)

// Upstream returns the upstream that is watched.
func (a *AddOn) Upstream() *Upstream { return a.upstream }

// Remembered returns how many Resume Matchers have a state.
func (a *AddOn) Remembered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.states)
}

// Resolve replaces the look-up of host names.
func (u *Upstream) Resolve(address func(host string) string) {
	u.transport.DialContext = func(ctx context.Context, network, host string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address(host))
	}
}
