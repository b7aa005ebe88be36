//go:build unix

package localpg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

type entry struct {
	name, body string
	kind       byte
	mode       int64
}

func file(name, body string) entry { return entry{name, body, tar.TypeReg, 0o644} }

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

// realPackage is an archive of the PostgreSQL programs installed on this machine.
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
