// Package static holds the files that a browser loads beside the pages. Each is served under a name that changes with
// its content, so it may be kept for ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
)

//go:embed css/app.css css/embed.css js/*.js fonts/*.woff2 examples/*/* img/icon.svg img/site.webmanifest
var embedded embed.FS

const (
	root       = "/static/"
	hashLength = 12 // hex digits of a name
)

// File is one file as it is sent.
type File struct {
	Body        []byte
	Gzip        []byte // the same, compressed; empty where compression gains nothing
	ContentType string
	ETag        string
}

const plainText = "text/plain; charset=utf-8"

// contentTypes are the kinds of file that we serve; text says which of them compress.
var contentTypes = map[string]struct {
	name string
	text bool
}{
	".css":         {"text/css; charset=utf-8", true},
	".js":          {"text/javascript; charset=utf-8", true},
	".svg":         {"image/svg+xml", true},
	".webmanifest": {"application/manifest+json", true},
	".woff2":       {"font/woff2", false},
	".go":          {plainText, true}, // the examples, for reading
	".py":          {plainText, true},
	".sh":          {plainText, true},
	".ts":          {plainText, true},
}

// assets are the embedded files under their hashed addresses, and those addresses by plain name.
type assets struct {
	files map[string]File
	paths map[string]string
}

// load builds the assets once. The files are embedded, so an error is a mistake of the build: Check reports it, and
// Path and Open find no file.
var load = sync.OnceValues(func() (assets, error) { return build(embedded) })

// Check reports a file that cannot be served. It is called once, at start.
func Check() error {
	_, err := load()
	return err
}

// Path returns the address of a file, such as css/app.css; name is its place in this directory. An unknown name
// gives an address that answers 404.
func Path(name string) string {
	all, _ := load()
	if address, ok := all.paths[name]; ok {
		return address
	}
	return root + name
}

// Text returns the content of a text file by its place in this directory; empty for an unknown one.
func Text(name string) string {
	body, err := embedded.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(body)
}

// Open returns the file that is served at an address made by Path.
func Open(address string) (File, bool) {
	all, _ := load()
	file, ok := all.files[address]
	return file, ok
}

// build names the files by content. Stylesheets come last: they hold the addresses of the others.
func build(source fs.FS) (assets, error) {
	all := assets{files: map[string]File{}, paths: map[string]string{}}
	for _, styles := range []bool{false, true} {
		err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || (path.Ext(name) == ".css") != styles {
				return err
			}
			body, err := fs.ReadFile(source, name)
			if err != nil {
				return err
			}
			if styles {
				body, err = all.rewrite(name, body)
			}
			if err != nil {
				return err
			}
			return all.add(name, body)
		})
		if err != nil {
			return assets{}, fmt.Errorf("static files: %w", err)
		}
	}
	return all, nil
}

func (a assets) add(name string, body []byte) error {
	kind, ok := contentTypes[path.Ext(name)]
	if !ok {
		return fmt.Errorf("%s: no content type for this kind of file", name)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])[:hashLength]
	ext := path.Ext(name)
	address := root + strings.TrimSuffix(name, ext) + "." + hash + ext
	file := File{Body: body, ContentType: kind.name, ETag: `"` + hash + `"`}
	if kind.text {
		packed, err := compress(body)
		if err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
		if len(packed) < len(body) {
			file.Gzip = packed
		}
	}
	a.files[address], a.paths[name] = file, address
	return nil
}

var relativeURL = regexp.MustCompile(`url\(["']?(\.\.?/[^"')]+)["']?\)`)

// rewrite gives the relative addresses in a stylesheet their hashed names.
func (a assets) rewrite(name string, css []byte) ([]byte, error) {
	var missing error
	css = relativeURL.ReplaceAllFunc(css, func(match []byte) []byte {
		target := path.Join(path.Dir(name), string(relativeURL.FindSubmatch(match)[1]))
		address, ok := a.paths[target]
		if !ok {
			missing = fmt.Errorf("%s refers to %s, which is not embedded", name, target)
			return match
		}
		return []byte(`url("` + address + `")`)
	})
	return css, missing
}

func compress(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(body); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
