package localpg

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent makes the kernel send sig when the thread that starts the program ends, even by kill -9.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) {
	attr.Pdeathsig = sig
}

// memoryDir returns a directory in memory with room for a test run, "" if there is none.
func memoryDir() string {
	const dir, room = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room { //nolint:gosec // a block's size is positive
		return ""
	}
	const writeAndWalk = 0o3
	if syscall.Access(dir, writeAndWalk) != nil {
		return ""
	}
	return dir
}

// serves reports whether the process is the server of data, by its command line: the process id alone may belong to
// another program by now, and root in a container may not read the working directory.
func serves(pid int, data string) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(string(text), "\x00")
	flag := slices.Index(args, "-D")
	return flag >= 0 && flag+1 < len(args) && args[flag+1] == data
}
