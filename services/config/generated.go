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

// generatedBytes is the number of random bytes in a generated secret.
const generatedBytes = 32

// Generated returns a secret that is generated once and stored in the data directory. It begins with prefix.
// Errors: production, where each replica would generate its own.
func (c Config) Generated(name, prefix string) (Secret, error) {
	if c.Production() {
		return "", fmt.Errorf("%s must be configured in production", name)
	}
	dir := filepath.Join(c.DataDir, "secrets")
	path := filepath.Join(dir, name)
	want := len(prefix) + 2*generatedBytes
	if stored, err := os.ReadFile(path); err == nil && len(stored) == want { //nolint:gosec // our own directory
		return Secret(stored), nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the generated %s: %w", name, err)
	}
	// The private database, which may run as another user, needs the data directory, but not the secrets.
	err := os.MkdirAll(c.DataDir, 0o755) //nolint:gosec // see above
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("store the generated %s: %w", name, err)
	}
	raw := make([]byte, generatedBytes)
	rand.Read(raw) // never returns an error
	return store(dir, path, prefix+hex.EncodeToString(raw))
}

// store writes a secret atomically. If another process was faster, it returns that one's secret.
func store(dir, path, secret string) (Secret, error) {
	file, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return "", fmt.Errorf("store a generated secret: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // absent after the rename
	_, err = io.WriteString(file, secret)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("store a generated secret: %w", err)
	}
	err = os.Link(file.Name(), path)
	if err == nil {
		return Secret(secret), nil
	}
	other, readErr := os.ReadFile(path) //nolint:gosec // our own directory
	if errors.Is(err, fs.ErrExist) && readErr == nil && len(other) == len(secret) {
		return Secret(other), nil
	}
	if err := os.Rename(file.Name(), path); err != nil { // the file is not a complete secret, or links are not supported
		return "", fmt.Errorf("store a generated secret: %w", err)
	}
	return Secret(secret), nil
}
