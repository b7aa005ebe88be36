package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// binary is the path of the product, which TestMain builds once, from builtCommit.
var binary string

const builtCommit = "0123456789ab"

func TestMain(m *testing.M) {
	path, err := filepath.Abs("../../.data/e2e/credits")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = path
	build := exec.Command("go", "build", "-ldflags", "-X main.commit="+builtCommit, "-o", binary)
	if raced() {
		build.Args = append(build.Args, "-race")
	}
	build.Args = append(build.Args, "../..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	dbtest.Main(m, sharedChromium.close)
}

// raced reports whether the tests run with the race detector. Then the product does, too.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// site is a running server.
type site struct {
	t       testing.TB
	url     string
	cmd     *exec.Cmd
	exited  chan error
	out     *outputBuffer
	started time.Duration // from start to ready

	terminated bool // SIGTERM was sent
	killed     bool // the test ended it by a signal that leaves no exit status
}

// outputBuffer stores a server's output and signals each write.
type outputBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutputBuffer() *outputBuffer { return &outputBuffer{changed: make(chan struct{}, 1)} }

// Write stores p.
func (l *outputBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

// String returns the output so far.
func (l *outputBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs `credits serve` on a free port and waits until it is ready. Unless env names a database, the server gets
// its own migrated one.
func start(t testing.TB, env ...string) *site {
	t.Helper()
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") }) {
		env = append(env, "DATABASE_URL="+dbtest.URL(t))
	}
	return startIn(t, workDir(t), env...)
}

// workDir returns an empty directory that PostgreSQL's own user can enter, unlike t.TempDir.
func workDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "credits-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startIn runs start in a working directory, which may hold an earlier run's data.
func startIn(t testing.TB, dir string, env ...string) *site {
	t.Helper()
	return startOn(t, freePort(t), dir, env...)
}

// startOn runs startIn on a given port.
func startOn(t testing.TB, port int, dir string, env ...string) *site {
	t.Helper()
	return startProgram(t, binary, port, dir, env...)
}

// startProgram runs startOn with another build of the product.
func startProgram(t testing.TB, program string, port int, dir string, env ...string) *site {
	t.Helper()
	env = withServerRole(env)
	s := &site{t: t, url: fmt.Sprintf("http://localhost:%d", port), exited: make(chan error, 1), out: newOutputBuffer()}
	s.cmd = exec.Command(program, "serve")
	s.cmd.Dir = dir
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(),
		"GORACE=halt_on_error=1", fmt.Sprintf("PORT=%d", port)}, env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	t.Cleanup(s.stop)
	ready := "Ctrl-C"
	if slices.Contains(env, "LOG_FORMAT=json") {
		ready = `"msg":"started"`
	}
	s.waitForOutput(ready)
	s.started = time.Since(began)
	return s
}

// withServerRole lets the server connect with its own role beside the database's owner, as operators should, unless env
// sets DATABASE_POOL_URL.
func withServerRole(env []string) []string {
	for _, v := range env {
		if strings.HasPrefix(v, "DATABASE_POOL_URL=") {
			return env
		}
	}
	for _, v := range env {
		if address, ok := strings.CutPrefix(v, "DATABASE_URL="); ok {
			return append(slices.Clone(env), "DATABASE_POOL_URL="+dbtest.ServerURL(address))
		}
	}
	return env
}

// waitForOutput returns when the server has printed text.
func (s *site) waitForOutput(text string) {
	s.t.Helper()
	deadline := time.After(hangTimeout)
	for !strings.Contains(s.out.String(), text) {
		select {
		case <-s.out.changed:
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("server exited (%v) before printing %q:\n%s", err, text, s.out)
		case <-deadline:
			s.t.Fatalf("server printed no %q within %s:\n%s", text, hangTimeout, s.out)
		}
	}
}

// waitForFirstRun returns when a new installation has reconciled, which it does when it starts. Until then, a payment
// may be booked without its event.
func (s *site) waitForFirstRun() {
	s.t.Helper()
	s.waitForOutput("reconciled")
}

// terminate sends SIGTERM, once: a second signal would end the server at once.
func (s *site) terminate() {
	if s.terminated {
		return
	}
	s.terminated = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("send SIGTERM: %v", err)
	}
}

// stop terminates the server and requires exit status 0.
func (s *site) stop() {
	select {
	case err := <-s.exited: // before this signal
		s.exited <- err
	default:
		s.terminate()
	}
	select {
	case err := <-s.exited:
		s.exited <- err
		if err != nil && !s.killed {
			s.t.Errorf("server exited with %v, want status 0:\n%s", err, s.out)
		}
		s.wantNoPersonInTheLog()
	case <-time.After(hangTimeout):
		s.cmd.Process.Kill()
		s.t.Errorf("server did not exit within %s of SIGTERM:\n%s", hangTimeout, s.out)
	}
}

// kill sends SIGKILL and waits for the process to end.
func (s *site) kill() {
	s.t.Helper()
	s.killed = true
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Errorf("kill: %v", err)
	}
	err := <-s.exited
	s.exited <- err
}

// nextPort counts the ports that freePort has returned.
var nextPort atomic.Int64

// freePort returns a port that a server keeps across restarts, together with the next four for its stand-ins. They lie
// below the system's ephemeral range (from 32768 on Linux), so no other socket takes them while the server is down.
// Concurrent test runs start at different ports.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 11000 + os.Getpid()%20*1000 + int(nextPort.Add(5))
		if isFree(port) && isFree(port+1) && isFree(port+2) && isFree(port+3) && isFree(port+4) {
			return port
		}
	}
	t.Fatal("no free port among 1000")
	return 0
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// hangTimeout is how long a test waits before it gives up. Only a hang reaches it.
const hangTimeout = dbtest.HangTimeout

// command runs the binary to completion and returns its output and exit status.
func command(t testing.TB, env []string, args ...string) (string, int) {
	t.Helper()
	return commandOf(t, binary, env, args...)
}

// commandOf is command with another release's program.
func commandOf(t testing.TB, program string, env []string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = workDir(t)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("credits %s: %v", strings.Join(args, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// request sends one request and returns the response and its body.
func request(t testing.TB, client *http.Client, method, url, body string, header map[string]string) (*http.Response,
	string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(bufio.NewReader(res.Body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res, string(text)
}
