//go:build unix

package localpg

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// users can start a server here: the test's own and, for root, an unprivileged one.
func users() map[string]int {
	if os.Geteuid() != 0 {
		return map[string]int{"as the current user": os.Geteuid()}
	}
	const plain = 1000
	return map[string]int{"as root": 0, "as a user without rights": plain}
}

func TestKilledOwnerLeavesNoServerAndTheNextStartWorks(t *testing.T) {
	t.Parallel()
	for name, uid := range users() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			if err := os.Chown(dir, uid, uid); err != nil {
				t.Fatal(err)
			}
			owner := startChild(t, dir, uid)
			mustExec(t, owner.url, `CREATE TABLE kept AS SELECT 1 AS id`)
			data := filepath.Join(dir, "postgres", "data")
			pid, socket, err := readPIDFile(data)
			if err != nil || pid == 0 {
				t.Fatalf("readPIDFile: got %d, %v", pid, err)
			}

			owner.kill(t)
			next := startChild(t, dir, uid) // at once, while the old server may still be ending
			if serves(pid, data) {
				t.Error("the killed owner's server still runs")
			}
			wantQuery(t, next.url, `SELECT count(*)::text FROM kept`, "1")

			pid, _, err = readPIDFile(data)
			if err != nil {
				t.Fatal(err)
			}
			next.kill(t)
			eventually(t, "the server stops", func() bool { return !serves(pid, data) })

			last := startChild(t, dir, uid)
			wantQuery(t, last.url, `SELECT count(*)::text FROM kept`, "1")
			last.stop(t)
			if _, err := os.Stat(socket); !os.IsNotExist(err) {
				t.Errorf("socket directory: %v, want it removed", err)
			}
		})
	}
}

func TestHalfMadeClusterIsMadeAnew(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	half := filepath.Join(dir, "postgres", "data.new")
	if err := os.MkdirAll(filepath.Join(half, "base", "1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, Options{Dir: dir})
	wantQuery(t, s.URL(), `SELECT current_database()`, "app")
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("half-made cluster: %v, want it removed", err)
	}
}

func TestClusterWithoutItsDatabaseGetsIt(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := startServer(t, Options{Dir: dir})
	mustExec(t, s.AdminURL("postgres"), `DROP DATABASE app`)
	mustExec(t, s.AdminURL("postgres"), `DROP ROLE app`)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, Options{Dir: dir})
	wantQuery(t, s.URL(), `SELECT current_user`, "app")
}

func TestStalePIDFileWithTheNumberOfAnotherProgram(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := startServer(t, Options{Dir: dir})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(s.Dir(), "data", "postmaster.pid")
	if err := os.WriteFile(stale, []byte(strconv.Itoa(os.Getppid())+"\n"+filepath.Dir(stale)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, Options{Dir: dir})
	wantQuery(t, s.URL(), `SELECT current_database()`, "app")
}

func TestServerThatIsKilledComesBackWithItsData(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: dataDir(t)})
	mustExec(t, s.URL(), `CREATE TABLE kept AS SELECT 1 AS id`)
	session, err := pgx.Connect(t.Context(), s.URL()) // holds the old server's memory for a moment longer
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(t.Context()) }()
	pid, _, err := readPIDFile(filepath.Join(s.Dir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server is back", func() bool {
		now, _, err := readPIDFile(filepath.Join(s.Dir(), "data"))
		if err != nil || now == pid {
			return false
		}
		_, err = query(t.Context(), s.URL(), `SELECT 'alive'`)
		return err == nil
	})
	wantQuery(t, s.URL(), `SELECT count(*)::text FROM kept`, "1")
}

func TestServerThatCannotStartAgainStillStops(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{Dir: dataDir(t)})
	version := filepath.Join(s.Dir(), "data", "PG_VERSION")
	if err := os.Remove(version); err != nil {
		t.Fatal(err)
	}
	pid, _, err := readPIDFile(filepath.Join(s.Dir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-s.owned.process.exited
	if err := s.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func TestStaleSocketDirectoriesAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", openDir(t)) // so that other tests' directories are not among them
	stale := filepath.Join(os.TempDir(), "pg-0123456789ab")
	inUse := filepath.Join(os.TempDir(), "pg-0123456789ac")
	foreign := filepath.Join(os.TempDir(), "pg-0123456789ad")
	for _, dir := range []string{stale, inUse, foreign} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A socket of a killed process: the file exists and no process listens.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(stale, socketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lock, err := lockDir(inUse)
	if err != nil || lock == nil {
		t.Fatalf("lockDir: got %v, %v", lock, err)
	}
	defer func() { _ = lock.Close() }()
	if err := os.WriteFile(filepath.Join(foreign, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	s := startServer(t, Options{Dir: dataDir(t)})
	wantQuery(t, s.URL(), `SELECT current_database()`, "app")
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("stale directory: %v, want it removed", err)
	}
	for _, dir := range []string{inUse, foreign} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("directory that is not stale: %v", err)
		}
	}
}
