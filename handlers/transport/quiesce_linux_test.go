package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// watched is a listener that tells when its end begins, and how many connections it had accepted when it was closed.
type watched struct {
	*net.TCPListener
	ending            func()
	accepted, atClose atomic.Int64
}

func (w *watched) Accept() (net.Conn, error) {
	conn, err := w.TCPListener.Accept()
	if err == nil {
		w.accepted.Add(1)
	}
	return conn, err
}

func (w *watched) SyscallConn() (syscall.RawConn, error) {
	w.ending()
	return w.TCPListener.SyscallConn()
}

func (w *watched) Close() error {
	w.ending()
	w.atClose.Store(w.accepted.Load())
	return w.TCPListener.Close()
}

// A listener is closed only when the connections that wait for it have been accepted: the kernel would reset them.
func TestClosingAcceptsWhoWaits(t *testing.T) {
	t.Parallel()
	const waiting = 5
	raw, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ending := make(chan struct{})
	w := &watched{TCPListener: raw, ending: sync.OnceFunc(func() { close(ending) })}
	l := Slots{Total: 100, PerNetwork: 100}.Listen(w)
	for range waiting {
		c, err := net.Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	<-ending
	for {
		conn, err := l.Accept()
		if err != nil {
			break
		}
		defer conn.Close()
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v, want success", err)
	}
	if n := w.atClose.Load(); n != waiting {
		t.Errorf("closed after %d connections, want %d", n, waiting)
	}
}
