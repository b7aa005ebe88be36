//go:build unix

package localpg

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// verify fails unless the package unpacked in root is what was published: every file and link below native, none changed,
// missing or added. A cache outlives its download by months, and what lies in it runs beside the ledger. The checksum is
// part of this program: a list of files in the cache could be changed with them.
func (p pack) verify(root string) error {
	native := filepath.Join(root, "native")
	got, err := checksum(native)
	if err != nil {
		return fmt.Errorf("check %s: %w", native, err)
	}
	if got != p.files {
		return fmt.Errorf("the files in %s are not those that were published: their SHA-256 is %s, want %s", native, got, p.files)
	}
	return nil
}

// checksum is the SHA-256 of all files and links below a directory, by name. Modes do not count: a program
// that cannot be run is found by running it.
func checksum(dir string) (string, error) {
	all := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		var content string
		switch d.Type() {
		case 0:
			content, err = fileChecksum(path)
		case fs.ModeSymlink:
			content, err = os.Readlink(path)
		}
		_, _ = fmt.Fprintf(all, "%q %s %q\n", filepath.ToSlash(name), d.Type(), content) // a hash takes everything
		return err
	})
	return hex.EncodeToString(all.Sum(nil)), err
}

func fileChecksum(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // a file of the package
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return hex.EncodeToString(hash.Sum(nil)), err
}
