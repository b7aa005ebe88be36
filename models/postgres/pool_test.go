package postgres_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// A release adds a column while servers of the previous one run. Each of their connections has prepared statements that
// name no columns; none of them fails.
func TestStatementsSurviveANewColumn(t *testing.T) {
	t.Parallel()
	read := func(db *gorm.DB, query string) error { return db.Raw(query).Scan(&[]map[string]any{}).Error }
	forms := map[string]func(db *gorm.DB) error{
		"a query": func(db *gorm.DB) error { return read(db, `SELECT * FROM users`) },
		"a row": func(db *gorm.DB) error {
			var refusal *pgconn.PgError
			if err := db.Raw(`SELECT * FROM users`).Row().Scan(); errors.As(err, &refusal) {
				return err
			}
			return nil // the number of columns does not matter here
		},
		"a write": func(db *gorm.DB) error {
			return db.Exec(`UPDATE users SET name = 'Eve' WHERE email = 'eve@example.com' RETURNING *`).Error
		},
		"GORM's own": func(db *gorm.DB) error { return db.Take(&models.User{}).Error },
		"a transaction of several": func(db *gorm.DB) error {
			return postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
				return errors.Join(read(tx.DB, `SELECT * FROM users`), read(tx.DB, `SELECT * FROM holds`),
					read(tx.DB, `SELECT * FROM prices`), read(tx.DB, `SELECT * FROM purchases`))
			})
		},
	}
	direct := dbtest.URL(t)
	dbtest.User(t, open(t, direct), "ada@example.com")
	for name, c := range map[string]struct {
		address     string
		connections int
	}{"directly": {direct, 8}, "through a pooler": {dbtest.Pooler(t, direct) + "&pgbouncer=true", 2}} {
		t.Run(name, func(t *testing.T) {
			db := open(t, c.address)
			for form, run := range forms {
				atOnce(t, db, c.connections, run) // every connection prepares the statements
				for _, table := range []string{"users", "holds", "prices", "purchases"} {
					if err := open(t, direct).Exec(`ALTER TABLE ` + table + ` ADD COLUMN "` + form + " " + name + `" integer`).
						Error; err != nil {
						t.Fatal(err)
					}
				}
				dbtest.Concurrently(c.connections, func(int) {
					if err := run(db); err != nil {
						t.Errorf("%s after a column was added: %v", form, err)
					}
				})
			}
		})
	}
}

// A connection that notices a new column goes on.
func TestANewColumnEndsNoConnection(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	wire, through := dbtest.NewWire(t, address)
	db, err := postgres.OpenSized(through, 1, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Close(db) })
	var servers []int64
	for range 3 {
		var pid int64
		if err := errors.Join(db.Raw(`SELECT * FROM users`).Scan(&[]map[string]any{}).Error,
			open(t, address).Exec(`ALTER TABLE users ADD COLUMN "of `+fmt.Sprint(len(servers))+`" integer`).Error,
			db.Raw(`SELECT * FROM users`).Scan(&[]map[string]any{}).Error,
			db.Raw(`SELECT pg_backend_pid()`).Scan(&pid).Error); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, pid)
		wire.Reset()
		if err := db.Raw(`SELECT pg_backend_pid()`).Scan(&pid).Error; err != nil {
			t.Fatal(err)
		}
		if statements, trips := wire.Reset(); trips != 1 {
			t.Errorf("a statement that the connection knows took %d round trips for %q, want 1", trips, statements)
		}
	}
	if len(slices.Compact(servers)) != 1 {
		t.Errorf("connections = %v, want the same", servers)
	}
}

func TestClosedPoolServesNoWork(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	err := postgres.Close(db)
	if again := db.Exec(`SELECT 1`).Error; err != nil || again == nil {
		t.Errorf("Close = %v, and then a statement: %v; want no error, and then one", err, again)
	}
}

// atOnce runs work on n connections of db.
func atOnce(t *testing.T, db *gorm.DB, n int, work func(*gorm.DB) error) {
	t.Helper()
	all := make(chan *gorm.DB, n)
	for range n {
		tx := db.Begin()
		if tx.Error != nil {
			t.Fatal(tx.Error)
		}
		all <- tx
		if err := work(tx); err != nil {
			t.Error(err)
		}
	}
	for range n {
		if err := (<-all).Rollback().Error; err != nil {
			t.Fatal(err)
		}
	}
}

// A server, a pooler or a database that is full refuses further connections. Requests then wait for one of those that
// the pool has.
func TestFullDatabaseDelaysWork(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	// One for this administrator, three for the pool.
	if err := execute(connect(t, dbtest.Admin(t, address)), `ALTER DATABASE `+name+` CONNECTION LIMIT 4`); err != nil {
		t.Fatal(err)
	}
	db, err := postgres.OpenSized(address, 20, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Close(db) })
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	holders := []*sql.Tx{begin(t, pool, `SELECT 1`), begin(t, pool, `SELECT 1`), begin(t, pool, `SELECT 1`)}
	var workers sync.WaitGroup
	for n := range 20 {
		workers.Go(func() {
			var one int
			err := errors.Join(db.Raw(`SELECT 1`).Scan(&one).Error, db.Exec(`SELECT 1`).Error, db.Raw(`SELECT 1`).Row().Scan(&one),
				postgres.Transaction(t.Context(), db, func(tx models.Tx) error { return tx.Exec(`SELECT 1`).Error }))
			if err != nil {
				t.Errorf("worker %d: %v", n, err)
			}
		})
	}
	dbtest.Eventually(t, "work waits for a connection", func() bool { return pool.Stats().WaitCount > 0 })
	for _, holder := range holders {
		if err := holder.Rollback(); err != nil {
			t.Error(err)
		}
	}
	workers.Wait()
}

// pgx first drops the statements that failed on a connection. If it cannot, the statement itself was not sent.
func TestUnsentWorkRunsAgain(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	unsent := errors.New("failed to deallocate cached statement(s): timeout: i/o timeout")
	for name, c := range map[string]struct {
		err   error
		fails int // so many runs
		want  int
	}{
		"not sent":                {unsent, 1, 2},
		"not sent, says a caller": {fmt.Errorf("apply 1 operations: %w", unsent), 1, 2},
		"not sent twice":          {unsent, 2, 3},
		"never sent":              {unsent, 100, 3},
		"sent":                    {errors.New("i/o timeout"), 1, 1},
	} {
		for way, run := range map[string]func(work func() error) error{
			"alone": func(work func() error) error {
				_, err := postgres.Retried(t.Context(), func() (int, error) { return 0, work() })
				return err
			},
			"in a transaction": func(work func() error) error {
				return postgres.Transaction(t.Context(), db, func(models.Tx) error { return work() })
			},
		} {
			runs := 0
			err := run(func() error {
				if runs++; runs <= c.fails {
					return c.err
				}
				return nil
			})
			if runs != c.want || (err == nil) != (c.want > c.fails) {
				t.Errorf("%s, %s: ran %d times with error %v, want %d times", name, way, runs, err, c.want)
			}
		}
	}
}
