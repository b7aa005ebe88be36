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

// command prepares one of PostgreSQL's programs to run as the account, in a
// bare environment: PGDATA, PGOPTIONS or a locale of the caller must not leak in.
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

// runTool runs a program that ends by itself and returns what it printed.
func runTool(cmd *exec.Cmd) (string, error) {
	// The kernel ties the program to the thread that started it, so the thread must not go away first.
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

// failure is why a program of PostgreSQL failed, in one line: what it printed, which is English under LC_ALL=C, or err
// when it printed nothing.
// Errors: syscall.ENOSPC in the chain when the disk was full.
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
	exited chan struct{} // closed once it is gone and reaped
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
		_ = cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	return p, <-started
}

// How long each way to end a server may take: roll back and write everything
// out; drop everything at once; no choice.
var endings = []struct {
	signal syscall.Signal
	wait   time.Duration
}{{syscall.SIGINT, 10 * time.Second}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}}

// stop ends the postmaster and waits until it is gone.
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
	return errors.New("postgres did not end")
}

// readPIDFile returns the number of the server that data's postmaster.pid names,
// and the directory of its socket. The number is 0 when there is no such file.
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
	// A file that a killed server had not finished names nobody; Atoi's 0 says so.
	pid, _ = strconv.Atoi(strings.TrimSpace(lines[pidLine]))
	if len(lines) > socketLine {
		socket = lines[socketLine]
	}
	return pid, socket, nil
}

// endOrphan ends the server that a killed owner left on data and says whether
// anything was left. The caller holds the directory's lock, so it belongs to nobody.
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
		_ = syscall.Kill(pid, end.signal) // gone already: the wait below sees it
		if err := waitGone(ctx, pid, data, end.wait); err != nil {
			return found, err
		}
	}
	if pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true, nil // PostgreSQL knows better than we do what to make of its dead predecessor
	}
	// But it takes any process of that number for the predecessor, and the number has passed to another program.
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
func waitGone(ctx context.Context, pid int, data string, patience time.Duration) error {
	for deadline := time.Now().Add(patience); serves(pid, data) && time.Now().Before(deadline); {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
