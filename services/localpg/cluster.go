//go:build unix

package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a data directory and the settings that serve it.
type cluster struct {
	home   string
	data   string
	who    account
	bins   binaries
	socket *socketDir
	out    *os.File // the server's own log
	unsafe bool
	log    *slog.Logger
}

// version returns the major version that created the data, 0 without data.
func (c *cluster) version() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.data, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read version of the data: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read version of the data: %w", err)
	}
	return major, nil
}

// create creates the data under a temporary name and renames it when it is complete, so that a killed start leaves no
// partial cluster.
func (c *cluster) create(ctx context.Context) error {
	c.log.InfoContext(ctx, "preparing the database", "dir", c.home)
	half := c.data + ".new"
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("remove partial cluster: %w", err)
	}
	// -N: new files need no sync.
	initdb := command(ctx, c.who, c.home, c.bins.program("initdb"), "-D", half, "-U", superuser,
		"-A", "trust", "-E", "UTF8", "--no-locale", "-N", "--no-instructions")
	if _, err := runTool(initdb); err != nil {
		return fmt.Errorf("create cluster: %w", err)
	}
	if err := os.Rename(half, c.data); err != nil {
		return fmt.Errorf("rename the new cluster: %w", err)
	}
	return nil
}

// postgres returns the server's command. It sets everything by flags instead of postgresql.conf, so that clusters of
// older releases get the same settings.
func (c *cluster) postgres() *exec.Cmd {
	settings := []string{
		"listen_addresses=",
		`unix_socket_directories="` + c.socket.path + `"`,
		"unix_socket_permissions=0700",
		"port=" + port,
		"timezone=UTC",
		"log_timezone=UTC",
		// The application reports failed statements. This log would show their e-mail addresses.
		"log_min_messages=log",
		"log_min_error_statement=panic",
	}
	if c.unsafe {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
			"max_connections=500", // many tests at once, a pool each
			"max_wal_size=256MB")  // it may be in memory
	}
	args := []string{"-D", c.data}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	// Not the start's context: the server outlives it.
	cmd := command(context.Background(), c.who, c.home, c.bins.program("postgres"), args...)
	cmd.Stdout, cmd.Stderr = c.out, c.out
	return cmd
}

// serve starts the server, waits until it accepts connections, and returns one to the superuser's database.
func (c *cluster) serve(ctx context.Context) (*process, *pgx.Conn, error) {
	for attempt := 1; ; attempt++ {
		crashed, err := endOrphan(ctx, c.data)
		if err != nil {
			return nil, nil, err
		}
		c.socket.clear()
		p, err := launch(c.postgres())
		if err != nil {
			return nil, nil, err
		}
		conn, err := c.ready(ctx, p)
		if err == nil {
			return p, conn, nil
		}
		err = errors.Join(err, p.stop())
		// Sessions of a killed server hold its shared memory for a moment, and no other server can start until then.
		const attempts = 20
		if !crashed && attempt == 1 || attempt == attempts || ctx.Err() != nil {
			return nil, nil, err
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return nil, nil, err
		}
	}
}

// ready waits until the server accepts connections; after a crash it replays its log first.
func (c *cluster) ready(ctx context.Context, p *process) (*pgx.Conn, error) {
	for {
		conn, err := pgx.Connect(ctx, address(c.socket.path, superuser, superuser))
		if err == nil {
			return conn, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("postgres ended while starting: %w", failure(nil, c.logTail()))
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for postgres: %w: %w", context.Cause(ctx), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// provision creates the roles and the database of the application, if they do not exist.
func provision(ctx context.Context, conn *pgx.Conn) error {
	for _, name := range []string{role, serverRole} {
		var exists bool
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`,
			name).Scan(&exists); err != nil {
			return fmt.Errorf("find the application's roles: %w", err)
		}
		if exists {
			continue
		}
		if _, err := conn.Exec(ctx, `CREATE ROLE `+name+` LOGIN`); err != nil {
			return fmt.Errorf("create role: %w", err)
		}
	}
	var hasDatabase bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`,
		database).Scan(&hasDatabase); err != nil {
		return fmt.Errorf("find the application's database: %w", err)
	}
	if !hasDatabase {
		if _, err := conn.Exec(ctx, `CREATE DATABASE `+database+` OWNER `+role); err != nil {
			return fmt.Errorf("create database: %w", err)
		}
	}
	return nil
}

// openLog starts a new log and renames the previous one.
func (c *cluster) openLog() error {
	path := filepath.Join(c.home, "server.log")
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("rename the server's last log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600) //nolint:gosec // our own directory
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	c.out = f
	return nil
}

// logTail returns the end of the server's log.
func (c *cluster) logTail() string {
	const size = 1000
	info, err := c.out.Stat()
	if err != nil {
		return "its log is unreadable"
	}
	tail := make([]byte, min(size, info.Size()))
	n, _ := c.out.ReadAt(tail, info.Size()-int64(len(tail))) // a partial read suffices
	return strings.TrimSpace(string(tail[:n]))
}
