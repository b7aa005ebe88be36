package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

// oldestRelease is a commit whose server works on a newer schema, survives a migration at work, and drains.
const oldestRelease = "cc845fc"

// lastSchema returns the last commit before the newest migration.
func lastSchema(tr *trial) string {
	tr.Helper()
	added := git(tr, "log", "-1", "--format=%H", "--diff-filter=A", "--", "models/migrations/*.sql")
	return git(tr, "rev-parse", added+"^")
}

// git returns what git prints about this repository; the trial is skipped outside one.
func git(tr *trial, args ...string) string {
	tr.Helper()
	cmd := exec.Command("git", append([]string{"-c", "safe.directory=*", "-C", "../.."}, args...)...)
	out, err := cmd.Output()
	tr.need("the history of this repository", err == nil && len(out) > 0)
	return strings.TrimSpace(string(out))
}

// releaseBefore builds the product as of a commit.
func releaseBefore(tr *trial, commit string) string {
	tr.Helper()
	dir := workDir(tr)
	archive := filepath.Join(dir, "sources.tar")
	git(tr, "rev-parse", commit+"^{commit}")
	build := exec.Command("sh", "-ec", `git -c safe.directory='*' -C ../.. archive --output="$1" "$2"
		cd "$0" && tar xf "$1" && go build -o credits .`, dir, archive, commit)
	if out, err := build.CombinedOutput(); err != nil {
		tr.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return filepath.Join(dir, "credits")
}

// startFront runs nginx or HAProxy in front of two replicas and returns its origin.
func startFront(tr *trial, program string, f *fleet) string {
	tr.Helper()
	port := freePort(tr)
	args := map[string][]string{"nginx": {"-p", ".", "-c", "nginx"}, "haproxy": {"-db", "-q", "-f", "haproxy"}}[program]
	startInstalled(tr, port, program, args, "{port}", strconv.Itoa(port), "{first}", strconv.Itoa(f.ports[0]),
		"{second}", strconv.Itoa(f.ports[1]))
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// startInstalled runs a program of this machine with its configuration in testdata/faults, until the returned function
// is called and when the trial ends.
func startInstalled(tr *trial, port int, program string, args []string, replace ...string) (stop func()) {
	tr.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program) // not on every user's path
	}
	tr.need(program, err == nil)
	config, err := os.ReadFile("testdata/faults/" + program)
	tr.try(err)
	cmd := exec.Command(path, args...)
	said := newOutputBuffer()
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = workDir(tr), said, &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		tr.try(os.Chmod(cmd.Dir, 0o777)) // they work as another user
	}
	tr.try(os.WriteFile(filepath.Join(cmd.Dir, program), []byte(strings.NewReplacer(replace...).Replace(string(config))),
		0o644))
	tr.try(os.WriteFile(filepath.Join(cmd.Dir, "users"), []byte("\"app\" \"\"\n\"app_server\" \"\"\n"), 0o644))
	tr.try(cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its workers
		_ = cmd.Wait()                                      // it was killed
		if tr.Failed() {
			tr.Logf("%s: %s", program, said)
		}
	})
	tr.Cleanup(stop)
	waitForPort(tr, port)
	return stop
}

// waitForPort returns when something listens on a port.
func waitForPort(tr *trial, port int) {
	tr.Helper()
	dbtest.Eventually(tr, fmt.Sprintf("something listens on port %d", port), func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// drain is the SHUTDOWN_DELAY of the replicas: one second, in which HAProxy asks twice.
var drain = []string{"SHUTDOWN_DELAY=1500ms", "TRUSTED_PROXIES=127.0.0.1"}

// rollingRestart restarts replicas one after another, eight times; no request may fail at the proxy.
func rollingRestart(tr *trial, front string) {
	fx := tr.fixture()
	f := newFleet(tr, 2, append(fx.env(), drain...)...)
	l := newLoad(tr, fx, []string{startFront(tr, front, f)})
	l.start(faultClients)
	for i := range 8 {
		l.during(500 * time.Millisecond)
		f.stop(i % 2)
		f.start(i % 2)
		f.waitUntilReady(i % 2)
	}
	for until := time.Now().Add(30 * time.Second); l.requests() < 6000 && time.Now().Before(until); {
		l.during(100 * time.Millisecond)
	}
	tr.notef("%d requests", l.requests())
	l.finish()
}

// waitUntilReady waits until the proxy knows a replica again.
func (f *fleet) waitUntilReady(i int) {
	f.tr.Helper()
	dbtest.Eventually(f.tr, "the replica is ready", func() bool {
		res, err := http.Get(f.origins()[i] + "/readyz")
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	<-time.After(1100 * time.Millisecond) // HAProxy asks twice a second; nginx avoids a server that failed for one
}

// rollOut replaces two replicas of an older release by new ones, which migrate at work, and then goes back.
func rollOut(tr *trial, commit string) {
	old := releaseBefore(tr, commit)
	address := tr.database("template0")
	migrateWith(tr, old, address)
	fx := fillFixture(tr, openDatabase(tr, address), address, faultUsers)
	fx.program = old // a command of the new release would migrate before the clients work
	f := newFleet(tr, 0, append(fx.env(), drain...)...)
	f.ports, f.sites = []int{freePort(tr), freePort(tr)}, make([]*site, 2)
	f.program = old
	f.start(0)
	f.start(1)
	l := newLoad(tr, fx, []string{startFront(tr, "haproxy", f)})
	l.start(faultClients / 2)
	before := catalogue(tr, fx.db)
	for _, program := range []string{binary, old} {
		f.program = program
		for i := range f.sites {
			l.during(time.Second)
			f.stop(i)
			f.start(i)
			f.waitUntilReady(i)
		}
		if program == binary && catalogue(tr, fx.db) == before {
			tr.failf("the new release has not migrated")
		}
	}
	l.during(time.Second)
	tr.notef("%d requests", l.requests())
	l.finish()
}
