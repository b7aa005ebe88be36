package admin_test

import (
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/admin"
)

// Whoever watches an idle database does not use it, and a new installation has figures, too.
func TestFiguresAreNoActivity(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(dbtest.URL(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { postgres.Close(db) })
	var noted atomic.Int64
	postgres.OnActivity(db, func() { noted.Add(1) })
	figures, err := (&admin.Service{DB: db}).Figures(t.Context())
	if err != nil || figures.Reconciled != nil {
		t.Fatalf("last reconciliation %v, error %v; want neither in a new installation", figures.Reconciled, err)
	}
	if n := noted.Load(); n != 0 {
		t.Errorf("the figures count as %d uses of the database, want none", n)
	}
	if err := db.Exec(`SELECT 1`).Error; err != nil || noted.Load() == 0 {
		t.Errorf("a statement does not count as use of the database (%v), want one", err)
	}
}
