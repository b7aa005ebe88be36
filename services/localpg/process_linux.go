package localpg

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent has the kernel send sig when the thread that starts the program ends, kill -9 included.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) {
	attr.Pdeathsig = sig
}

// memoryDir is a directory in memory with room for the databases of a test run, "" when there is none.
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

// serves says whether the process is the server of data: its command line names
// the directory, and a number alone may have passed to another program. (Its
// working directory would tell too, but a container's root may not read that.)
func serves(pid int, data string) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(string(text), "\x00")
	flag := slices.Index(args, "-D")
	return flag >= 0 && flag+1 < len(args) && args[flag+1] == data
}
