package dbtest

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Lossy is a network in front of a test database, which loses what concerns COMMIT.
type Lossy struct {
	URL      string       // of the database behind the network
	Replies  atomic.Int64 // how many further replies to COMMIT to lose, with their connections
	Requests atomic.Int64 // how many further COMMITs to lose before they arrive, with their connections
	Outage   atomic.Bool  // with a loss, the network ends every connection and refuses new ones until Restore

	network, target string // of the database
	mu              sync.Mutex
	open            map[net.Conn]bool // nil during an outage
}

// LossyURL starts a network in front of the database at address. It ends with the test.
func LossyURL(t testing.TB, address string) *Lossy {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the address of the test database cannot be read")
	}
	cfg, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatalf("address of the test database: %v", err)
	}
	l := &Lossy{open: map[net.Conn]bool{}}
	l.network, l.target = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start the network: %v", err)
	}
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = listener.Addr().String(), query.Encode()
	l.URL = u.String()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.serve(client)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		l.cut()
	})
	return l
}

// Restore ends an outage.
func (l *Lossy) Restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Outage.Store(false)
	l.open = map[net.Conn]bool{}
}

// cut ends every connection and refuses new ones.
func (l *Lossy) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		_ = conn.Close()
	}
	l.open = nil
}

// lose ends a connection and, in an outage, all others.
func (l *Lossy) lose(client net.Conn) {
	if l.Outage.Load() {
		l.cut()
	}
	_ = client.Close()
}

// commit is the message that commits.
var commit = []byte("Q\x00\x00\x00\x0bcommit\x00")

func (l *Lossy) serve(client net.Conn) {
	server, err := net.Dial(l.network, l.target) //nolint:noctx // ends with the connection
	l.mu.Lock()
	refused := err != nil || l.open == nil
	if !refused {
		l.open[client], l.open[server] = true, true
	}
	l.mu.Unlock()
	if refused {
		_ = client.Close()
		return
	}
	var losing atomic.Bool
	go pass(server, client, func(part []byte) {
		switch {
		case !bytes.Contains(part, commit):
		case l.Requests.Add(-1) >= 0:
			_ = server.Close()
			l.lose(client)
		case l.Replies.Add(-1) >= 0:
			losing.Store(true)
		}
	})
	pass(client, server, func([]byte) {
		if losing.Load() {
			l.lose(client)
		}
	})
}

// pass copies from one side to the other until one ends, and ends both. It shows each part before it passes it on.
func pass(to, from net.Conn, show func(part []byte)) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			show(buffer[:n])
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			_ = from.Close()
			_ = to.Close()
			return
		}
	}
}
