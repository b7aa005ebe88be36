package purchase_test

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel kill the program when the thread that started it ends, even after a kill -9.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
