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

// tempDir makes the directory of a temporary cluster: in memory where there is
// room, because making a database is making 300 files, which disks are slow at.
func tempDir(ctx context.Context) (string, error) {
	base := memoryDir()
	if base == "" {
		base = os.TempDir()
	}
	removeAbandoned(ctx, base)
	dir, err := os.MkdirTemp(base, tempPattern)
	if err != nil {
		return "", fmt.Errorf("make temporary directory: %w", err)
	}
	// The account must be able to walk through it; what is in it is closed.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // see above
		return "", fmt.Errorf("open up temporary directory: %w", err)
	}
	return dir, nil
}

// removeAbandoned removes the temporary clusters whose owners were killed.
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
			_ = os.RemoveAll(dir) // what is not ours to remove stays
		}
		_ = lock.Close()
	}
}
