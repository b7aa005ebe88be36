package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// databaseFault is what happens between server and database.
type databaseFault struct {
	loseCommit float64       // share of COMMITs whose reply is lost with its connection
	cutAfter   int           // bytes of replies after which a connection ends; 0 for never
	delay      time.Duration // of what passes, on average
	frozen     bool          // nothing passes
}

// databaseProxy is the network between server and database.
type databaseProxy struct {
	socket string
	listen net.Listener
	fault  atomic.Pointer[databaseFault]
	hits   atomic.Int64 // connections that a fault ended
	mu     sync.Mutex
	open   map[*net.TCPConn]bool
}

// newDatabaseProxy starts a proxy in front of a database server and returns its address for the server's role.
func newDatabaseProxy(tr *trial, address string) (*databaseProxy, string) {
	tr.Helper()
	p := &databaseProxy{socket: filepath.Join(socketOf(tr, address), ".s.PGSQL.5432"), open: map[*net.TCPConn]bool{}}
	p.fault.Store(&databaseFault{})
	var err error
	p.listen, err = net.Listen("tcp", "127.0.0.1:0")
	tr.try(err)
	tr.Cleanup(func() { p.listen.Close(); p.reset() })
	go func() {
		for {
			conn, err := p.listen.Accept()
			if err != nil {
				return
			}
			go p.serve(conn.(*net.TCPConn))
		}
	}()
	return p, fmt.Sprintf("postgres://app_server@%s%s?sslmode=disable&pgbouncer=false", p.listen.Addr(), nameOf(tr, address))
}

func (p *databaseProxy) serve(client *net.TCPConn) {
	server, err := net.Dial("unix", p.socket)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.open[client] = true
	p.mu.Unlock()
	ended := sync.OnceFunc(func() {
		p.mu.Lock()
		delete(p.open, client)
		p.mu.Unlock()
		server.Close()
		client.Close()
	})
	go p.pass(server, client, false, ended)
	p.pass(client, server, true, ended)
}

// committed is the server's reply to COMMIT.
var committed = []byte("C\x00\x00\x00\x0bCOMMIT\x00")

// pass copies bytes in one direction until a side ends or a fault ends the connection.
func (p *databaseProxy) pass(to, from net.Conn, replies bool, end func()) {
	defer end()
	buffer, passed := make([]byte, 32<<10), 0
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		f := p.fault.Load()
		for ; f.frozen; f = p.fault.Load() {
			<-time.After(10 * time.Millisecond)
		}
		if f.delay > 0 {
			<-time.After(time.Duration((0.3 + 1.4*rand.Float64()) * float64(f.delay)))
		}
		passed += n
		if replies && (f.cutAfter > 0 && passed > f.cutAfter ||
			bytes.Contains(buffer[:n], committed) && rand.Float64() < f.loseCommit) {
			p.hits.Add(1)
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// reset ends every connection by a TCP reset.
func (p *databaseProxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for client := range p.open {
		_ = client.SetLinger(0)
		_ = client.Close() // its relays notice
		p.hits.Add(1)
	}
}

// badNetwork lets a fault happen for half of the time: for a second at a time, or as a reset each half second. A
// network that stands still does so once, for longer than a request may take. A delay is no reason for an error.
func badNetwork(tr *trial, fault databaseFault, resets bool) {
	fx := tr.fixture()
	p, address := newDatabaseProxy(tr, fx.url)
	l := newLoad(tr, fx, newFleet(tr, 2, append(fx.env(), "DATABASE_POOL_URL="+address)...).origins())
	if fault.delay == 0 {
		l.allowed = []string{"503"}
	}
	times, length := 4, time.Second
	if fault.frozen {
		times, length = 1, 12*time.Second
	}
	l.start(faultClients)
	for range times {
		l.during(time.Second)
		p.fault.Store(&fault)
		for range 2 {
			l.during(length / 2)
			if resets {
				p.reset()
			}
		}
		p.fault.Store(&databaseFault{})
	}
	l.during(2 * time.Second)
	l.finish()
	tr.notef("%d connections lost", p.hits.Load())
	if (resets || fault.loseCommit > 0 || fault.cutAfter > 0) && p.hits.Load() == 0 {
		tr.failf("the fault has not happened")
	}
	tr.atMost("an answer", l.slowest(1), 10*time.Second)
}

// behindPgBouncer kills replicas and PgBouncer under load, after two hundred requests with one key.
func behindPgBouncer(tr *trial) {
	fx, port := tr.fixture(), freePort(tr)
	args := []string{"-q", "pgbouncer"}
	if os.Geteuid() == 0 {
		args = append(args, "-u", "nobody") // it refuses to run as root
	}
	restart := func() (kill func()) {
		return startInstalled(tr, port, "pgbouncer", args, "{port}", strconv.Itoa(port), "{socket}", socketOf(tr, fx.url))
	}
	kill := restart()
	f := newFleet(tr, 2, append(fx.env(), fmt.Sprintf("DATABASE_POOL_URL=postgres://app_server@127.0.0.1:%d%s?sslmode=disable",
		port, nameOf(tr, fx.url)))...)
	l := newLoad(tr, fx, f.origins(), append(outage, "409")...)
	var storm sync.WaitGroup
	for range inFlight {
		storm.Go(func() { l.repeat(spendFor(l, fx.users[0], "one key")) })
	}
	storm.Wait()
	l.move(fx.users[0], "/api/credits/spend", "one key", fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, fx.users[0]))
	l.start(faultClients)
	for i := range 4 {
		l.during(2 * time.Second)
		if i%2 == 0 {
			f.sites[i/2].kill()
			f.start(i / 2)
		} else {
			kill()
			kill = restart()
		}
	}
	l.during(2 * time.Second)
	l.finish()
}
