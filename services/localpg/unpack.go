//go:build unix

package localpg

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	unpackLimit = 512 << 20 // bytes of all files; the packages have 60 MB
	linksFile   = "native/pg-symlinks.json"
)

// unpack writes the native part of the package into dir. os.Root refuses names and links that leave it.
func unpack(archive io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open directory to unpack into: %w", err)
	}
	defer func() { _ = root.Close() }()
	gz, err := gzip.NewReader(archive)
	if err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	entries, left := tar.NewReader(gz), int64(unpackLimit)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return restoreLinks(root)
		}
		if err != nil {
			return fmt.Errorf("unpack PostgreSQL: %w", err)
		}
		if left -= header.Size; left < 0 {
			return errors.New("unpack PostgreSQL: the package exceeds the size limit")
		}
		if err := unpackEntry(root, header, entries); err != nil {
			return fmt.Errorf("unpack PostgreSQL: %w", err)
		}
	}
}

func unpackEntry(root *os.Root, header *tar.Header, content io.Reader) error {
	name, ok := strings.CutPrefix(header.Name, "package/")
	if !ok || !filepath.IsLocal(name) {
		return fmt.Errorf("entry %q lies outside the package", header.Name)
	}
	if !strings.HasPrefix(path.Clean(name), "native/") {
		return nil // npm's scripts and manifests
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
	default:
		return fmt.Errorf("entry %q is neither file nor directory", header.Name)
	}
	mode := os.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	// A concurrently forked process would inherit the open file, and a file open for writing cannot be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close(), root.Chmod(name, mode)) // Chmod: regardless of the umask
}

// restoreLinks creates the symbolic links listed in the package, because npm packages cannot contain links.
func restoreLinks(root *os.Root) error {
	text, err := root.ReadFile(linksFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the package's links: %w", err)
	}
	var links []struct {
		Source string `json:"source"` // the file that exists
		Target string `json:"target"` // the link to it
	}
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read the package's links: %w", err)
	}
	for _, link := range links {
		if !filepath.IsLocal(link.Source) || !filepath.IsLocal(link.Target) {
			return fmt.Errorf("link %q to %q leads outside the package", link.Target, link.Source)
		}
		to, err := filepath.Rel(filepath.Dir(link.Target), link.Source)
		if err != nil {
			return fmt.Errorf("link %q: %w", link.Target, err)
		}
		if err := root.Symlink(to, link.Target); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link %q: %w", link.Target, err)
		}
	}
	return nil
}
