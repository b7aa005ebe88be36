package dbtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver

	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

// shared is the one server of this test process.
var shared lazy

// templateVariable names the template that Share created on the server at TEST_DATABASE_URL.
const templateVariable = "TEST_DATABASE_TEMPLATE"

// Share starts a server with a template for the tests of several processes, or creates the template on the server at
// TEST_DATABASE_URL, and returns the environment that leads them there. They must have this program's migrations.
func Share(ctx context.Context) (env []string, stop func() error, err error) {
	address := os.Getenv("TEST_DATABASE_URL")
	s, err := begin(ctx, address, "")
	if err != nil {
		return nil, nil, err
	}
	stop = func() error { return s.stop(context.Background()) } // also after the context's end
	if err := s.migrate(); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	address = cmp.Or(address, s.superuser("postgres"))
	return []string{"TEST_DATABASE_URL=" + address, templateVariable + "=" + s.template()}, stop, nil
}

// lazy starts the server for the first test that needs it.
type lazy struct {
	once sync.Once
	s    *instance
	err  error
}

func (l *lazy) get() (*instance, error) {
	l.once.Do(func() {
		l.s, l.err = begin(context.Background(), os.Getenv("TEST_DATABASE_URL"), os.Getenv(templateVariable))
	})
	return l.s, l.err
}

// stop stops the server, if one was started.
func (l *lazy) stop() error {
	if l.s == nil {
		return nil
	}
	return l.s.stop(context.Background())
}

// instance is a server with test databases.
type instance struct {
	admin   *sql.DB
	address func(db string) string // as the role "app"

	superuser func(db string) string
	end       func() error
	prefix    string // of all database names: other processes may use the same server
	given     string // the template of Share, which belongs to another process
	count     atomic.Int64

	once        sync.Once
	templateErr error
}

// begin starts a server, or connects to the given one, where a template may be given, too.
func begin(ctx context.Context, external, template string) (*instance, error) {
	s := &instance{prefix: strings.ToLower(rand.Text()[:8]), given: template, end: func() error { return nil }}
	admin := external
	if external != "" {
		u, err := url.Parse(external)
		if err != nil {
			return nil, errors.New("TEST_DATABASE_URL cannot be read") // its text may contain a password
		}
		s.address = func(db string) string { return asApp(*u, db) }
		s.superuser = func(db string) string { own := *u; own.Path = "/" + db; return own.String() }
	} else {
		server, err := localpg.Start(ctx, localpg.Options{
			Temporary: true,
			Unsafe:    true,
			BinDir:    os.Getenv("POSTGRES_BIN_DIR"),
			Progress:  os.Stderr,
		})
		if err != nil {
			return nil, err
		}
		admin, s.end = server.AdminURL("postgres"), server.Stop
		s.address, s.superuser = server.URLOf, server.AdminURL
	}
	var err error
	if s.admin, err = sql.Open("pgx", admin); err != nil {
		return nil, errors.Join(fmt.Errorf("connect as superuser: %w", err), s.end())
	}
	s.admin.SetMaxOpenConns(4) // copies wait for the disk, not for each other
	if external != "" {
		if err := s.prepareRole(ctx); err != nil {
			return nil, errors.Join(err, s.stop(ctx))
		}
	}
	// Tests inspect and end connections of the server's role.
	if _, err := s.admin.ExecContext(ctx, `GRANT pg_read_all_stats, pg_signal_backend TO `+role); err != nil {
		return nil, errors.Join(fmt.Errorf("grant rights on the server's connections: %w", err), s.stop(ctx))
	}
	return s, nil
}

const (
	role       = "app"
	serverRole = "app_server" // the role of a server: it owns nothing
	password   = "app"        // of both; they own only test databases
)

func asApp(u url.URL, db string) string {
	u.User = url.UserPassword(role, password)
	u.Path = "/" + db
	return u.String()
}

// prepareRole creates the roles on an external server. Other processes may do the same concurrently.
func (s *instance) prepareRole(ctx context.Context) error {
	_, err := s.admin.ExecContext(ctx, `
		DO $$ BEGIN
			PERFORM pg_advisory_xact_lock(hashtext('dbtest role'));
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+role+`') THEN
				CREATE ROLE `+role+` LOGIN PASSWORD '`+password+`';
				GRANT `+role+` TO CURRENT_USER;
			END IF;
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+serverRole+`') THEN
				CREATE ROLE `+serverRole+` LOGIN PASSWORD '`+password+`';
			END IF;
		END $$`)
	if err != nil {
		return fmt.Errorf("create the roles of the test databases: %w", err)
	}
	return nil
}

func (s *instance) template() string { return cmp.Or(s.given, "tmpl_"+s.prefix) }

// migrate creates the template once and closes all connections to it: a database in use cannot be copied.
func (s *instance) migrate() error {
	s.once.Do(func() {
		if s.given != "" {
			return
		}
		ctx := context.Background()
		if s.templateErr = s.createNamed(ctx, s.template(), "template0"); s.templateErr != nil {
			return
		}
		owner := s.address(s.template())
		s.templateErr = postgres.MigrateFor(ctx, owner, ServerURL(owner), slog.New(slog.DiscardHandler))
	})
	return s.templateErr
}

func (s *instance) create(ctx context.Context, template string) (string, error) {
	name := fmt.Sprintf("t_%s_%d", s.prefix, s.count.Add(1))
	return name, s.createNamed(ctx, name, template)
}

// createNamed copies a database file by file, which is several times faster than page by page without fsync.
//
//nolint:gosec // both names are dbtest's own
func (s *instance) createNamed(ctx context.Context, name, template string) error {
	_, err := s.admin.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE `+template+` OWNER `+role+` STRATEGY FILE_COPY`)
	if err == nil { // CREATE DATABASE does not copy rights on the database itself
		_, err = s.admin.ExecContext(ctx, `REVOKE TEMPORARY ON DATABASE `+name+` FROM PUBLIC`)
	}
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// drop drops a database and ends its connections.
//
//nolint:gosec // the name is dbtest's own
func (s *instance) drop(ctx context.Context, name string) error {
	if _, err := s.admin.ExecContext(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
		return fmt.Errorf("drop database: %w", err)
	}
	return nil
}

func (s *instance) stop(ctx context.Context) error {
	var err error
	if s.given == "" {
		err = s.drop(ctx, s.template())
	}
	return errors.Join(err, s.admin.Close(), s.end())
}
