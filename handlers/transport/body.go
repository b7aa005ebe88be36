package transport

import (
	"errors"
	"io"
	"net/netip"
	"sync"
)

// The errors of Budget.Read besides the reader's own.
var (
	ErrTooLarge = errors.New("body too large")
	ErrBusy     = errors.New("too many bytes of bodies in flight")
)

// Budget bounds the bytes of request bodies that the process buffers, in total and per site, so that one client
// cannot exhaust it for all. The last eighth is reserved for clients with few bytes in flight, such as a form or a
// Stripe event. Bytes count from being read until being released.
type Budget struct {
	Total int // bytes
	Share int // bytes of one site

	UserShare int // bytes of one user; 0 for no bound

	mu       sync.Mutex
	underWay int
	of       map[netip.Addr]int
	ofUser   map[int64]int
}

// A site with at most little bytes may use the reserved part, which is one in spared.
const (
	little = 16 << 10
	spared = 8
)

// firstRead is the buffer that a body gets before its first byte, in bytes.
const firstRead = 1 << 10

// A buffer that would grow beyond one in largeShare of the limit grows to the limit at once: each step on the way
// leaves a buffer to collect.
const largeShare = 4

// Read reads a whole body of a user, 0 for a stranger. Its buffer grows with the bytes received, never with the
// announced length. release returns the bytes to the budget; it is never nil.
// Errors: ErrTooLarge above limit bytes, ErrBusy when the budget is exhausted, and r's own; the body is then dropped.
func (b *Budget) Read(r io.Reader, from netip.Addr, user int64, limit int) (body []byte, release func(), err error) {
	from = site(from)
	reserved := 0
	for {
		if len(body) == cap(body) {
			size := max(firstRead, 2*len(body))
			if size > limit/largeShare {
				size = limit + 1 // one extra byte detects a longer body
			}
			if !b.reserve(from, user, size-reserved) {
				err = ErrBusy
				break
			}
			reserved = size
			body = append(make([]byte, 0, size), body...)
		}
		var n int
		n, err = r.Read(body[len(body):cap(body)])
		if body = body[:len(body)+n]; len(body) > limit {
			err = ErrTooLarge
		}
		if err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		return body, func() { b.release(from, user, reserved) }, nil
	}
	b.release(from, user, reserved)
	return nil, func() {}, err
}

// UnderWay returns the bytes in flight.
func (b *Budget) UnderWay() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.underWay
}

func (b *Budget) reserve(from netip.Addr, user int64, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.Total
	if b.of[from]+n > little {
		most -= b.Total / spared
	}
	bounded := user != 0 && b.UserShare > 0
	if b.underWay+n > most || b.of[from]+n > b.Share || bounded && b.ofUser[user]+n > b.UserShare {
		return false
	}
	if b.of == nil {
		b.of, b.ofUser = map[netip.Addr]int{}, map[int64]int{}
	}
	b.underWay, b.of[from], b.ofUser[user] = b.underWay+n, b.of[from]+n, b.ofUser[user]+n
	return true
}

func (b *Budget) release(from netip.Addr, user int64, n int) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay -= n
	if b.of[from] -= n; b.of[from] <= 0 {
		delete(b.of, from)
	}
	if b.ofUser[user] -= n; b.ofUser[user] <= 0 {
		delete(b.ofUser, user)
	}
}
