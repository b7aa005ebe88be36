package ledger_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// A new installation has tables without rows or statistics, and its connections keep the plans that they make then. The
// statements must use indexes already there, or they slow down with each row.
func TestStatementsOfANewInstallationReadNoWholeTable(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	user := rich(t, db, "ada@example.com", 1000)
	for n := range 20 { // enough for plans that do not know the values
		held, freed := uuid.New(), uuid.New()
		for _, ops := range [][]ledger.Op{
			{&ledger.HoldOp{ID: held, UserID: user, Feature: "job_match", TTL: time.Hour, Exclusive: "letter"},
				&ledger.HoldOp{ID: freed, UserID: user, Feature: "job_match", TTL: time.Hour}},
			{&ledger.CaptureOp{UserID: user, ID: held}, &ledger.ReleaseOp{UserID: user, ID: freed}},
			{spend(user, models.ReasonJobMatch, "")},
		} {
			err := postgres.Transaction(t.Context(), db, func(tx models.Tx) error {
				before, err := tableScans(tx)
				if err == nil {
					err = ledger.Apply(tx, ops...)
				}
				if err != nil {
					return err
				}
				after, err := tableScans(tx)
				if after != before {
					t.Errorf("round %d: %d operations from %T on read whole tables %d times, want 0", n, len(ops), ops[0],
						after-before)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	dbtest.CheckLedger(t, db)
}

// tableScans returns how often the connection has read all holds or entries.
func tableScans(tx models.Tx) (n int64, err error) {
	err = tx.Raw(`SELECT pg_stat_get_xact_numscans('holds'::regclass) + pg_stat_get_xact_numscans('credit_transactions'::regclass)`).
		Scan(&n).Error
	return n, err
}
