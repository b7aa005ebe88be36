//go:build unix

package localpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const tempPattern = appName + "-temp-*"

// tempDir creates the directory of a temporary cluster, in memory if there is room: creating a database creates 300
// files, which is slow on disks.
func tempDir(ctx context.Context) (string, error) {
	base := memoryDir()
	if base == "" {
		base = os.TempDir()
	}
	removeAbandoned(ctx, base)
	dir, err := os.MkdirTemp(base, tempPattern)
	if err != nil {
		return "", fmt.Errorf("create temporary directory: %w", err)
	}
	// The account must be able to walk through it; its content is private.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // see above
		return "", fmt.Errorf("change mode of temporary directory: %w", err)
	}
	return dir, nil
}

// removeAbandoned removes the temporary clusters of killed processes.
func removeAbandoned(ctx context.Context, base string) {
	found, err := filepath.Glob(filepath.Join(base, tempPattern))
	if err != nil {
		return
	}
	for _, dir := range found {
		const settled = time.Minute // a younger one may be about to be locked
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < settled {
			continue
		}
		home := filepath.Join(dir, "postgres")
		lock, err := lockDir(home)
		if err != nil || lock == nil {
			continue
		}
		if _, err := endOrphan(ctx, filepath.Join(home, "data")); err == nil {
			_ = os.RemoveAll(dir) // directories of other users remain
		}
		_ = lock.Close()
	}
}
