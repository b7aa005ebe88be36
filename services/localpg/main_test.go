//go:build unix

package localpg

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childDir makes the test binary start the cluster of that directory instead of running tests.
const childDir = "LOCALPG_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(childMain(dir))
	}
	os.Exit(m.Run())
}

// childMain starts a server, prints its address, and stops it when its input ends.
func childMain(dir string) int {
	s, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.URL())
	fmt.Println(s.Dir())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is another process that owns a server.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
	home  string
}

// startChild runs childMain as the user and waits for its server.
func startChild(t *testing.T, dir string, uid int) *child {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), readableSelf(t))
	cmd.Dir = "/"
	cmd.Env = []string{childDir + "=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=/"}
	cmd.Stderr = os.Stderr
	if uid != os.Geteuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	c := &child{cmd: cmd, stdin: stdin}
	for _, line := range []*string{&c.url, &c.home} {
		if !lines.Scan() {
			t.Fatalf("child did not start its server: %v", lines.Err())
		}
		*line = lines.Text()
	}
	return c
}

func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.cmd.Wait() // it was killed, and says so
}

func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("stopped owner: got %v, want a clean end", err)
	}
}

// readableSelf copies the test binary to where any user may run it.
func readableSelf(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(openDir(t), "child")
	writeProgram(t, path, code)
	return path
}

// writeProgram writes a file that can be run at once: a process forked while it
// is written would keep it open, and what is open for writing does not run.
func writeProgram(t *testing.T, path string, code []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, code, 0o755); err != nil {
		t.Fatal(err)
	}
}

// openDir is a temporary directory that any user can walk to; t.TempDir is closed to others.
func openDir(t testing.TB) string {
	t.Helper()
	return openDirIn(t, os.TempDir())
}

// dataDir is an open directory for a cluster, in memory where that can be had: many are made here.
func dataDir(t testing.TB) string {
	t.Helper()
	if base := memoryDir(); base != "" {
		return openDirIn(t, base)
	}
	return openDir(t)
}

func openDirIn(t testing.TB, base string) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "localpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startServer starts a server that ends with the test.
func startServer(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

// query runs one statement on a connection of its own and returns its single text.
func query(ctx context.Context, url, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var text string
	err = conn.QueryRow(ctx, sql).Scan(&text)
	return text, err
}

func wantQuery(t *testing.T, url, sql, want string) {
	t.Helper()
	got, err := query(t.Context(), url, sql)
	if err != nil {
		t.Errorf("%s: %v", sql, err)
	} else if got != want {
		t.Errorf("%s: got %q, want %q", sql, got, want)
	}
}

// eventually waits for what another process does on its own account.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(3 * time.Minute) // only what hangs comes near it
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within three minutes: %s", what)
		}
	}
}
