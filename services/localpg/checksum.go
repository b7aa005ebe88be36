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

// verify compares the unpacked package in root with the published one: every file and link below native, none changed,
// missing or added. The cache is old by months when its programs run beside the ledger. The checksum is part of this
// binary, because a list in the cache could be changed with the files.
func (p pack) verify(root string) error {
	native := filepath.Join(root, "native")
	got, err := checksum(native)
	if err != nil {
		return fmt.Errorf("check %s: %w", native, err)
	}
	if got != p.files {
		return fmt.Errorf("the files in %s are not those that were published: their SHA-256 is %s, want %s", native, got,
			p.files)
	}
	return nil
}

// checksum returns the SHA-256 of all files and links below a directory, by name. It ignores modes: running a program
// shows whether it is executable.
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
		_, _ = fmt.Fprintf(all, "%q %s %q\n", filepath.ToSlash(name), d.Type(), content) // never fails
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
