//go:build unix

package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command returns the command of one of PostgreSQL's programs, to run as the account in a bare environment: the
// caller's PGDATA, PGOPTIONS and locale must not apply.
func command(ctx context.Context, who account, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // a program that locate found
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	// A group of its own: Ctrl-C in the terminal reaches the application, which then stops the server in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if who.switched {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.gid)} //nolint:gosec // ids are never negative here
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// runTool runs a program to its end and returns its output.
func runTool(cmd *exec.Cmd) (string, error) {
	// The program dies with the thread that started it, so the thread must not end first.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithParent(cmd.SysProcAttr, syscall.SIGKILL)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(cmd.Path), failure(err, stderr.String()))
	}
	return stdout.String(), nil
}

// failure returns why a program failed, in one line: its output, which is English under LC_ALL=C, or err if there is
// none.
// Errors: syscall.ENOSPC in the chain if the disk was full.
func failure(err error, printed string) error {
	var lines []string
	for line := range strings.Lines(printed) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	switch text := strings.Join(lines, "; "); {
	case strings.Contains(text, "No space left on device"):
		return syscall.ENOSPC
	case text != "" && err != nil:
		return fmt.Errorf("%w: %s", err, text)
	case text != "":
		return errors.New(text)
	}
	return err
}

// process is a running postmaster.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// launch starts a postmaster that ends with this process.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error, 1)
	dieWithParent(cmd.SysProcAttr, syscall.SIGINT)
	go func() {
		// See runTool: this thread lives exactly as long as the postmaster.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start postgres: %w", err)
			return
		}
		started <- nil
		_ = cmd.Wait() // its log has the reason
		close(p.exited)
	}()
	return p, <-started
}

// Time limits for each way to end a server: fast shutdown, immediate shutdown, kill.
var endings = []struct {
	signal syscall.Signal
	wait   time.Duration
}{{syscall.SIGINT, 10 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}

// stop ends the postmaster and waits for its end.
func (p *process) stop() error {
	for _, end := range endings {
		if err := p.cmd.Process.Signal(end.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("signal postgres: %w", err)
		}
		timer := time.NewTimer(end.wait)
		select {
		case <-p.exited:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
	return errors.New("postgres did not stop")
}

// readPIDFile returns the process id and the socket directory in data's postmaster.pid. The id is 0 if there is no
// file.
func readPIDFile(data string) (pid int, socket string, err error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid")) //nolint:gosec // our own directory
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("read postmaster.pid: %w", err)
	}
	const pidLine, socketLine = 0, 4
	lines := strings.Split(string(text), "\n")
	// A partially written file has no process id: Atoi returns 0.
	pid, _ = strconv.Atoi(strings.TrimSpace(lines[pidLine]))
	if len(lines) > socketLine {
		socket = lines[socketLine]
	}
	return pid, socket, nil
}

// endOrphan ends a server that survived its killed owner, and reports whether it found traces of one. The caller holds
// the directory's lock.
func endOrphan(ctx context.Context, data string) (found bool, err error) {
	pid, _, err := readPIDFile(data)
	if err != nil {
		return false, err
	}
	for _, end := range endings {
		if pid <= 0 || !serves(pid, data) {
			break
		}
		found = true
		_ = syscall.Kill(pid, end.signal) // it may have ended: waitGone checks
		if err := waitGone(ctx, pid, data, end.wait); err != nil {
			return found, err
		}
	}
	if pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true, nil // PostgreSQL handles the files of its dead predecessor
	}
	// PostgreSQL would take the other program with this process id for its predecessor.
	err = os.Remove(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("remove stale postmaster.pid: %w", err)
	}
	return true, nil
}

// waitGone waits until the server of data has ended, or for as long as it may take.
func waitGone(ctx context.Context, pid int, data string, limit time.Duration) error {
	for deadline := time.Now().Add(limit); serves(pid, data) && time.Now().Before(deadline); {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
