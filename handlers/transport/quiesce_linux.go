package transport

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// quiesce waits until the connections that the kernel has accepted for a listener have been accepted by the program.
// Closing the listener earlier resets them, and a proxy may not repeat what it has sent on them.
func quiesce(l net.Listener) {
	tcp, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	waiting := err == nil
	for until := time.Now().Add(quiesceTimeout); waiting && time.Now().Before(until); {
		err = raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			waiting = err == nil && info.Unacked > 0 // of a listener: connections to be accepted
		})
		if err != nil {
			return
		}
		if waiting {
			time.Sleep(time.Millisecond) // polled, because the kernel does not report an empty queue
		}
	}
}
