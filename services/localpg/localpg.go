// Package localpg runs a private PostgreSQL from real binaries: the database of a machine without one, and the server
// of the tests.
//
// The server listens on a socket in a directory that only its owner can enter, never on a port, so it needs no password
// and cannot collide with another server. It ends with the process that started it, even if that process is killed.
package localpg

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
)

const (
	appName    = "credits" // names what has to lie outside Options.Dir
	role       = "app"
	serverRole = "app_server"
	database   = "app"
	superuser  = "postgres"
	port       = "5432" // only a part of the socket's name
)

// Options are the settings of a cluster.
type Options struct {
	// Dir is the directory of the data, for example ".data"; the cluster is in Dir/postgres. Start creates it.
	Dir string
	// Temporary runs a cluster without Dir, in memory if there is room, and removes it at Stop. For tests only.
	Temporary bool
	// BinDir is the directory of postgres and initdb (POSTGRES_BIN_DIR). Empty: the usual places are searched, then
	// PostgreSQL is downloaded.
	BinDir string
	// Exclusive refuses a directory whose server another process runs, instead of adopting that server, which could end
	// at any time. Start waits three seconds for the other process to end.
	Exclusive bool
	// Unsafe trades durability for speed. For tests only: a crash of the machine loses data.
	Unsafe bool
	// Progress receives a line every few seconds of a download; may be nil.
	Progress io.Writer
	// Log may be nil.
	Log *slog.Logger
}

// Server is a running PostgreSQL.
type Server struct {
	home   string
	socket string
	owned  *owned // nil when another process started the server and this one adopted it
}

// ErrInUse means that another process uses the directory.
var ErrInUse = errors.New("another process uses the data directory")

// Start runs the cluster in o.Dir, and creates it if there is none. A server that another Start runs there is adopted:
// it serves both and ends with the process that started it. The context bounds the start only.
//
// For root the server runs as an unprivileged account, because PostgreSQL refuses uid 0. If that account cannot reach
// o.Dir, the data is in /var/lib; see Dir.
//
// Locks: the directory, until Stop. Errors: no PostgreSQL 15 or newer, a directory of another user, ErrInUse with
// Exclusive, syscall.ENOSPC, a server that does not start (with the end of its log).
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return start(ctx, o)
}

// URL is the address of the database "app" for its owner, the role "app", which is not a superuser.
func (s *Server) URL() string {
	return address(s.socket, role, database)
}

// URLOf is the address of the named database, as the role "app".
func (s *Server) URLOf(db string) string {
	return address(s.socket, role, db)
}

// ServerURL is the address of the database "app" as the role "app_server", which owns nothing.
func (s *Server) ServerURL() string {
	return address(s.socket, serverRole, database)
}

// AdminURL is the address of the named database as the superuser, for tests that create databases.
func (s *Server) AdminURL(db string) string {
	return address(s.socket, superuser, db)
}

// Dir is the actual directory of the data.
func (s *Server) Dir() string {
	return s.home
}

// Stop ends the server: open transactions are rolled back, committed ones are kept. An adopted server continues.
// Idempotent.
//
// Errors: failures of the clean-up; the server has ended nevertheless.
func (s *Server) Stop() error {
	if s.owned == nil {
		return nil
	}
	return s.owned.stop()
}

// address sets every parameter, because drivers take missing ones from PGHOST, PGPORT and other variables.
func address(socket, user, db string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + db}
	u.RawQuery = url.Values{"host": {socket}, "port": {port}, "sslmode": {"disable"}}.Encode()
	return u.String()
}
