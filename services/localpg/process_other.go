//go:build unix && !linux

package localpg

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing outside Linux: the next start ends a server that survived its owner.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// memoryDir returns "" outside Linux.
func memoryDir() string { return "" }

// serves reports whether the process is the server of data, by its command line: the process id alone may belong to
// another program by now.
func serves(pid int, data string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // a number
	return err == nil && strings.Contains(string(out), "-D "+data+" ")
}
