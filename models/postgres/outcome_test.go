package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
)

// lossy is a database behind a network that loses COMMITs, with the table things.
func lossy(t *testing.T) (*dbtest.Lossy, *gorm.DB) {
	t.Helper()
	address := dbtest.Empty(t)
	network := dbtest.LossyURL(t, address)
	db, err := postgres.Open(network.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	if err := db.Exec(`CREATE TABLE things (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)`).Error; err != nil {
		t.Fatal(err)
	}
	return network, db
}

func insertThing(tx models.Tx) error { return tx.Exec(`INSERT INTO things VALUES (1)`).Error }

// thingExists is evidence. Its lock waits for the transaction that inserts.
func thingExists(tx models.Tx) (found bool, err error) {
	err = tx.Exec(`LOCK TABLE things IN SHARE MODE`).Error
	if err == nil {
		err = tx.Raw(`SELECT EXISTS (SELECT FROM things)`).Scan(&found).Error
	}
	return found, err
}

func things(t *testing.T, db *gorm.DB) (n int64) {
	t.Helper()
	if err := db.Raw(`SELECT count(*) FROM things`).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTransactionTellsWhetherItMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	network, db := lossy(t)
	ctx := t.Context()
	own := errors.New("own error")
	stopped, stop := context.WithCancel(ctx)
	for name, c := range map[string]struct {
		ctx     context.Context
		replies int64
		fn      func(models.Tx) error
		unknown bool
	}{
		"the work failed": {ctx: ctx, fn: func(models.Tx) error { return own }},
		"COMMIT was refused": {ctx: ctx, fn: func(tx models.Tx) error {
			return errors.Join(insertThing(tx), insertThing(tx))
		}},
		"the context ended before COMMIT": {ctx: stopped, fn: func(tx models.Tx) error {
			err := insertThing(tx)
			stop()
			return err
		}},
		"the reply to COMMIT was lost": {ctx: ctx, replies: 1, fn: func(tx models.Tx) error {
			return tx.Exec(`SELECT 1`).Error
		}, unknown: true},
	} {
		network.Replies.Store(c.replies)
		if err := postgres.Transaction(c.ctx, db, c.fn); err == nil || postgres.OutcomeUnknown(err) != c.unknown {
			t.Errorf("%s: error %v, want one with unknown outcome: %t", name, err, c.unknown)
		}
	}
	if n := things(t, db); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// Only what the server or the driver says for certain means that a COMMIT had no effect.
func TestUnansweredCommits(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		nil: false,
		&pgconn.PgError{SeverityUnlocalized: "ERROR"}:                         false,
		&pgconn.PgError{SeverityUnlocalized: "FATAL"}:                         true,
		context.DeadlineExceeded:                                              false, // database/sql rolled back
		context.Canceled:                                                      false,
		fmt.Errorf("read: %w", context.DeadlineExceeded):                      true,
		fmt.Errorf("read: %w", context.Canceled):                              true,
		io.ErrUnexpectedEOF:                                                   true,
		&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}: true,
		fmt.Errorf("commit: %w", pgconn.ErrConnClosed):                        true,
		fmt.Errorf("commit: %w", sql.ErrTxDone):                               false,
		pgx.ErrTxClosed:                                                       false,
		pgx.ErrTxCommitRollback:                                               false,
		gorm.ErrDuplicatedKey:                                                 false,
		gorm.ErrForeignKeyViolated:                                            false,
		gorm.ErrCheckConstraintViolated:                                       false,
	} {
		if got := postgres.Unanswered(err); got != want {
			t.Errorf("COMMIT that failed with %v may have taken effect: %t, want %t", err, got, want)
		}
	}
}

func TestConfirmed(t *testing.T) {
	t.Parallel()
	t.Run("succeeds when only the reply to COMMIT was lost", func(t *testing.T) {
		t.Parallel()
		network, db := lossy(t)
		network.Replies.Store(1)
		db = postgres.ConfirmWithin(db, dbtest.HangTimeout)
		if err := postgres.Confirmed(t.Context(), db, insertThing, thingExists); err != nil || things(t, db) != 1 {
			t.Errorf("error %v with %d rows, want none with 1", err, things(t, db))
		}
	})
	t.Run("fails like any transaction when COMMIT did not arrive", func(t *testing.T) {
		t.Parallel()
		network, db := lossy(t)
		network.Requests.Store(1)
		db = postgres.ConfirmWithin(db, dbtest.HangTimeout)
		err := postgres.Confirmed(t.Context(), db, insertThing, thingExists)
		if !postgres.Away(err) || postgres.OutcomeUnknown(err) || things(t, db) != 0 {
			t.Errorf("error %v with %d rows, want a lost connection with known outcome and none", err, things(t, db))
		}
	})
	t.Run("says that it does not know while the database is away", func(t *testing.T) {
		t.Parallel()
		network, db := lossy(t)
		network.Outage.Store(true)
		network.Replies.Store(1)
		if err := postgres.Confirmed(t.Context(), db, insertThing, thingExists); !postgres.OutcomeUnknown(err) {
			t.Errorf("error %v, want an unknown outcome", err)
		}
		known := make(chan bool, 1)
		postgres.WhenKnown(t.Context(), db, slog.New(slog.DiscardHandler), thingExists,
			func(context.Context) { known <- true })
		network.Restore()
		<-known
		if n := things(t, db); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
	t.Run("does not know without evidence", func(t *testing.T) {
		t.Parallel()
		network, db := lossy(t)
		network.Replies.Store(1)
		none := func(models.Tx) (bool, error) { return false, errors.New("none") }
		if err := postgres.Confirmed(t.Context(), db, insertThing, none); !postgres.OutcomeUnknown(err) {
			t.Errorf("error %v, want an unknown outcome", err)
		}
	})
}

// The search for a transaction goes on while the database is away, and ends with any other error.
func TestWhenKnown(t *testing.T) {
	t.Parallel()
	db := open(t, dbtest.Empty(t))
	for name, c := range map[string]struct {
		answers []error // of the evidence, until it is there; it panics with nil
		known   bool
	}{
		"evidence at once":                   {nil, true},
		"evidence that panics":               {[]error{nil}, false},
		"evidence once the database is back": {[]error{&pgconn.PgError{Code: "57P01"}, &pgconn.PgError{Code: "53300"}}, true},
		"no evidence to be had":              {[]error{errors.New("none")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out output
			var asked, calls atomic.Int64
			postgres.WhenKnown(t.Context(), db, slog.New(slog.NewJSONHandler(&out, nil)), func(models.Tx) (bool, error) {
				n := asked.Add(1)
				if n > int64(len(c.answers)) {
					return true, nil
				}
				if c.answers[n-1] == nil {
					panic("on purpose")
				}
				return false, c.answers[n-1]
			}, func(context.Context) { calls.Add(1) })
			logged := func() bool { return strings.Contains(out.String(), `"level":"ERROR"`) }
			dbtest.Eventually(t, "the search ends", func() bool { return calls.Load() > 0 || logged() })
			if (calls.Load() == 1) != c.known || logged() == c.known {
				t.Errorf("called %d times, log %q; want it known: %t", calls.Load(), out.String(), c.known)
			}
		})
	}
}
