package dbtest

import (
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

// Pooler puts a pooler in transaction mode in front of the database at address, as PgBouncer is with a pool of two,
// and returns the pooler's address. It ends with the test.
func Pooler(t testing.TB, address string) string {
	t.Helper()
	address = strings.ReplaceAll(address, "pgbouncer=false&", "") // of ServerURL, and nothing that PostgreSQL knows
	p := &pooler{}
	p.returned.L = &p.mu
	for range 2 {
		conn, err := pgconn.Connect(t.Context(), address)
		if err != nil {
			t.Fatalf("connect the pooler: %v", err)
		}
		server, err := conn.Hijack()
		if err != nil {
			t.Fatalf("connect the pooler: %v", err)
		}
		t.Cleanup(func() { _ = server.Conn.Close() }) // ended with the database, at the latest
		p.idle, p.status = append(p.idle, server.Frontend), server.ParameterStatuses
	}
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

// pooler lends the server's connections to clients, for a transaction each.
type pooler struct {
	mu       sync.Mutex
	returned sync.Cond
	idle     []*pgproto3.Frontend // the last one is lent first
	status   map[string]string
}

func (p *pooler) lend() *pgproto3.Frontend {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) == 0 {
		p.returned.Wait()
	}
	server := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return server
}

func (p *pooler) take(server *pgproto3.Frontend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, server)
	p.returned.Signal()
}

// serve speaks with one client until it goes.
func (p *pooler) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	client := pgproto3.NewBackend(conn, conn)
	asked, ok := p.greet(conn, client)
	if !ok {
		return
	}
	var server *pgproto3.Frontend // while a transaction is open
	for {
		message, err := client.Receive()
		if _, ends := message.(*pgproto3.Terminate); err != nil || ends {
			if server != nil { // what the client left open is undone
				server.Send(&pgproto3.Query{String: "ROLLBACK"})
				if _, err := relay(server, nil); err == nil {
					p.take(server)
				}
			}
			return
		}
		if server == nil {
			server = p.lend()
			server.Send(&pgproto3.Query{String: asked}) // as PgBouncer does where they differ from the connection's
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
		if status == 'I' { // before the client hears of it: its next statement may come at once, on another connection
			p.take(server)
			server = nil
		}
		if client.Flush() != nil {
			return
		}
	}
}

// relay sends what is pending to the server, writes its whole answer for the client, and says how the transaction stands.
// The client has the answer once it is flushed.
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

// understood are the startup parameters that PgBouncer takes and passes on; it refuses any other.
var understood = []string{"user", "database", "application_name", "client_encoding", "datestyle", "timezone", "standard_conforming_strings"}

// greet lets a client in, and returns the statements that set what it asked for.
func (p *pooler) greet(conn net.Conn, client *pgproto3.Backend) (asked string, ok bool) {
	message, err := client.ReceiveStartupMessage()
	if _, asks := message.(*pgproto3.SSLRequest); err == nil && asks {
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
			client.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: " + name})
			_ = client.Flush() // the client is let go either way
			return "", false
		}
		if name != "user" && name != "database" {
			asked += fmt.Sprintf("SET %s = '%s';", name, value)
		}
	}
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range p.status {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	return asked, client.Flush() == nil
}
