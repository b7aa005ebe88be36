package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/migrations"
	"github.com/resume-matcher/credits/models/postgres"
)

// older returns the address of a new database with the schema of an older version.
func older(t *testing.T, version int64) string {
	t.Helper()
	address := dbtest.Empty(t)
	provider, err := goose.NewProvider(goose.DialectPostgres, connect(t, address), migrations.Files,
		goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatalf("migrate to %d: %v", version, err)
	}
	return address
}

func connect(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// begin starts a transaction with these statements, which the test ends.
func begin(t *testing.T, db *sql.DB, statements ...string) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	for _, statement := range statements {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return tx
}

// warnings is a log that reports each warning.
type warnings struct {
	slog.Handler
	seen chan string
}

func newWarnings() *warnings { return &warnings{slog.DiscardHandler, make(chan string, 100)} }

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn {
		w.seen <- r.Message
	}
	return nil
}

// Twenty workers of the running release move credits while the next release migrates: none of them fails, and every
// balance is right.
func TestMigrateWhileCreditsMove(t *testing.T) {
	t.Parallel()
	address := older(t, 22)
	db := open(t, address+"&lock_timeout=180s&statement_timeout=180s")
	user := dbtest.User(t, db, "ada@example.com").ID
	stop, moved := make(chan struct{}), atomic.Int64{}
	move := func() error {
		return postgres.Transaction(context.Background(), db, func(tx models.Tx) error {
			return errors.Join(
				tx.Exec(`SELECT FROM users WHERE id = ? FOR UPDATE`, user).Error,
				tx.Exec(`SELECT FROM holds WHERE user_id = ?`, user).Error,
				tx.Exec(`INSERT INTO credit_transactions (user_id, delta_credits, reason) VALUES (?, 1, 'manual')`, user).Error,
				tx.Exec(`UPDATE users SET credits_balance = credits_balance + 1 WHERE id = ?`, user).Error)
		})
	}
	var workers sync.WaitGroup
	for range 20 {
		workers.Go(func() {
			for done := false; !done; moved.Add(1) {
				select {
				case <-stop:
					done = true // once more, on the new schema
				default:
				}
				if err := move(); err != nil {
					t.Errorf("move a credit while migrating: %v", err)
					return
				}
			}
		})
	}
	dbtest.Eventually(t, "the workers move credits", func() bool { return moved.Load() >= 20 })
	err := postgres.Migrate(t.Context(), address, quiet)
	close(stop)
	workers.Wait()
	if err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if err := postgres.CheckSchema(t.Context(), db); err != nil {
		t.Errorf("after migrating: %v", err)
	}
	dbtest.CheckLedger(t, db)
	t.Logf("%d credits moved", moved.Load())
}

// briefLocks bounds each wait for a lock. All attempts together take seconds, longer than a busy machine stalls a test.
const briefLocks = "&lock_timeout=100ms"

func TestMigrateTriesAgain(t *testing.T) {
	t.Parallel()
	t.Run("while a table is locked", func(t *testing.T) {
		t.Parallel()
		address := older(t, 31)
		holder := begin(t, connect(t, address), `LOCK TABLE holds`)
		log, done := newWarnings(), make(chan error, 1)
		go func() { done <- postgres.Migrate(t.Context(), address+briefLocks, slog.New(log)) }()
		for range 2 {
			select {
			case got := <-log.seen:
				if got != "migration waits for other sessions" {
					t.Errorf("warned %q, want that the migration waits", got)
				}
			case err := <-done:
				t.Fatalf("migrate = %v while a table is locked, want it to wait", err)
			}
		}
		if err := errors.Join(holder.Rollback(), <-done); err != nil {
			t.Errorf("migrate after the table was unlocked: %v", err)
		}
	})
	t.Run("after a deadlock", func(t *testing.T) {
		t.Parallel()
		address := older(t, 31)
		// The sequence keeps counting when the transaction is rolled back.
		_, err := connect(t, dbtest.Admin(t, address)).ExecContext(t.Context(), `CREATE SEQUENCE deadlocks;
			CREATE FUNCTION deadlock() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
				IF nextval('deadlocks') <= 2 THEN RAISE deadlock_detected; END IF;
			END $$;
			CREATE EVENT TRIGGER deadlock ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION deadlock()`)
		if err != nil {
			t.Fatal(err)
		}
		log := newWarnings()
		err = postgres.Migrate(t.Context(), address+briefLocks, slog.New(log))
		if err != nil || len(log.seen) != 2 {
			t.Errorf("migrate = %v after %d warnings, want success after 2", err, len(log.seen))
		}
	})
}

func TestMigrateGivesUp(t *testing.T) {
	t.Parallel()
	address := older(t, 31)
	db := connect(t, address)
	begin(t, db, `LOCK TABLE holds`)
	err := postgres.Migrate(t.Context(), address+"&lock_timeout=1ms", quiet)
	if !errors.Is(err, postgres.ErrBusy) {
		t.Errorf("migrate with a locked table = %v, want ErrBusy", err)
	}
	var version int
	if err := db.QueryRowContext(t.Context(), `SELECT max(version_id) FROM goose_db_version`).Scan(&version); err != nil ||
		version != 31 {
		t.Errorf("schema = %d (%v), want 31 as before", version, err)
	}
}

// Twenty workers of the release before numbers and the search order, book and create users while the next release
// migrates: none of them fails, and every purchase has a number of its own, the earlier ones in their order.
func TestMigrateWhilePurchasesAreMade(t *testing.T) {
	t.Parallel()
	const earlier, workers = 500, 20
	address := older(t, 57)
	db := open(t, address+"&lock_timeout=180s&statement_timeout=180s")
	user := dbtest.User(t, db, "ada@example.com").ID
	insert := `INSERT INTO purchases (id, user_id, quantity, credits, amount_cents, currency, locale, idempotency_key, created_at)
		SELECT gen_random_uuid(), ?, 1, 500, 2000, 'eur', 'de', ? || gen_random_uuid(), now() - make_interval(secs => n) FROM generate_series(1, ?) n`
	if err := db.Exec(insert, user, "earlier", earlier).Error; err != nil {
		t.Fatal(err)
	}
	stop, made := make(chan struct{}), atomic.Int64{}
	work := func(worker int) error {
		return postgres.Transaction(context.Background(), db, func(tx models.Tx) error {
			n := made.Add(1)
			return errors.Join(tx.Exec(insert, user, "", 1).Error,
				tx.Exec(`UPDATE purchases SET updated_at = now() WHERE id = (SELECT id FROM purchases ORDER BY id OFFSET ? LIMIT 1)`,
					(n*int64(worker+1))%earlier).Error,
				tx.Exec(`INSERT INTO users (email, name) VALUES (?, 'Ada')`, fmt.Sprintf("u%d@example.com", n)).Error)
		})
	}
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for done := false; !done; {
				select {
				case <-stop:
					done = true // once more, on the new schema
				default:
				}
				if err := work(worker); err != nil {
					t.Errorf("order while migrating: %v", err)
					return
				}
			}
		})
	}
	dbtest.Eventually(t, "the workers order", func() bool { return made.Load() >= workers })
	err := postgres.Migrate(t.Context(), address, quiet)
	close(stop)
	all.Wait()
	if err != nil {
		t.Fatalf("migrate: %v", err)
	}
	var got struct{ Purchases, Numbers, Least, Greatest, Disordered int64 }
	err = db.Raw(`SELECT count(*) AS purchases, count(DISTINCT number) AS numbers, min(number) AS least, max(number) AS greatest,
		(SELECT count(*) FROM (SELECT number, row_number() OVER (ORDER BY created_at, id) + 1000 AS due FROM purchases
			WHERE starts_with(idempotency_key, 'earlier')) p WHERE number <> due) AS disordered FROM purchases`).Scan(&got).Error
	if err != nil || got.Purchases < earlier+workers || got.Numbers != got.Purchases || got.Least != 1001 ||
		got.Greatest < 1000+got.Purchases || got.Disordered != 0 {
		t.Errorf("numbers = %+v (%v), want one for each purchase from 1001 on, earlier ones in order", got, err)
	}
	if err := postgres.CheckSchema(t.Context(), db); err != nil {
		t.Errorf("after migrating: %v", err)
	}
}
