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

var sender, neighbor = netip.MustParseAddr("2001:db8:0:1::5"), netip.MustParseAddr("2001:db8:1:1::5")

// A body within the limit is read whole, however its bytes arrive, and its reservation is released.
func TestBudgetReadsWithinTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, limit - 1, limit, limit + 1, 10 * limit} {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"with its end": iotest.DataErrReader,
		} {
			b := Budget{Total: 1 << 20, Share: 1 << 20}
			sent := bytes.Repeat([]byte("x"), size)
			got, release, err := b.Read(slow(bytes.NewReader(sent)), sender, 0, limit)
			switch {
			case size > limit && (!errors.Is(err, ErrTooLarge) || got != nil):
				t.Errorf("%d bytes %s: got %d bytes (%v), want ErrTooLarge", size, name, len(got), err)
			case size <= limit && (err != nil || !bytes.Equal(got, sent)):
				t.Errorf("%d bytes %s: got %d bytes (%v), want those sent", size, name, len(got), err)
			case b.underWay > limit+1:
				t.Errorf("%d bytes %s: %d bytes are reserved, want at most %d", size, name, b.underWay, limit+1)
			}
			release()
			if b.underWay != 0 || len(b.of) != 0 {
				t.Errorf("%d bytes %s: %d bytes of %d networks are still reserved, want 0", size, name, b.underWay, len(b.of))
			}
		}
	}
}

// An interrupted body returns its error and releases its reservation.
func TestBudgetReleasesAnInterruptedBody(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 1 << 20, Share: 1 << 20}
	for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("reset")} {
		got, release, err := b.Read(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(cause)), sender, 0, 100)
		release()
		if !errors.Is(err, cause) || got != nil || b.underWay != 0 {
			t.Errorf("%v: got %q with %d bytes reserved (%v), want nothing and the error", cause, got, b.underWay, err)
		}
	}
}

// A site can reserve its share and no more; all sites together can reserve the total and no more.
func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 6 * firstRead, Share: 4 * firstRead}
	read := func(from netip.Addr) (func(), error) {
		_, release, err := b.Read(strings.NewReader("x"), from, 0, 1<<20)
		return release, err
	}
	var releases []func()
	for n := range 4 {
		release, err := read(sender)
		if err != nil {
			t.Fatalf("body %d of the first site: %v", n, err)
		}
		releases = append(releases, release)
	}
	if _, err := read(netip.MustParseAddr("2001:db8:0:ffff::5")); !errors.Is(err, ErrBusy) { // same site
		t.Errorf("over its share: %v, want %v", err, ErrBusy)
	}
	for n := range 2 {
		if _, err := read(neighbor); err != nil {
			t.Errorf("body %d of the neighbor: %v", n, err)
		}
	}
	if _, err := read(neighbor); !errors.Is(err, ErrBusy) {
		t.Errorf("over the total: %v, want %v", err, ErrBusy)
	}
	releases[0]()
	if _, err := read(neighbor); err != nil {
		t.Errorf("after a release: %v", err)
	}
}

// Clients on every network of many sites that reserve their full shares leave room for another client's form.
func TestBudgetIsNeverUsedUp(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 32 << 20, Share: 4 << 20}
	for sites := range 16 {
		for network := range 256 {
			from := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(sites), 0, byte(network)})
			for b.reserve(site(from), 0, 64<<10) {
				continue
			}
		}
	}
	_, release, err := b.Read(strings.NewReader(strings.Repeat("x", 10_000)), netip.MustParseAddr("192.0.2.1"), 0, 64<<10)
	if err != nil {
		t.Errorf("another client's form: %v with %d bytes reserved, want no error", err, b.UnderWay())
	}
	release()
}

// Twenty concurrent senders never reserve more than the total, and release everything.
func TestBudgetUnderConcurrency(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 8 << 10, Share: 8 << 10}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 200 {
				_, release, err := b.Read(strings.NewReader(strings.Repeat("x", 3000)), sender, 0, 1<<20)
				if err != nil && !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
				b.mu.Lock()
				if b.underWay > b.Total {
					t.Errorf("%d bytes are reserved, want at most %d", b.underWay, b.Total)
				}
				b.mu.Unlock()
				release()
			}
		})
	}
	all.Wait()
	if b.underWay != 0 || len(b.of) != 0 {
		t.Errorf("%d bytes of %d networks are still reserved, want 0", b.underWay, len(b.of))
	}
}

// A user can reserve a share from however many networks; another user and strangers are not affected.
func TestBudgetIsSharedByUsers(t *testing.T) {
	t.Parallel()
	b := Budget{Total: 16 * firstRead, Share: 8 * firstRead, UserShare: 2 * firstRead}
	read := func(user int64, network byte) (func(), error) {
		_, release, err := b.Read(strings.NewReader("x"), netip.AddrFrom4([4]byte{192, 0, 2, network}), user, 1<<20)
		return release, err
	}
	var releases []func()
	for n := range byte(2) {
		release, err := read(1, n)
		if err != nil {
			t.Fatalf("body %d of the user: %v", n, err)
		}
		releases = append(releases, release)
	}
	if _, err := read(1, 3); !errors.Is(err, ErrBusy) {
		t.Errorf("over the user's share: %v, want %v", err, ErrBusy)
	}
	for user := range int64(3) {
		if user == 1 {
			continue
		}
		if _, err := read(user, 3); err != nil {
			t.Errorf("a body of user %d: %v", user, err)
		}
	}
	releases[0]()
	if _, err := read(1, 3); err != nil {
		t.Errorf("after a release: %v", err)
	}
}
