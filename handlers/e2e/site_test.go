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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// binary is the product, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	path, err := filepath.Abs("../../.data/e2e/credits")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = path
	if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	dbtest.Main(m, sharedChromium.close)
}

// site is a running server.
type site struct {
	t       testing.TB
	url     string // as users type it
	cmd     *exec.Cmd
	exited  chan error
	out     *outputBuffer
	started time.Duration // from exec to being ready
}

// lines keeps what the server prints and tells when a text has come.
type outputBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newOutputBuffer() *outputBuffer { return &outputBuffer{changed: make(chan struct{}, 1)} }

// Write keeps p.
func (l *outputBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

// String is all that was printed so far.
func (l *outputBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs `credits serve` with these variables on a free port and waits until it is ready. Unless they name a database
// it gets a migrated one of its own.
func start(t testing.TB, env ...string) *site {
	t.Helper()
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") }) {
		env = append(env, "DATABASE_URL="+dbtest.URL(t))
	}
	return startIn(t, workDir(t), env...) // no .env of ours, no .data of ours
}

// workDir is an empty directory that PostgreSQL's own user can walk to, unlike t.TempDir().
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

// startIn is start in a working directory that may hold the data of an earlier run.
func startIn(t testing.TB, dir string, env ...string) *site {
	t.Helper()
	return startOn(t, freePort(t), dir, env...)
}

// startOn is startIn on a port that is known before.
func startOn(t testing.TB, port int, dir string, env ...string) *site {
	t.Helper()
	env = withServerRole(env)
	s := &site{t: t, url: fmt.Sprintf("http://localhost:%d", port), exited: make(chan error, 1), out: newOutputBuffer()}
	s.cmd = exec.Command(binary, "serve")
	s.cmd.Dir = dir
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(), fmt.Sprintf("PORT=%d", port)}, env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	t.Cleanup(s.stop)
	s.waitForOutput("Ctrl-C")
	s.started = time.Since(began)
	return s
}

// withServerRole gives a server its own role beside the owner of its database, as an operator should, unless the test says
// how the server connects.
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

// wait returns when the server has printed text.
func (s *site) waitForOutput(text string) {
	s.t.Helper()
	deadline := time.After(hangTimeout)
	for !strings.Contains(s.out.String(), text) {
		select {
		case <-s.out.changed:
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("the server ended (%v):\n%s", err, s.out)
		case <-deadline:
			s.t.Fatalf("the server did not print %q:\n%s", text, s.out)
		}
	}
}

// stop ends the server as an operator would, and wants it to end well.
func (s *site) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("stop: %v", err)
	}
	select {
	case err := <-s.exited:
		s.exited <- err
		if err != nil {
			s.t.Errorf("the server ended with %v:\n%s", err, s.out)
		}
	case <-time.After(hangTimeout):
		s.cmd.Process.Kill()
		s.t.Errorf("the server did not stop:\n%s", s.out)
	}
}

// kill ends the server as the kernel would, at once and without a word.
func (s *site) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Errorf("kill: %v", err)
	}
	err := <-s.exited
	s.exited <- err
}

// nextPort counts the ports that freePort has given away.
var nextPort atomic.Int64

// freePort returns a port for a server, which keeps it over restarts, as it keeps the two that follow for the stand-ins of
// its sandbox. They are below those that systems hand out themselves (from 32768 on Linux), so that no connection and no
// other listener is given one while the server is down. Two runs at once begin at different ports.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 11000 + os.Getpid()%20*1000 + int(nextPort.Add(3))
		if isFree(port) && isFree(port+1) && isFree(port+2) {
			return port
		}
	}
	t.Fatal("none of a thousand ports is free")
	return 0
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// hangTimeout is how long anything may take before a test gives it up as hung.
const hangTimeout = dbtest.HangTimeout

// command runs the binary to its end and returns what it printed and its exit status.
func command(t testing.TB, env []string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = workDir(t)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("credits %s: %v", strings.Join(args, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// request sends one request and returns status, headers and body.
func request(t testing.TB, client *http.Client, method, url, body string, header map[string]string) (*http.Response, string) {
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
