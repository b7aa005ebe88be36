package static

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEveryFileIsServed(t *testing.T) {
	t.Parallel()
	if err := Check(); err != nil {
		t.Fatal(err)
	}
	hashed := regexp.MustCompile(`^/static/[a-z/]+[a-z.-]+\.[0-9a-f]{12}\.[a-z0-9]+$`)
	for _, name := range []string{"css/app.css", "js/htmx.min.js", "js/app.js", "fonts/space-grotesk.woff2",
		"img/icon.svg", "img/site.webmanifest"} {
		address := Path(name)
		if !hashed.MatchString(address) {
			t.Errorf("Path(%q) = %q, want a path with a hash", name, address)
		}
		file, ok := Open(address)
		if !ok || len(file.Body) == 0 || file.ContentType == "" || !strings.HasPrefix(file.ETag, `"`) {
			t.Errorf("Open(%q) = %d bytes, %q, %q, %v", address, len(file.Body), file.ContentType, file.ETag, ok)
		}
	}
}

func TestOpenIgnoresOtherPaths(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "/static/", "/static/css/app.css", "/static/css/app.000000000000.css",
		"/static/../static.go", Path("css/none.css")} {
		if _, ok := Open(address); ok {
			t.Errorf("Open(%q) found a file, want none", address)
		}
	}
}

func TestGzipHoldsTheSameText(t *testing.T) {
	t.Parallel()
	file, _ := Open(Path("css/app.css"))
	reader, err := gzip.NewReader(bytes.NewReader(file.Gzip))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(reader)
	if err != nil || !bytes.Equal(unpacked, file.Body) {
		t.Errorf("unpacked %d bytes (%v), want the file's %d", len(unpacked), err, len(file.Body))
	}
	if font, _ := Open(Path("fonts/space-grotesk.woff2")); font.Gzip != nil {
		t.Error("the font has a gzip version, although WOFF2 is already compressed")
	}
}

func TestStylesheetNamesTheHashedFont(t *testing.T) {
	t.Parallel()
	file, _ := Open(Path("css/app.css"))
	if font := Path("fonts/space-grotesk.woff2"); !bytes.Contains(file.Body, []byte(`url("`+font+`")`)) {
		t.Errorf("the stylesheet does not refer to %s", font)
	}
}

func TestBuildRejects(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]fstest.MapFS{
		"a stylesheet with a missing font": {"css/a.css": {Data: []byte(`@font-face{src:url(../fonts/none.woff2)}`)}},
		"a file of an unknown type":        {"img/a.xyz": {Data: []byte("?")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := build(source); err == nil {
				t.Error("build returned no error")
			}
		})
	}
}

func TestPageIsLight(t *testing.T) {
	t.Parallel()
	const limit = 50_000 // bytes over the wire of everything a first visit loads beside the document
	total := 0
	for _, name := range []string{"css/app.css", "js/htmx.min.js", "js/app.js", "fonts/space-grotesk.woff2"} {
		file, _ := Open(Path(name))
		if file.Gzip != nil {
			total += len(file.Gzip)
		} else {
			total += len(file.Body)
		}
	}
	if total > limit {
		t.Errorf("a page loads %d bytes, want at most %d", total, limit)
	}
}

func TestManifestIsJSON(t *testing.T) {
	t.Parallel()
	file, _ := Open(Path("img/site.webmanifest"))
	var manifest struct {
		Name  string                 `json:"name"`
		Icons []struct{ Src string } `json:"icons"`
	}
	if err := json.Unmarshal(file.Body, &manifest); err != nil || manifest.Name == "" || len(manifest.Icons) != 1 {
		t.Errorf("manifest = %+v (%v), want a name and an icon", manifest, err)
	}
}
