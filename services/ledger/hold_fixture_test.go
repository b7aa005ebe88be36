package ledger_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// hold makes a hold and fails the test if the ledger refuses it.
func hold(t *testing.T, db *gorm.DB, op ledger.HoldOp) ledger.Held {
	t.Helper()
	held, err := tryHold(t, db, op)
	if err != nil {
		t.Fatalf("hold: %v", err)
	}
	return held
}

func tryHold(t *testing.T, db *gorm.DB, op ledger.HoldOp) (ledger.Held, error) {
	t.Helper()
	op.ID = uuid.Must(uuid.NewV7())
	if op.TTL == 0 {
		op.TTL = time.Minute
	}
	err := apply(t, db, &op)
	return op.Held, err
}

// apply applies one operation in a transaction of its own.
func apply(t *testing.T, db *gorm.DB, op ledger.Op) error {
	t.Helper()
	return postgres.Transaction(t.Context(), db, func(tx models.Tx) error { return applyIn(tx, op) })
}

// applyIn applies one operation and returns the fault that refused it.
func applyIn(tx models.Tx, op ledger.Op) error {
	if err := ledger.Apply(tx, op); err != nil {
		return err
	}
	return op.Err()
}

// spend returns the operation that charges a feature's price.
func spend(user int64, feature models.Reason, key string) *ledger.PostOp {
	return &ledger.PostOp{Entry: ledger.Entry{UserID: user, Reason: feature, Meta: models.Meta{IdempotencyKey: key}}}
}

func capture(t *testing.T, db *gorm.DB, held ledger.Held, credits *models.Credits) (ledger.Held, error) {
	t.Helper()
	op := &ledger.CaptureOp{UserID: held.UserID, ID: held.ID, Credits: credits}
	err := apply(t, db, op)
	return op.Held, err
}

func release(t *testing.T, db *gorm.DB, held ledger.Held) (ledger.Held, error) {
	t.Helper()
	op := &ledger.ReleaseOp{UserID: held.UserID, ID: held.ID}
	err := apply(t, db, op)
	return op.Held, err
}

// wantCredits checks a user's balance and held credits.
func wantCredits(t *testing.T, db *gorm.DB, userID int64, balance, held models.Credits) {
	t.Helper()
	var user models.User
	if err := db.Take(&user, "id = ?", userID).Error; err != nil {
		t.Fatal(err)
	}
	if user.CreditsBalance != balance || user.CreditsHeld != held {
		t.Errorf("balance = %d, held = %d credits; want %d and %d", user.CreditsBalance, user.CreditsHeld, balance, held)
	}
}

func amount(n models.Credits) *models.Credits { return &n }

// overdue moves a hold's expiry into the past. The database's trigger allows no other change of its terms.
func overdue(t *testing.T, db *gorm.DB, id uuid.UUID) {
	t.Helper()
	if err := db.Exec(`UPDATE holds SET expires_at = now() - interval '1 second' WHERE id = ?`, id).Error; err != nil {
		t.Fatal(err)
	}
}

func rich(t *testing.T, db *gorm.DB, email string, credits models.Credits) int64 {
	t.Helper()
	user := dbtest.User(t, db, email)
	mustPost(t, db, ledger.Entry{UserID: user.ID, Delta: credits, Reason: models.ReasonManual})
	return user.ID
}
