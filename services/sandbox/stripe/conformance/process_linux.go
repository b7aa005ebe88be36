package conformance

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the program when the thread that starts it ends, kill -9 of the tests included.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
