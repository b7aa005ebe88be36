package dbtest

import (
	"context"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Wire is the network between a program and its database. It counts what crosses.
type Wire struct {
	network, address string // of the database

	mu         sync.Mutex
	statements []string
	trips      int
}

// NewWire returns a wire to the database at address, and the address of its other end. It ends with the test.
func NewWire(t testing.TB, address string) (*Wire, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{}
	w.network, w.address = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(client)
		}
	}()
	query := u.Query()
	for _, name := range []string{"host", "port"} {
		query.Del(name)
	}
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = l.Addr().String(), query.Encode()
	return w, u.String()
}

// Reset returns the statements, and the number of round trips, since the last call or the beginning.
func (w *Wire) Reset() (statements []string, trips int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	statements, trips = w.statements, w.trips
	w.statements, w.trips = nil, 0
	return slices.Clone(statements), trips
}

func (w *Wire) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	var dial net.Dialer
	server, err := dial.DialContext(context.Background(), w.network, w.address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	read, copied := io.Pipe()
	go func() {
		w.count(read)
		_, _ = io.Copy(io.Discard, read) // what it cannot read crosses all the same
	}()
	_, _ = io.Copy(server, io.TeeReader(client, copied))
	_ = copied.Close()
}

// count reads the messages of one client.
func (w *Wire) count(r io.Reader) {
	b := pgproto3.NewBackend(r, io.Discard)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	prepared, bound := map[string]string{}, ""
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		w.mu.Lock()
		switch m := m.(type) {
		case *pgproto3.Query:
			w.statements, w.trips = append(w.statements, m.String), w.trips+1
		case *pgproto3.Parse:
			prepared[m.Name] = m.Query
		case *pgproto3.Bind:
			bound = prepared[m.PreparedStatement]
		case *pgproto3.Execute:
			w.statements = append(w.statements, bound)
		case *pgproto3.Sync:
			w.trips++
		}
		w.mu.Unlock()
	}
}
