//go:build unix

package localpg

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDirectoryBelowAClosedParent(t *testing.T) {
	t.Parallel()
	for name, uid := range users() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := dataDir(t)
			if err := os.Chmod(closed, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(closed, uid, uid); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(closed, ".data")
			want := filepath.Join(dir, "postgres")
			if uid == 0 {
				want = filepath.Join(systemDir, appName+"-"+nameHash(dir))
				t.Cleanup(func() { _ = os.RemoveAll(want) })
			}
			c := startChild(t, dir, uid)
			if c.home != want {
				t.Errorf("Dir(): got %s, want %s", c.home, want)
			}
			wantQuery(t, c.url, `SELECT current_database()`, "app")
			c.stop(t)
		})
	}
}

func TestDirectoryIsOneUnderAllItsNames(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	link := filepath.Join(openDir(t), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	owner := startServer(t, Options{Dir: dir})
	adopter := startServer(t, Options{Dir: link})
	if adopter.owned != nil || adopter.URL() != owner.URL() {
		t.Errorf("Start through a link gave %s, want to adopt %s", adopter.URL(), owner.URL())
	}
}

func TestStartWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	home, _, err := clusterDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockDir(home)
	if err != nil || lock == nil {
		t.Fatalf("lockDir: got %v, %v", lock, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, Options{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start on a held directory without a server: %v, want the context's end", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ended, Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with an ended context: %v, want the context's end", err)
	}
	s := startServer(t, Options{Dir: dir}) // the failed ones hold nothing
	wantQuery(t, s.URL(), `SELECT current_database()`, "app")
}

func TestStartWithoutADirectory(t *testing.T) {
	t.Parallel()
	if _, err := Start(t.Context(), Options{}); err == nil {
		t.Error("Start without a directory worked")
	}
}

func TestSocketGoesElsewhereWhenTMPDIRIsTooLong(t *testing.T) {
	dir := dataDir(t)
	long := filepath.Join(openDir(t), strings.Repeat("long", 25))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	s := startServer(t, Options{Dir: dir})
	if len(filepath.Join(s.socket, socketName)) > socketLimit {
		t.Errorf("socket in %s: too long", s.socket)
	}
	wantQuery(t, s.URL(), `SELECT current_database()`, "app")
}

func TestPrivateDirRefusesAPlantedLink(t *testing.T) {
	t.Parallel()
	link := filepath.Join(openDir(t), "planted")
	if err := os.Symlink(openDir(t), link); err != nil {
		t.Fatal(err)
	}
	if err := currentAccount().privateDir(link); err == nil {
		t.Error("privateDir took a link for its directory")
	}
}

func TestTemporaryClusterEndsWithItsServer(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Temporary: true, Unsafe: true})
	wantQuery(t, s.URL(), `SHOW fsync`, "off")
	other := startServer(t, Options{Temporary: true, Unsafe: true})
	if other.Dir() == s.Dir() {
		t.Error("two temporary clusters share a directory")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(s.Dir())); !os.IsNotExist(err) {
		t.Errorf("temporary directory: %v, want it removed", err)
	}
}

func TestAbandonedTemporaryClustersAreRemoved(t *testing.T) {
	t.Parallel()
	base := openDir(t)
	abandoned, inUse, young := filepath.Join(base, "credits-temp-1"), filepath.Join(base,
		"credits-temp-2"), filepath.Join(base, "credits-temp-3")
	for _, dir := range []string{abandoned, inUse, young} {
		if err := os.MkdirAll(filepath.Join(dir, "postgres", "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if dir == young {
			continue
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockDir(filepath.Join(inUse, "postgres"))
	if err != nil || lock == nil {
		t.Fatalf("lockDir: got %v, %v", lock, err)
	}
	defer func() { _ = lock.Close() }()
	removeAbandoned(t.Context(), base)
	left, err := filepath.Glob(filepath.Join(base, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{inUse, young}; !slices.Equal(left, want) {
		t.Errorf("left: %v, want %v", left, want)
	}
}

func TestClaimWhileOthersSweep(t *testing.T) {
	base, who := t.TempDir(), currentAccount()
	ctx, stop := context.WithCancel(context.Background())
	var sweepers sync.WaitGroup
	for range 3 {
		sweepers.Go(func() {
			for ctx.Err() == nil {
				removeStale(ctx, base)
			}
		})
	}
	path := filepath.Join(base, "pg-0123456789ab")
	for range 300 {
		dir, err := claim(context.Background(), path, who)
		if err != nil {
			t.Errorf("claim: %v", err)
			break
		}
		if err := dir.release(); err != nil {
			t.Errorf("release: %v", err)
		}
	}
	stop()
	sweepers.Wait()
}
