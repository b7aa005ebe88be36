package transport

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

var stranger, neighbour = netip.MustParseAddr("2001:db8:0:1::5"), netip.MustParseAddr("2001:db8:1:1::5")

// A body is read whole when it fits, however it arrives, and what was reserved for it is given back.
func TestBudgetReads(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, limit - 1, limit, limit + 1, 10 * limit} {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"with its end": iotest.DataErrReader,
		} {
			b := Budget{Total: 1 << 20, Share: 1 << 20}
			sent := bytes.Repeat([]byte("x"), size)
			got, release, err := b.Read(slow(bytes.NewReader(sent)), stranger, limit)
			switch {
			case size > limit && (!errors.Is(err, ErrTooLarge) || got != nil):
				t.Errorf("%d bytes %s: %d kept (%v), want too large", size, name, len(got), err)
			case size <= limit && (err != nil || !bytes.Equal(got, sent)):
				t.Errorf("%d bytes %s: %d came (%v)", size, name, len(got), err)
			case b.underWay > limit+1:
				t.Errorf("%d bytes %s: %d are reserved", size, name, b.underWay)
			}
			release()
			if b.underWay != 0 || len(b.of) != 0 {
				t.Errorf("%d bytes %s: %d bytes of %d networks are left", size, name, b.underWay, len(b.of))
			}
		}
	}
}

// What breaks off is no body, and keeps nothing.
func TestBudgetOfABrokenBody(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 1 << 20, Share: 1 << 20}
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("reset")} {
		got, release, err := b.Read(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(cause)), stranger, 100)
		release()
		if !errors.Is(err, cause) || got != nil || b.underWay != 0 {
			t.Errorf("%v: kept %q, %d bytes reserved (%v)", cause, got, b.underWay, err)
		}
	}
}

// One site uses up its share and leaves the rest to others; all together, no more than there is.
func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 6 * firstRead, Share: 4 * firstRead}
	read := func(from netip.Addr) (func(), error) {
		_, release, err := b.Read(strings.NewReader("x"), from, 1<<20)
		return release, err
	}
	var releases []func()
	for n := range 4 {
		release, err := read(stranger)
		if err != nil {
			t.Fatalf("body %d of the first: %v", n, err)
		}
		releases = append(releases, release)
	}
	if _, err := read(netip.MustParseAddr("2001:db8:0:ffff::5")); !errors.Is(err, ErrBusy) { // of the same site
		t.Errorf("beyond its share: %v, want %v", err, ErrBusy)
	}
	for n := range 2 {
		if _, err := read(neighbour); err != nil {
			t.Errorf("body %d of a neighbour: %v", n, err)
		}
	}
	if _, err := read(neighbour); !errors.Is(err, ErrBusy) {
		t.Errorf("beyond what there is: %v, want %v", err, ErrBusy)
	}
	releases[0]()
	if _, err := read(neighbour); err != nil {
		t.Errorf("after a release: %v", err)
	}
}

// Clients that send all they may, from each network of a site, leave room for another client's form.
func TestBudgetIsNeverUsedUp(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 32 << 20, Share: 4 << 20}
	for sites := range 16 {
		for network := range 256 {
			from := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(sites), 0, byte(network)})
			for b.reserve(site(from), 64<<10) {
				continue
			}
		}
	}
	_, release, err := b.Read(strings.NewReader(strings.Repeat("x", 10_000)), netip.MustParseAddr("192.0.2.1"), 64<<10)
	if err != nil {
		t.Errorf("a form beside them: %v, %d bytes are under way", err, b.UnderWay())
	}
	release()
}

// Many at once never hold more than the budget, and in the end nothing.
func TestBudgetAtOnce(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 8 << 10, Share: 8 << 10}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 200 {
				_, release, err := b.Read(strings.NewReader(strings.Repeat("x", 3000)), stranger, 1<<20)
				if err != nil && !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
				b.mu.Lock()
				if b.underWay > b.Total {
					t.Errorf("%d bytes are under way, more than %d", b.underWay, b.Total)
				}
				b.mu.Unlock()
				release()
			}
		})
	}
	all.Wait()
	if b.underWay != 0 || len(b.of) != 0 {
		t.Errorf("%d bytes of %d networks are left", b.underWay, len(b.of))
	}
}
