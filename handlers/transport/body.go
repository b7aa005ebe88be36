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
	ErrBusy     = errors.New("too many bytes of bodies under way")
)

// Budget bounds the bytes of request bodies that the whole process keeps at once, and the share of one site, so that
// one client cannot exhaust it for all. The last eighth is reserved for clients with few bytes in flight: a form, or an
// event of Stripe's. Bytes count from when they are read until they are released.
type Budget struct {
	Total int // bytes
	Share int // bytes of one site

	mu       sync.Mutex
	underWay int
	of       map[netip.Addr]int
}

// What one site may have of the part that is kept for those who have little, in bytes, and that part: one in so many.
const (
	little = 16 << 10
	spared = 8
)

// firstRead is what a body may cost before a byte of it has come, in bytes.
const firstRead = 1 << 10

// Read reads a body to its end. What it keeps grows with what has come, never with what was announced. release gives
// the bytes back; it is never nil.
// Errors: ErrTooLarge after limit bytes, ErrBusy when the budget is used up, and what r says; then nothing is kept.
func (b *Budget) Read(r io.Reader, from netip.Addr, limit int) (body []byte, release func(), err error) {
	from = site(from)
	reserved := 0
	for {
		if len(body) == cap(body) {
			size := min(max(firstRead, 2*len(body)), limit+1) // one byte more tells whether there is more
			if !b.reserve(from, size-reserved) {
				err = ErrBusy
				break
			}
			reserved = size
			body = append(make([]byte, 0, size), body...)
		}
		n := 0
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

// UnderWay is how many bytes are kept now.
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
