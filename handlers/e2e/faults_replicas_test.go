package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/localpg"
)

// fleet is replicas on one database, each on a port that it keeps.
type fleet struct {
	tr      *trial
	dir     string
	env     []string
	ports   []int
	sites   []*site
	program string
}

// newFleet starts replicas with these settings.
func newFleet(tr *trial, replicas int, env ...string) *fleet {
	tr.Helper()
	f := &fleet{tr: tr, dir: workDir(tr), env: append(env, "LOG_LEVEL=warn"), program: binary}
	for i := range replicas {
		f.ports, f.sites = append(f.ports, freePort(tr)), append(f.sites, nil)
		f.start(i)
	}
	return f
}

func (f *fleet) start(i int) {
	f.tr.Helper()
	s := startProgram(f.tr, f.program, f.ports[i], f.dir, f.env...)
	f.sites[i] = s
	f.tr.Cleanup(func() {
		if text := s.out.String(); f.tr.Failed() {
			f.tr.Logf("replica %d: …%s", i, text[max(0, len(text)-2000):])
		}
	})
}

func (f *fleet) origins() []string {
	var origins []string
	for _, port := range f.ports {
		origins = append(origins, fmt.Sprintf("http://localhost:%d", port))
	}
	return origins
}

// stop ends a replica by SIGTERM.
func (f *fleet) stop(i int) {
	f.tr.Helper()
	began := time.Now()
	f.sites[i].stop()
	f.tr.atMost("exit after SIGTERM", time.Since(began), 15*time.Second)
}

// killPostgres kills the postmaster, once it runs; localpg starts another one.
func killPostgres(tr *trial, server *localpg.Server) {
	tr.Helper()
	dbtest.Eventually(tr, "the postmaster runs", func() bool {
		text, err := os.ReadFile(filepath.Join(server.Dir(), "data", "postmaster.pid"))
		if err != nil {
			return false
		}
		pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
		return err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil
	})
}

const faultClients = 32

func replicasAreKilled(tr *trial) {
	fx := tr.fixture()
	f := newFleet(tr, 2, fx.env()...)
	l := newLoad(tr, fx, f.origins(), outage...)
	l.start(faultClients)
	var starts []time.Duration
	for range 7 {
		l.during(2 * time.Second)
		i := rand.IntN(2)
		f.sites[i].kill()
		f.start(i)
		starts = append(starts, f.sites[i].started)
	}
	l.finish()
	slices.Sort(starts)
	middle := starts[len(starts)/2]
	tr.atMost("the start of a replica (median)", middle, 2*time.Second)
	tr.notef("start %.1f s", middle.Seconds())
}

func postgresIsKilled(tr *trial) {
	server := startPostgres(tr, localpg.Options{})
	fx := newDurable(tr, server.URL())
	l := newLoad(tr, fx, newFleet(tr, 2, fx.env()...).origins(), "503")
	l.start(faultClients)
	for range 6 {
		l.waitForDatabase()
		l.during(2 * time.Second)
		killPostgres(tr, server)
	}
	l.during(2 * time.Second)
	l.finish()
	tr.atMost("an answer", l.slowest(1), 6*time.Second)
}

// diskIsFull fills the database's small file system for a while, several times.
func diskIsFull(tr *trial) {
	dir := workDir(tr)
	tr.need("root, to mount a small file system", os.Geteuid() == 0 &&
		exec.Command("mount", "-t", "tmpfs", "-o", "size=300m,mode=0755", "tmpfs", dir).Run() == nil)
	tr.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	fx := newDurable(tr, startPostgres(tr, localpg.Options{Dir: dir}).URL())
	f := newFleet(tr, 2, fx.env()...)
	l := newLoad(tr, fx, f.origins(), "503")
	l.start(faultClients)
	filler, full := filepath.Join(dir, "filler"), 0
	for range 3 {
		l.during(time.Second)
		_ = exec.Command("dd", "if=/dev/zero", "of="+filler, "bs=64k").Run() // ends when nothing is left
		l.during(2 * time.Second)
		for _, s := range f.sites {
			if _, body := request(tr, l.client, "GET", s.url+"/readyz", "", nil); strings.Contains(body, "database_") {
				full++
			}
		}
		tr.try(os.Remove(filler))
	}
	l.during(2 * time.Second)
	l.finish()
	tr.notef("/readyz reported it %d times", full)
	if full == 0 && l.answers["503"] > 0 {
		tr.failf("/readyz was ready while the disk was full")
	}
}

// threeStartAtOnce lets three replicas start on an empty database, and on one of the last schema.
func threeStartAtOnce(tr *trial) {
	reference := catalogue(tr, tr.fixture().db)
	old := releaseBefore(tr, lastSchema(tr))
	for round := range 4 {
		address := tr.database("template0")
		fx := &fixture{url: address}
		if round%2 == 1 {
			migrateWith(tr, old, address)
		}
		var sites [3]*site
		ports := [3]int{freePort(tr), freePort(tr), freePort(tr)}
		dir := workDir(tr)
		dbtest.Concurrently(len(sites), func(i int) { sites[i] = startOn(tr, ports[i], dir, fx.env()...) })
		for _, s := range sites {
			if s == nil {
				tr.failf("round %d: a replica did not start", round)
				continue
			}
			tr.silence = max(tr.silence, s.started)
			s.stop()
		}
		if got := catalogue(tr, openDatabase(tr, address)); got != reference {
			tr.failf("round %d: the schema is not the one of a single start", round)
		}
	}
	tr.notef("12 starts")
}
