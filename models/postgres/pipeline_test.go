package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// thing is a row of the tests' table.
type thing struct {
	ID       int64
	MadeAt   *time.Time
	LongName string
}

func storeThing(id int64) postgres.Statement {
	return postgres.Statement{SQL: `INSERT INTO things (id, long_name) VALUES (@id, @name)`,
		Args: []any{map[string]any{"id": id, "name": "thing"}}}
}

func readThings(into *[]thing) postgres.Statement {
	return postgres.Statement{SQL: `SELECT id, made_at, long_name FROM things WHERE id > ? ORDER BY id`, Args: []any{0},
		Read: postgres.All(into)}
}

// ways open a database directly and through a pooler.
func ways(t *testing.T) map[string]*gorm.DB {
	t.Helper()
	direct := dbtest.URL(t)
	db := open(t, direct)
	if err := db.Exec(`CREATE TABLE things (id bigint PRIMARY KEY, made_at timestamptz, long_name text NOT NULL)`).
		Error; err != nil {
		t.Fatal(err)
	}
	return map[string]*gorm.DB{"directly": db, "through a pooler": open(t, dbtest.Pooler(t, direct)+"&pgbouncer=true")}
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	for way, db := range ways(t) {
		db.Exec(`DELETE FROM things`)
		var before, after []thing
		var count []int64
		err := postgres.Pipeline(db, readThings(&before), storeThing(1), storeThing(2), readThings(&after),
			postgres.Statement{SQL: `SELECT count(*) FROM things`, Read: postgres.Values(&count)})
		if want := []thing{{ID: 1, LongName: "thing"}, {ID: 2, LongName: "thing"}}; err != nil || len(before) != 0 ||
			!slices.Equal(after, want) || !slices.Equal(count, []int64{2}) {
			t.Errorf("%s: read %v, then %v and count %v, %v; want none, then %v and 2", way, before, after, count, err, want)
		}
		var refusal *pgconn.PgError
		err = postgres.Pipeline(db, storeThing(3), storeThing(3), storeThing(4))
		if n := things(t, db); n != 2 || !errors.Is(err, gorm.ErrDuplicatedKey) && !errors.As(err, &refusal) {
			t.Errorf("%s: after a refusal %d things, %v; want 2 and the database's error", way, n, err)
		}
	}
}

// A pipeline joins the transaction that it is given: it begins it, sees its rows and its locks, and is undone with it.
func TestPipelineJoinsItsTransaction(t *testing.T) {
	t.Parallel()
	own := errors.New("own error")
	for way, db := range ways(t) {
		for name, c := range map[string]struct {
			run  func(tx models.Tx) error
			want int64
		}{
			"first": {func(tx models.Tx) error {
				return errors.Join(postgres.Pipeline(tx.DB, storeThing(1)), tx.Exec(`INSERT INTO things VALUES (2, NULL, '')`).Error)
			}, 2},
			"last": {func(tx models.Tx) error {
				var seen []thing
				err := tx.Exec(`INSERT INTO things VALUES (1, NULL, '')`).Error
				err = errors.Join(err, postgres.Pipeline(tx.DB, storeThing(2), readThings(&seen)))
				if len(seen) != 2 {
					t.Errorf("%s: saw %d things, want 2", way, len(seen))
				}
				return err
			}, 2},
			"and undone": {func(tx models.Tx) error {
				return errors.Join(postgres.Pipeline(tx.DB, storeThing(1)), own)
			}, 0},
			"nested, and undone alone": {func(tx models.Tx) error {
				err := postgres.Pipeline(tx.DB, storeThing(1))
				inner := postgres.Transaction(t.Context(), tx.DB, func(tx models.Tx) error {
					return errors.Join(postgres.Pipeline(tx.DB, storeThing(2)), own)
				})
				if !errors.Is(inner, own) {
					err = errors.Join(err, inner)
				}
				return errors.Join(err, postgres.Pipeline(tx.DB, storeThing(3)))
			}, 2},
			"refused": {func(tx models.Tx) error {
				return postgres.Pipeline(tx.DB, storeThing(1), storeThing(1))
			}, 0},
			"with rows that cannot be read": {func(tx models.Tx) error {
				return postgres.Pipeline(tx.DB, storeThing(1), postgres.Statement{SQL: `SELECT id FROM things`,
					Read: func(postgres.Rows) error { return own }}, storeThing(2))
			}, 0},
			"refused, and not noticed": {func(tx models.Tx) error {
				_ = postgres.Pipeline(tx.DB, postgres.Statement{SQL: `SELECT nothing`})
				_ = tx.Exec(`INSERT INTO things VALUES (1, NULL, '')`).Error
				return nil
			}, 0},
		} {
			db.Exec(`DELETE FROM things`)
			err := postgres.Transaction(t.Context(), db, c.run)
			if n := things(t, db); n != c.want || (err == nil) != (c.want > 0) {
				t.Errorf("%s, %s: %d things, %v; want %d", way, name, n, err, c.want)
			}
		}
	}
}

// A transaction of one pipeline takes two round trips on a connection that knows its statements: with COMMIT.
func TestRoundTripsOfAPipeline(t *testing.T) {
	t.Parallel()
	direct := dbtest.URL(t)
	for _, address := range []string{direct, dbtest.Pooler(t, direct) + "&pgbouncer=true"} {
		wire, through := dbtest.NewWire(t, address)
		db, err := postgres.OpenSized(through, 1, quiet)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = postgres.Close(db) })
		for round := range 2 { // the first makes the statements known
			wire.Reset()
			for _, table := range []string{"users", "holds"} {
				if err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
					return postgres.Pipeline(tx.DB, postgres.Statement{SQL: `SELECT count(*) FROM ` + table})
				}); err != nil {
					t.Fatal(err)
				}
			}
			if statements, trips := wire.Reset(); round > 0 && trips != 4 {
				t.Errorf("two transactions took %d round trips for %q, want 4", trips, statements)
			}
		}
	}
}

// Twenty transactions add one to what they have locked.
func TestPipelineKeepsItsLocks(t *testing.T) {
	t.Parallel()
	for way, db := range ways(t) {
		if err := db.Exec(`DELETE FROM things`).Exec(`INSERT INTO things VALUES (1, NULL, '')`).Error; err != nil {
			t.Fatal(err)
		}
		dbtest.Concurrently(20, func(int) {
			err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
				var locked []int64
				err := postgres.Pipeline(tx.DB,
					postgres.Statement{SQL: `SELECT id FROM things FOR UPDATE`},
					postgres.Statement{SQL: `SELECT length(long_name) FROM things`, Read: postgres.Values(&locked)})
				if err != nil {
					return err
				}
				return tx.Exec(`UPDATE things SET long_name = repeat('x', ?)`, locked[0]+1).Error
			})
			if err != nil {
				t.Errorf("%s: %v", way, err)
			}
		})
		var n int
		if err := db.Raw(`SELECT length(long_name) FROM things`).Scan(&n).Error; err != nil || n != 20 {
			t.Errorf("%s: counted to %d, %v; want 20", way, n, err)
		}
	}
}

// A pipeline runs again when a column was added. By then it has read the rows of its first statements.
func TestPipelineReadsEachRowOnce(t *testing.T) {
	t.Parallel()
	columns := 0
	for way, db := range ways(t) {
		db.Exec(`DELETE FROM things`).Exec(`INSERT INTO things VALUES (1, NULL, '')`)
		for range 3 {
			var ids []int64
			var rows []thing
			err := postgres.Pipeline(db, postgres.Statement{SQL: `SELECT id FROM things`, Read: postgres.Values(&ids)},
				readThings(&rows), postgres.Statement{SQL: `SELECT * FROM things`})
			if err != nil || len(ids) != 1 || len(rows) != 1 {
				t.Errorf("%s: read %d ids and %d things, %v; want one of each", way, len(ids), len(rows), err)
			}
			columns++
			if err := db.Exec(fmt.Sprintf(`ALTER TABLE things ADD COLUMN added_%d integer`, columns)).Error; err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A pipeline that begins its transaction waits for a lock no longer than lock_timeout, also where a connection to a
// pooler runs its statements for the first time, or again after a failure.
func TestPipelineWaitsWithinTheTimeLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, waiting int }{"the first time": {0, 1}, "after a failure": {1, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dbs := ways(t)
			run := func() error {
				ctx, cancel := context.WithTimeout(t.Context(), dbtest.HangTimeout)
				defer cancel()
				return postgres.Transaction(ctx, dbs["through a pooler"], func(tx models.Tx) error {
					return postgres.Pipeline(tx.DB, readThings(&[]thing{}))
				})
			}
			for range c.before {
				if err := run(); err != nil {
					t.Fatal(err)
				}
			}
			err := postgres.Transaction(t.Context(), dbs["directly"], func(tx models.Tx) error {
				if err := tx.Exec(`LOCK TABLE things`).Error; err != nil {
					return err
				}
				for n := range c.waiting {
					var refusal *pgconn.PgError
					if err := run(); !errors.As(err, &refusal) || refusal.Code != "55P03" { // lock_not_available
						t.Errorf("pipeline %d ended with %v, want the lock timeout", n+1, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// A read sends its own statement as it is. It runs again on another connection if the first had failed unnoticed, and
// leaves the connection usable when the caller reads only some rows.
func TestRead(t *testing.T) {
	t.Parallel()
	const query = `SELECT n FROM generate_series($1::bigint, $2) AS n`
	for way, db := range ways(t) {
		read := func(most int) (got []int64, err error) {
			err = postgres.Read(t.Context(), db, func(rows postgres.Rows) error {
				for len(got) < most && rows.Next() {
					got = append(got, 0)
					if err := rows.Scan(&got[len(got)-1]); err != nil {
						return err
					}
				}
				return nil
			}, query, 7, 9)
			return got, err
		}
		for range 3 {
			if got, err := read(1); err != nil || !slices.Equal(got, []int64{7}) {
				t.Errorf("%s: the first row is %v, %v; want 7", way, got, err)
			}
		}
		closeUnnoticed(t, db)
		if got, err := read(9); err != nil || !slices.Equal(got, []int64{7, 8, 9}) {
			t.Errorf("%s: after a lost connection read %v, %v; want 7, 8, 9", way, got, err)
		}
		err := postgres.Read(t.Context(), db, func(rows postgres.Rows) error { rows.Next(); return nil },
			`SELECT 1 / (n - 8) FROM generate_series($1::bigint, 9) AS n`, 8)
		if _, refused := errors.AsType[*pgconn.PgError](err); !refused {
			t.Errorf("%s: error = %v, want the database's", way, err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := postgres.Read(canceled, db, func(postgres.Rows) error { return nil }, query, 1, 2); !errors.Is(err,
			context.Canceled) {
			t.Errorf("%s: error = %v, want canceled", way, err)
		}
	}
}

func TestReadRefusesATransaction(t *testing.T) {
	t.Parallel()
	err := postgres.Transaction(t.Context(), ways(t)["directly"], func(tx models.Tx) error {
		return postgres.Read(t.Context(), tx.DB, func(postgres.Rows) error { return nil }, `SELECT 1`)
	})
	if err == nil {
		t.Error("a read in a transaction succeeds, which would not see its rows")
	}
}

// closeUnnoticed closes the socket of an idle connection of the pool behind the back of its driver.
func closeUnnoticed(t *testing.T, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(driver any) error { return driver.(*stdlib.Conn).Conn().PgConn().Conn().Close() })
	if err != nil {
		t.Fatal(err)
	}
}
