package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

func spendFor(l *load, user int64, key string) requestTo {
	return l.post("/api/credits/spend", key, fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user))
}

// userIsStuck lets another session hold a user's row, while others and that user's callers go on.
func userIsStuck(tr *trial) {
	fx := tr.fixture()
	f := newFleet(tr, 2, fx.env()...)
	l := newLoad(tr, fx, f.origins())
	l.start(8)
	l.during(2 * time.Second)
	p := fx.newPurchase(tr, fx.users[0])
	event := p.paid()
	b := fx.barrier(tr)
	b.lock(tr, `SELECT 1 FROM users WHERE id = ? FOR UPDATE`, fx.users[0])
	var callers sync.WaitGroup
	var mu sync.Mutex
	var slowest time.Duration
	for i := range 24 {
		callers.Go(func() {
			build := spendFor(l, fx.users[0], fmt.Sprintf("stuck-%d", i))
			if i%3 == 0 {
				build = l.post("/api/credits/holds", fmt.Sprintf("stuck-%d", i),
					fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, fx.users[0]))
			}
			<-time.After(time.Duration(i) * 250 * time.Millisecond)
			a := l.once(build, f.origins()[i%2])
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, a.took)
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				tr.failf("the stuck user's call: status %d, want 503 with Retry-After: %.200s", a.status, a.body)
			}
		})
	}
	a := l.once(event.request, f.origins()[0])
	tr.notef("their event %d after %.1f s", a.status, a.took.Seconds())
	tr.atMost("the answer to their event", a.took, 6*time.Second)
	callers.Wait()
	b.unlock()
	l.bought = append(l.bought, p)
	l.repeat(event.request)
	tr.notef("user's slowest %.1f s", slowest.Seconds())
	tr.atMost("the stuck user's answer", slowest, 5*time.Second)
	tr.atMost("the others' 99th percentile", l.slowest(0.99), time.Second)
	l.finish()
}

// deadlock lets another session lock a row that the server needs next, and then the one that the server has locked: a
// user and a purchase, or a hold and its user. The server repeats its transaction.
func deadlock(tr *trial) {
	fx := tr.fixture()
	l := newLoad(tr, fx, newFleet(tr, 2, fx.env()...).origins())
	l.start(4)
	other := &fixture{db: openDatabase(tr, tr.superuser(fx.url))}
	const lock = `SELECT 1 FROM %s WHERE id = ? FOR UPDATE`
	cross := func(table string, id any, lockedTable string, lockedID any, work func()) {
		b := other.barrier(tr)
		b.lock(tr, `SET LOCAL deadlock_timeout = '1min'`) // the server is the one to find out
		b.lock(tr, fmt.Sprintf(lock, table), id)
		var working sync.WaitGroup
		working.Go(work)
		dbtest.Eventually(tr, "the server waits", func() bool {
			return fx.count(tr, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ? = ANY (pg_blocking_pids(pid))`,
				b.pid) > 0
		})
		b.lock(tr, fmt.Sprintf(lock, lockedTable), lockedID)
		b.unlock()
		working.Wait()
	}
	for i := range 3 {
		p, user := <-l.stock, fx.users[0]
		cross("users", p.user, "purchases", p.id, func() { l.buy(p) })
		hold := l.hold(user, fmt.Sprintf("deadlock-%d", i))
		cross("holds", hold, "users", user, func() { l.move(user, "/api/credits/holds/"+hold+"/capture", "", "") })
	}
	l.finish()
	found := fx.count(tr, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`)
	tr.notef("%d deadlocks", found)
	if found == 0 {
		tr.failf("no deadlock")
	}
	tr.atMost("an answer", l.slowest(1), 8*time.Second)
}

// metric reads one figure of a replica.
func (s *site) metric(name string) float64 {
	s.t.Helper()
	_, text := request(s.t, http.DefaultClient, "GET", s.url+"/metrics", "", nil)
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		s.t.Fatalf("/metrics has no %s: %.200s", name, text)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return value
}

const (
	goroutines  = "go_goroutines"
	residentSet = "process_resident_memory_bytes"
	openFiles   = "process_open_fds"
)

// poolIsUsedUp locks the table of users, so that every connection waits, under four hundred calls.
func poolIsUsedUp(tr *trial) {
	fx := tr.fixture()
	f := newFleet(tr, 1, fx.env()...)
	s := f.sites[0]
	l := newLoad(tr, fx, f.origins())
	l.start(4)
	l.during(2 * time.Second)
	l.stop()
	l.client.CloseIdleConnections()
	baseline, memory := s.metric(goroutines), s.metric(residentSet)
	b := fx.barrier(tr)
	b.lock(tr, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	var callers sync.WaitGroup
	answers := make(chan answer, 400)
	for i := range cap(answers) {
		callers.Go(func() {
			build := spendFor(l, fx.users[i%20], fmt.Sprintf("locked-%d", i))
			if i%2 == 0 { // spends share two connections
				build = l.send(http.MethodGet, fmt.Sprintf("/api/credits/balance?userId=%d", fx.users[i%20]), "", "")
			}
			answers <- l.once(build, s.url)
		})
	}
	dbtest.WaitForBlocked(tr, fx.db, 8)
	p := <-l.stock
	event := l.once(p.paid().request, s.url)
	tr.notef("event %d after %.1f s", event.status, event.took.Seconds())
	tr.atMost("the answer to an event", event.took, 5*time.Second)
	if event.status != http.StatusOK {
		tr.failf("an event: status %d, want 200, as it can be stored: %.100s", event.status, event.body)
	}
	for range 4 {
		for _, path := range []string{"/readyz", "/healthz"} {
			began := time.Now()
			request(tr, http.DefaultClient, "GET", s.url+path, "", nil)
			tr.atMost(path, time.Since(began), 2*time.Second)
		}
		<-time.After(500 * time.Millisecond)
	}
	tr.notef("memory × %.1f", s.metric(residentSet)/memory)
	if s.metric(residentSet) > 2*memory+16<<20 {
		tr.failf("memory grew from %.0f to %.0f MB", memory/1e6, s.metric(residentSet)/1e6)
	}
	callers.Wait()
	b.unlock()
	l.repeat(p.events[0].request)
	l.bought = append(l.bought, p)
	close(answers)
	counts, slowest := map[int]int{}, time.Duration(0)
	for a := range answers {
		counts[a.status]++
		slowest = max(slowest, a.took)
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !json.Valid(a.body) {
			tr.failf("a call: status %d, want 503 in JSON with Retry-After: %.100s", a.status, a.body)
			break
		}
	}
	tr.notef("503 × %d, slowest %.1f s", counts[503], slowest.Seconds())
	tr.atMost("a call", slowest, 10*time.Second)
	l.client.CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
	began := time.Now()
	dbtest.Eventually(tr, "goroutines end", func() bool { return s.metric(goroutines) <= baseline+5 })
	tr.atMost("the end of the goroutines", time.Since(began), 30*time.Second)
	l.finish()
}

// slowSenders sends half requests from many addresses to a replica with few descriptors.
func slowSenders(tr *trial) {
	fx := tr.fixture()
	f := newFleet(tr, 0, fx.env()...)
	f.program = filepath.Join(workDir(tr), "few-descriptors")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n 256\nexec %s \"$@\"\n", binary)
	tr.try(os.WriteFile(f.program, []byte(script), 0o755))
	f.ports, f.sites = []int{freePort(tr)}, make([]*site, 1)
	f.start(0)
	l := newLoad(tr, fx, f.origins(), outage...)
	var senders sync.WaitGroup
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended); senders.Wait() })
	defer end()
	address := strings.TrimPrefix(f.sites[0].url, "http://")
	for i := range 400 {
		senders.Go(func() {
			from := &net.TCPAddr{IP: net.ParseIP(fmt.Sprintf("127.0.%d.%d", 1+i/200, 1+i%200))}
			conn, err := (&net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}).Dial("tcp4", address)
			if err != nil {
				return // refused: that is allowed
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "POST /api/credits/spend HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
			<-ended
		})
	}
	<-time.After(time.Second)
	l.start(4)
	began := time.Now()
	dbtest.Eventually(tr, "a good request is answered", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.answers["2xx"] > 0
	})
	tr.silence = time.Since(began)
	tr.atMost("a good request", tr.silence, 11*time.Second)
	l.during(12 * time.Second)
	end()
	l.during(time.Second)
	l.finish()
	if strings.Contains(f.sites[0].out.String(), "panic") {
		tr.failf("the server panicked")
	}
}

// backupUnderLoad dumps the database under load, restores the dump elsewhere, and lets a replica work on it.
func backupUnderLoad(tr *trial) {
	fx := tr.fixture()
	l := newLoad(tr, fx, newFleet(tr, 2, fx.env()...).origins())
	var bin string
	err := openDatabase(tr, tr.superuser(fx.url)).Raw(`SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&bin).Error
	if err == nil {
		_, err = os.Stat(filepath.Join(bin, "pg_dump"))
	}
	tr.need("pg_dump", err == nil)
	l.start(faultClients)
	l.during(3 * time.Second)
	l.mu.Lock()
	acked, bought := len(l.acked), len(l.bought)
	l.mu.Unlock()
	copied := tr.database("template0")
	restore := exec.Command("sh", "-ec", `"$0/pg_dump" --dbname="$1" | "$0/psql" --quiet --set ON_ERROR_STOP=1 --dbname="$2" >/dev/null`,
		bin, tr.superuser(fx.url), tr.superuser(copied))
	if out, err := restore.CombinedOutput(); err != nil {
		tr.Fatalf("dump and restore: %v\n%s", err, out)
	}
	l.during(time.Second)
	l.finish()
	there := openDatabase(tr, copied)
	l.compare(there, l.acked[:acked], l.bought[:bought], false)
	restored := &fixture{db: there, url: copied, users: fx.users}
	l = newLoad(tr, restored, newFleet(tr, 1, restored.env()...).origins())
	l.start(faultClients)
	l.during(2 * time.Second)
	l.stop()
	l.report()
	tr.acknowledged += len(l.acked)
	l.compare(there, l.acked, l.bought, false)
}
