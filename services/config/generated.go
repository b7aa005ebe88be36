package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// generatedBytes is how much chance is in a generated secret.
const generatedBytes = 32

// Generated returns a secret that is made once, begins with prefix and is kept in the data directory, for what
// nobody has configured. Outside production only: replicas would each make their own.
func (c Config) Generated(name, prefix string) (Secret, error) {
	if c.Production() {
		return "", fmt.Errorf("%s must be configured in production", name)
	}
	dir := filepath.Join(c.DataDir, "secrets")
	path := filepath.Join(dir, name)
	want := len(prefix) + 2*generatedBytes
	if kept, err := os.ReadFile(path); err == nil && len(kept) == want { //nolint:gosec // our own directory
		return Secret(kept), nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the generated %s: %w", name, err)
	}
	// The data directory is shared with the private database, which may run as another user; the secrets are not.
	err := os.MkdirAll(c.DataDir, 0o755) //nolint:gosec // see above
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep a generated %s: %w", name, err)
	}
	raw := make([]byte, generatedBytes)
	rand.Read(raw) // never fails: the program would have ended
	return keep(dir, path, prefix+hex.EncodeToString(raw))
}

// keep writes a secret whole or not at all. When another process was faster its secret stands.
func keep(dir, path, secret string) (Secret, error) {
	file, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return "", fmt.Errorf("keep a generated secret: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when it was renamed
	_, err = io.WriteString(file, secret)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("keep a generated secret: %w", err)
	}
	err = os.Link(file.Name(), path)
	if err == nil {
		return Secret(secret), nil
	}
	if kept, readErr := os.ReadFile(path); errors.Is(err, fs.ErrExist) && readErr == nil && len(kept) == len(secret) { //nolint:gosec // our own directory
		return Secret(kept), nil
	}
	if err := os.Rename(file.Name(), path); err != nil { // what lies there is no secret of ours, or links are not possible
		return "", fmt.Errorf("keep a generated secret: %w", err)
	}
	return Secret(secret), nil
}
