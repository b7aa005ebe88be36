//go:build unix

package localpg

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestStartMakesADatabaseForTheApplication(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := startServer(t, Options{Dir: dir})
	if want := filepath.Join(dir, "postgres"); s.Dir() != want {
		t.Errorf("Dir(): got %s, want %s", s.Dir(), want)
	}
	for sql, want := range map[string]string{
		`SHOW listen_addresses`:     "",
		`SHOW timezone`:             "UTC",
		`SHOW server_encoding`:      "UTF8",
		`SHOW fsync`:                "on",
		`SHOW synchronous_commit`:   "on",
		`SELECT current_user`:       "app",
		`SELECT current_database()`: "app",
		`SELECT datcollate FROM pg_database WHERE datname = 'app'`:              "C",
		`SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'app'`: "app",
		`SELECT rolsuper::text FROM pg_roles WHERE rolname = 'app'`:             "false",
	} {
		wantQuery(t, s.URL(), sql, want)
	}
	wantQuery(t, s.AdminURL("app"), `SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user`, "true")
	for _, private := range []string{s.Dir(), s.socket} {
		info, err := os.Stat(private)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, want 0700", private, info.Mode().Perm())
		}
	}
}

func TestStopKeepsTheDataAndCleansUp(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := startServer(t, Options{Dir: dir})
	mustExec(t, s.URL(), `CREATE TABLE kept AS SELECT 1 AS id`)
	for range 2 { // Stop is idempotent
		if err := s.Stop(); err != nil {
			t.Fatalf("Stop: %v", err)
		}
	}
	if _, err := os.Stat(s.socket); !os.IsNotExist(err) {
		t.Errorf("socket directory after Stop: %v, want it removed", err)
	}
	s = startServer(t, Options{Dir: dir})
	wantQuery(t, s.URL(), `SELECT count(*)::text FROM kept`, "1")
}

func TestStopOfAnAdopterLeavesTheServerRunning(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	owner := startServer(t, Options{Dir: dir})
	adopter := startServer(t, Options{Dir: dir})
	if adopter.URL() != owner.URL() {
		t.Errorf("adopter's URL: got %s, want the owner's %s", adopter.URL(), owner.URL())
	}
	if err := adopter.Stop(); err != nil {
		t.Fatalf("Stop of the adopter: %v", err)
	}
	wantQuery(t, owner.URL(), `SELECT 'alive'`, "alive")
	if err := owner.Stop(); err != nil {
		t.Fatalf("Stop of the owner: %v", err)
	}
	if _, err := query(t.Context(), adopter.URL(), `SELECT 'alive'`); err == nil {
		t.Error("the server answers after its owner's Stop")
	}
}

func TestManyStartsAtOnceShareOneServer(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	servers := make([]*Server, 5)
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() {
			s, err := Start(t.Context(), Options{Dir: dir})
			if err != nil {
				t.Errorf("Start %d: %v", i, err)
				return
			}
			servers[i] = s
		})
	}
	wg.Wait()
	owners := 0
	for _, s := range servers {
		if s == nil {
			continue
		}
		t.Cleanup(func() { _ = s.Stop() })
		wantQuery(t, s.URL(), `SELECT current_database()`, "app")
		if s.owned != nil {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("got %d of the starts own the server, want 1", owners)
	}
}

// mustExec runs statements that return nothing.
func mustExec(t testing.TB, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		s := startServer(b, Options{Dir: openDir(b)}) // on disk, like the product's
		b.StopTimer()
		if err := s.Stop(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkWarmStart(b *testing.B) {
	dir := openDir(b)
	if err := startServer(b, Options{Dir: dir}).Stop(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := startServer(b, Options{Dir: dir})
		b.StopTimer()
		if err := s.Stop(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
