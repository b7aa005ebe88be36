package gate_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/account"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/gate"
	"github.com/resume-matcher/credits/services/gate/routes"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/spend"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fixture is a user with 100 credits and two replicas of the gate, the second behind a pooler.
type fixture struct {
	*testing.T
	db       *gorm.DB
	replicas [2]*gate.Service
	spend    *spend.Service
	user     int64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := dbtest.New(t)
	pooled, err := postgres.Open(dbtest.URLOf(db)+"&pgbouncer=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = postgres.Close(pooled) })
	f := &fixture{T: t, db: db, replicas: [2]*gate.Service{{DB: db}, {DB: pooled}},
		spend: &spend.Service{DB: db, Log: slog.New(slog.DiscardHandler)},
		user:  dbtest.User(t, db, "ada@example.com").ID}
	f.grant(100)
	return f
}

// grant gives credits, or takes them.
func (f *fixture) grant(credits models.Credits) {
	f.Helper()
	f.must(postgres.Transaction(f.Context(), f.db, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: f.user, Delta: credits, Reason: models.ReasonManual})
		return err
	}))
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) exec(statement string, args ...any) {
	f.Helper()
	f.must(f.db.Exec(statement, args...).Error)
}

// rows counts the rows of a table.
func (f *fixture) rows(table string) (n int64) {
	f.Helper()
	f.must(f.db.Table(table).Count(&n).Error)
	return n
}

// hold makes a hold of 5 credits.
func (f *fixture) hold() ledger.Held {
	f.Helper()
	held, err := f.spend.Hold(f.Context(),
		spend.HoldRequest{Request: spend.Request{UserID: f.user, Feature: "job_match"}, TTL: time.Minute})
	f.must(err)
	return held
}

func (f *fixture) capture(held ledger.Held) {
	f.Helper()
	_, err := f.spend.Capture(f.Context(), uuid.Nil, held.ID.String(), nil)
	f.must(err)
}

func (f *fixture) accounts() *account.Service {
	return &account.Service{DB: f.db, Now: time.Now, Log: f.spend.Log,
		Purchase: &purchase.Service{DB: f.db, Now: time.Now, Log: f.spend.Log}}
}

// The tenant id names the user's resumes, so it stays until Resume Matcher has deleted them. Passes end with their
// holds.
func TestDeletedAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.replicas[0]
	accounts := f.accounts()
	_, err := s.TenantID(t.Context(), f.user)
	f.must(err)
	for range 2 {
		held := f.hold()
		f.must(s.OpenPass(t.Context(), held.ID, f.user, routes.Pass{Name: "confirm", Uses: 3, Lifetime: time.Hour}))
		if f.rows("gate_passes") == 1 {
			f.capture(held)
		}
	}
	f.must(accounts.Delete(t.Context(), f.user))
	f.must(accounts.EraseDue(t.Context()))
	if ids, passes := f.rows("gate_users"), f.rows("gate_passes"); ids != 1 || passes != 0 {
		t.Errorf("%d tenant ids and %d passes after the erasure, want 1 and 0", ids, passes)
	}
	if _, err := s.TenantID(t.Context(), f.user); !fault.Is(err, fault.NotFound) {
		t.Errorf("tenant id of a deleted account: error = %v, want not found", err)
	}
	dbtest.CheckLedger(t, f.db)
}
