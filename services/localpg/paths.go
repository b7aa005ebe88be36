//go:build unix

package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// systemDir holds the data of clusters that root starts in directories that the account cannot reach.
const systemDir = "/var/lib"

// clusterDir chooses the directory and the account of the cluster in dir, and creates the directory.
func clusterDir(dir string) (home string, who account, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", who, fmt.Errorf("find data directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil { //nolint:gosec // the account must be able to walk through it
		return "", who, fmt.Errorf("create data directory: %w", err)
	}
	// The socket is named after the directory, which needs one name for that, whatever links lead to it.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", who, fmt.Errorf("find data directory: %w", err)
	}
	home, who = filepath.Join(abs, "postgres"), currentAccount()
	if who.uid == 0 {
		who = unprivileged(home)
		if !who.canReach(abs) {
			home = filepath.Join(systemDir, appName+"-"+nameHash(abs))
			who = unprivileged(home)
		}
	}
	return home, who, who.privateDir(home)
}

// unprivileged is the account for clusters that root starts: the owner of an existing cluster, so that root can start a
// cluster of another user, and otherwise nobody.
func unprivileged(home string) account {
	if info, err := os.Lstat(home); err == nil {
		if uid, gid := ownerOf(info); uid > 0 {
			return account{uid: uid, gid: gid, switched: true}
		}
	}
	return account{uid: nobody, gid: nobody, switched: true}
}

func nameHash(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:6])
}

// lockDir locks the directory until the file is closed, which the kernel does for a killed process. It returns nil if
// another process holds the lock.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir) //nolint:gosec // our own directory
	if err != nil {
		return nil, fmt.Errorf("open directory to lock it: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil // another process holds the lock
	}
	return nil, fmt.Errorf("lock directory %s: %w", dir, err)
}

// waitLock is lockDir that waits for the lock.
func waitLock(ctx context.Context, dir string) (*os.File, error) {
	for {
		lock, err := lockDir(dir)
		if lock != nil || err != nil {
			return lock, err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return nil, fmt.Errorf("wait for the lock of %s: %w", dir, err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

const (
	socketName  = ".s.PGSQL." + port
	socketLimit = 103 // bytes of a socket's path on macOS; Linux takes 107
	socketGlob  = "pg-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
)

// socketDir is the short private directory of one cluster's socket. Its lock distinguishes a directory in use from one
// of a killed process.
type socketDir struct {
	path string
	lock *os.File
}

// claimSocketDir creates or reuses the socket directory of home. The caller holds the lock of home.
func claimSocketDir(ctx context.Context, home string, who account) (*socketDir, error) {
	for _, base := range []string{os.TempDir(), "/tmp"} {
		path := filepath.Join(base, "pg-"+nameHash(home))
		if len(filepath.Join(path, socketName)) > socketLimit || !who.canReach(base) {
			continue
		}
		removeStale(ctx, base)
		return claim(ctx, path, who)
	}
	return nil, errors.New("no directory for the database socket: neither TMPDIR nor /tmp is usable")
}

func claim(ctx context.Context, path string, who account) (*socketDir, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Second, fmt.Errorf("socket directory %s is in use", path))
	defer cancel()
	for {
		err := who.privateDir(path)
		var lock *os.File
		if err == nil {
			lock, err = waitLock(ctx, path)
		}
		if errors.Is(err, os.ErrNotExist) && ctx.Err() == nil {
			continue // another start removed it before it was locked
		}
		if err != nil {
			return nil, err
		}
		if sameDir(lock, path) {
			return &socketDir{path: path, lock: lock}, nil
		}
		_ = lock.Close()
	}
}

// sameDir reports whether the locked directory still has that name.
func sameDir(lock *os.File, path string) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(locked, named)
}

// clear removes files of a killed server.
func (s *socketDir) clear() {
	_ = os.Remove(filepath.Join(s.path, socketName))
	_ = os.Remove(filepath.Join(s.path, socketName+".lock"))
}

func (s *socketDir) release() error {
	s.clear()
	err := os.Remove(s.path)
	return errors.Join(err, s.lock.Close())
}

// removeStale removes the socket directories of killed processes. It skips those that it cannot lock, enter or empty.
func removeStale(ctx context.Context, base string) {
	found, err := filepath.Glob(filepath.Join(base, socketGlob))
	if err != nil {
		return
	}
	for _, path := range found {
		lock, err := lockDir(path)
		if err != nil || lock == nil {
			continue
		}
		dir := &socketDir{path: path, lock: lock}
		// Another process may have removed it, and a new server may have the name.
		if !sameDir(lock, path) || dir.answers(ctx) {
			_ = lock.Close()
			continue
		}
		_ = dir.release()
	}
}

// answers reports whether a server listens on the socket.
func (s *socketDir) answers(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(s.path, socketName))
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
