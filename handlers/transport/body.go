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

	mu       sync.Mutex
	underWay int
	of       map[netip.Addr]int
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

// Read reads a whole body. Its buffer grows with the bytes received, never with the announced length. release returns
// the bytes to the budget; it is never nil.
// Errors: ErrTooLarge above limit bytes, ErrBusy when the budget is exhausted, and r's own; the body is then dropped.
func (b *Budget) Read(r io.Reader, from netip.Addr, limit int) (body []byte, release func(), err error) {
	from = site(from)
	reserved := 0
	for {
		if len(body) == cap(body) {
			size := max(firstRead, 2*len(body))
			if size > limit/largeShare {
				size = limit + 1 // one extra byte detects a longer body
			}
			if !b.reserve(from, size-reserved) {
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
		return body, func() { b.release(from, reserved) }, nil
	}
	b.release(from, reserved)
	return nil, func() {}, err
}

// UnderWay returns the bytes in flight.
func (b *Budget) UnderWay() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.underWay
}

func (b *Budget) reserve(from netip.Addr, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.Total
	if b.of[from]+n > little {
		most -= b.Total / spared
	}
	if b.underWay+n > most || b.of[from]+n > b.Share {
		return false
	}
	if b.of == nil {
		b.of = map[netip.Addr]int{}
	}
	b.underWay, b.of[from] = b.underWay+n, b.of[from]+n
	return true
}

func (b *Budget) release(from netip.Addr, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay -= n
	if b.of[from] -= n; b.of[from] <= 0 {
		delete(b.of, from)
	}
}
