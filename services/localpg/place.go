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

// systemDir holds the data that root started and that the account could not reach where it was wanted.
const systemDir = "/var/lib"

// place decides where the cluster of dir lies and who runs it, and makes the directory.
func place(dir string) (home string, who account, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", who, fmt.Errorf("find data directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil { //nolint:gosec // the account must be able to walk through it
		return "", who, fmt.Errorf("make data directory: %w", err)
	}
	// One directory has one name, whichever link led to it: the socket is named after it.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", who, fmt.Errorf("find data directory: %w", err)
	}
	home, who = filepath.Join(abs, "postgres"), currentAccount()
	if who.uid == 0 {
		who = servant(home)
		if !who.canReach(abs) {
			home = filepath.Join(systemDir, appName+"-"+nameHash(abs))
			who = servant(home)
		}
	}
	return home, who, who.privateDir(home)
}

// servant is whom root runs the cluster as: the user who made it, so that one
// started without root can be started with root too, and otherwise nobody.
func servant(home string) account {
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

// lockDir takes the directory for this process until the file is closed, which
// the kernel does for a process that was killed. It is nil while another has it.
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
		return nil, nil //nolint:nilnil // held by another is an answer, not a fault
	}
	return nil, fmt.Errorf("lock directory %s: %w", dir, err)
}

// waitLock is lockDir that waits its turn.
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

// socketDir is the short private directory of one cluster's socket. Its lock
// tells a directory in use from one that a killed process left behind.
type socketDir struct {
	path string
	lock *os.File
}

// claimSocketDir makes or takes over the socket directory of home. The caller holds the lock of home.
func claimSocketDir(ctx context.Context, home string, who account) (*socketDir, error) {
	for _, base := range []string{os.TempDir(), "/tmp"} {
		path := filepath.Join(base, "pg-"+nameHash(home))
		if len(filepath.Join(path, socketName)) > socketLimit || !who.canReach(base) {
			continue
		}
		removeStale(ctx, base)
		return claim(ctx, path, who)
	}
	return nil, errors.New("no directory for the database socket: TMPDIR is too long or closed, and so is /tmp")
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
			continue // another start swept it away before it was locked
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

// sameDir says whether the locked directory still is the one of that name.
func sameDir(lock *os.File, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}

// clear removes what a killed server left in the directory.
func (s *socketDir) clear() {
	_ = os.Remove(filepath.Join(s.path, socketName))
	_ = os.Remove(filepath.Join(s.path, socketName+".lock"))
}

func (s *socketDir) release() error {
	s.clear()
	err := os.Remove(s.path)
	return errors.Join(err, s.lock.Close())
}

// removeStale removes the socket directories whose owners were killed. Whatever
// it cannot lock, enter or empty is left alone: it may be in use or not be ours.
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
		// Another sweeper may have been faster, and the name be a new server's by now.
		if !sameDir(lock, path) || dir.answers(ctx) {
			_ = lock.Close()
			continue
		}
		_ = dir.release()
	}
}

// answers says whether a server listens on the socket.
func (s *socketDir) answers(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(s.path, socketName))
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
