package dbtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Pooler starts a pooler in transaction mode in front of the database at address and returns the pooler's address. It
// works like PgBouncer with a pool of two, which connect when first needed. It ends with the test.
func Pooler(t testing.TB, address string) string {
	t.Helper()
	address = strings.ReplaceAll(address, "pgbouncer=false&", "") // from ServerURL; PostgreSQL does not know it
	p := &pooler{address: address}
	p.returned.L = &p.mu
	t.Cleanup(p.close)
	first, err := p.connect(t.Context())
	if err != nil {
		t.Fatalf("connect the pooler: %v", err)
	}
	p.status = first.ParameterStatuses
	_ = first.Conn.Close() // its parameters are known now
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("start the pooler: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("start the pooler: %v", err)
	}
	u.Host, u.RawQuery = l.Addr().String(), "sslmode=disable"
	return u.String()
}

// poolSize bounds the server connections of a pooler.
const poolSize = 2

// pooler lends server connections to clients for one transaction at a time.
type pooler struct {
	address  string
	status   map[string]string
	mu       sync.Mutex
	returned sync.Cond
	idle     []*pgproto3.Frontend // lent in last-in-first-out order
	open     []net.Conn
}

func (p *pooler) connect(ctx context.Context) (*pgconn.HijackedConn, error) {
	conn, err := pgconn.Connect(ctx, p.address)
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

// lend waits for an idle connection, or opens one while there are fewer than poolSize.
func (p *pooler) lend() (*pgproto3.Frontend, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) == 0 && len(p.open) == poolSize {
		p.returned.Wait()
	}
	if len(p.idle) == 0 {
		server, err := p.connect(context.Background()) // the connection outlives this client
		if err != nil {
			return nil, err
		}
		p.open = append(p.open, server.Conn)
		return server.Frontend, nil
	}
	server := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return server, nil
}

func (p *pooler) putBack(server *pgproto3.Frontend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, server)
	p.returned.Signal()
}

func (p *pooler) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.open {
		_ = conn.Close() // dropping the database ends it at the latest
	}
}

// serve relays for one client until it disconnects.
func (p *pooler) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	client := pgproto3.NewBackend(conn, conn)
	settings, ok := p.greet(conn, client)
	if !ok {
		return
	}
	var server *pgproto3.Frontend // while a transaction is open
	for {
		message, err := client.Receive()
		if _, ends := message.(*pgproto3.Terminate); err != nil || ends {
			if server != nil { // roll back the client's open transaction
				server.Send(&pgproto3.Query{String: "ROLLBACK"})
				if _, err := relay(server, nil); err == nil {
					p.putBack(server)
				}
			}
			return
		}
		if server == nil {
			if server, err = p.lend(); err != nil {
				return
			}
			server.Send(&pgproto3.Query{String: settings}) // like PgBouncer
			if _, err := relay(server, nil); err != nil {
				return
			}
		}
		server.Send(message)
		switch message.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
		default:
			continue
		}
		status, err := relay(server, client)
		if err != nil {
			return
		}
		if status == 'I' { // before the client gets the answer: it may send the next statement at once
			p.putBack(server)
			server = nil
		}
		if client.Flush() != nil {
			return
		}
	}
}

// relay flushes the pending messages to the server, queues its whole answer for the client, and returns the transaction
// status. The caller flushes the client.
func relay(server *pgproto3.Frontend, client *pgproto3.Backend) (byte, error) {
	if err := server.Flush(); err != nil {
		return 0, err
	}
	for {
		message, err := server.Receive()
		if err != nil {
			return 0, err
		}
		if client != nil {
			client.Send(message)
		}
		if ready, ok := message.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus, nil
		}
	}
}

// understood are the startup parameters that PgBouncer accepts; it refuses all others.
var understood = []string{"user", "database", "application_name", "client_encoding", "datestyle", "timezone",
	"standard_conforming_strings"}

// greet completes the startup of a client and returns the SET statements for its startup parameters.
func (p *pooler) greet(conn net.Conn, client *pgproto3.Backend) (settings string, ok bool) {
	message, err := client.ReceiveStartupMessage()
	if _, ok := message.(*pgproto3.SSLRequest); err == nil && ok {
		if _, err = conn.Write([]byte("N")); err == nil {
			message, err = client.ReceiveStartupMessage()
		}
	}
	startup, ok := message.(*pgproto3.StartupMessage)
	if err != nil || !ok {
		return "", false
	}
	for name, value := range startup.Parameters {
		if !slices.Contains(understood, name) {
			client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01",
				Message: "unsupported startup parameter: " + name})
			_ = client.Flush() // the connection ends either way
			return "", false
		}
		if name != "user" && name != "database" {
			settings += fmt.Sprintf("SET %s = '%s';", name, value)
		}
	}
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range p.status {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return settings, client.Flush() == nil
}
