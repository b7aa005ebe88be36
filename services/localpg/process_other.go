//go:build unix && !linux

package localpg

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent has no counterpart outside Linux: the next start ends a server that a killed process left.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// memoryDir has no counterpart outside Linux.
func memoryDir() string { return "" }

// serves says whether the process is the server of data: its command line names
// the directory, and a number alone may have passed to another program.
func serves(pid int, data string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // a number
	return err == nil && strings.Contains(string(out), "-D "+data+" ")
}
