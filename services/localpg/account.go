//go:build unix

package localpg

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// account is the user who runs the binaries.
type account struct {
	uid, gid int
	switched bool // we are root, and the binaries must not run as root
}

// nobody is the unprivileged user id under which root runs PostgreSQL, which refuses to run as root. Linux
// distributions define a user with this id; most call it nobody.
const nobody = 65534

func currentAccount() account {
	return account{uid: os.Geteuid(), gid: os.Getegid()}
}

// canReach reports whether the account may walk to path: PostgreSQL opens its directories by full name, so one closed
// parent makes it fail.
func (a account) canReach(path string) bool {
	if !a.switched {
		return true // later operations report what we cannot reach
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || !a.mayEnter(info) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

func (a account) mayEnter(info os.FileInfo) bool {
	const ownerX, groupX, otherX = 0o100, 0o010, 0o001
	uid, gid := ownerOf(info)
	switch {
	case uid == a.uid:
		return info.Mode()&ownerX != 0
	case gid == a.gid:
		return info.Mode()&groupX != 0
	}
	return info.Mode()&otherX != 0
}

// privateDir creates a directory that only the account can enter. An existing one must belong to the account or to
// root.
func (a account) privateDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("create private directory: %w", err)
	}
	info, err := os.Lstat(path) // not Stat, which follows a link planted in a shared directory
	if err != nil {
		return fmt.Errorf("inspect private directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory: move it away", path)
	}
	uid, _ := ownerOf(info)
	if uid != a.uid && uid != os.Geteuid() {
		return fmt.Errorf(
			"%s belongs to user %d: run as that user or as root, move it away, or set DATA_DIR to another directory", path, uid)
	}
	if a.switched && uid != a.uid {
		if err := os.Chown(path, a.uid, a.gid); err != nil {
			return fmt.Errorf("change owner of private directory: %w", err)
		}
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a directory needs x
		return fmt.Errorf("change mode of private directory: %w", err)
	}
	return nil
}

// ownerOf returns the owner of a file.
func ownerOf(info os.FileInfo) (uid, gid int) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}
