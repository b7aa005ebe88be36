package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

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
