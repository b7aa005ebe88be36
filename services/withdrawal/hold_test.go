package withdrawal_test

import (
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// bought is a purchase of 100 credits for €5.00 in the withdrawal period, some of which were used, and its buyer.
func (f *fixture) bought(used int, consent bool) withdrawal.Declaration {
	f.t.Helper()
	id, user := f.sold(claim{usedPercent: used, consent: consent}, f.now)
	return withdrawal.Declaration{UserID: user, PurchaseID: id.String(), Name: "Ada", Email: "ada@example.com",
		Contract: "100 Credits", Locale: "de", Key: id.String()}
}

func (f *fixture) declare(d withdrawal.Declaration) models.Withdrawal {
	f.t.Helper()
	w, err := f.Declare(f.t.Context(), d)
	if err != nil {
		f.t.Fatal(err)
	}
	return w
}

// spend takes ten credits for a feature.
func (f *fixture) spend(user int64) error {
	return postgres.Transaction(f.t.Context(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Post(tx, ledger.Entry{UserID: user, Delta: -10, Reason: models.ReasonResumeAnalysis})
		return err
	})
}

func (f *fixture) wantCredits(when string, user int64, balance, held models.Credits) {
	f.t.Helper()
	var u models.User
	if err := f.DB.Take(&u, user).Error; err != nil {
		f.t.Fatal(err)
	}
	if u.CreditsBalance != balance || u.CreditsHeld != held {
		f.t.Errorf("%s: balance %d with %d held, want %d with %d credits", when, u.CreditsBalance, u.CreditsHeld, balance,
			held)
	}
	dbtest.CheckLedger(f.t, f.DB)
}

// From the declaration on, unused credits are held; closing frees them, and undoing that holds them again.
func TestDeclarationHoldsUnusedCredits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.bought(40, true)
	w := f.declare(d)
	f.wantCredits("declared", d.UserID, 60, 60)
	if err := f.spend(d.UserID); !fault.Is(err, fault.InsufficientCredits) {
		t.Errorf("spend after the declaration: error = %v, want insufficient credits", err)
	}
	f.declare(d) // again
	f.wantCredits("declared twice", d.UserID, 60, 60)
	admin := dbtest.User(t, f.DB, "admin@example.com").ID
	for _, step := range []struct {
		name string
		do   func() error
		held models.Credits
	}{
		{"closed", func() error { return f.Close(t.Context(), w.ID.String(), admin, "") }, 0},
		{"closed twice", func() error { return f.Close(t.Context(), w.ID.String(), admin, "") }, 0},
		{"reopened", func() error { return f.Reopen(t.Context(), w.ID.String(), admin, "") }, 60},
		{"reopened twice", func() error { return f.Reopen(t.Context(), w.ID.String(), admin, "") }, 60},
		{"closed again", func() error { return f.Close(t.Context(), w.ID.String(), admin, "") }, 0},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		f.wantCredits(step.name, d.UserID, 60, step.held)
	}
	if err := f.spend(d.UserID); err != nil {
		t.Errorf("spend after the closing: %v", err)
	}
	if err := f.Reopen(t.Context(), w.ID.String(), admin, ""); err != nil {
		t.Fatal(err)
	}
	f.wantCredits("reopened after a spend", d.UserID, 50, 50)
}

// Spends and the declaration may come at the same time: each credit is spent, or held, and none both.
func TestSpendsBesideTheDeclaration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := f.bought(0, true)
	spent := make([]bool, 20)
	dbtest.Concurrently(len(spent), func(i int) {
		if i%4 == 0 {
			if _, err := f.Declare(t.Context(), d); err != nil {
				t.Errorf("declare: %v", err)
			}
			return
		}
		err := f.spend(d.UserID)
		if spent[i] = err == nil; err != nil && !fault.Is(err, fault.InsufficientCredits) {
			t.Errorf("spend: %v", err)
		}
	})
	balance := models.Credits(100)
	for _, took := range spent {
		if took {
			balance -= 10
		}
	}
	f.wantCredits("after all", d.UserID, balance, balance)
	var w models.Withdrawal
	if err := f.DB.Take(&w, "purchase_id = ?", d.PurchaseID).Error; err != nil || w.UsedCredits == nil ||
		*w.UsedCredits != 100-balance {
		t.Errorf("used credits of the withdrawal = %v (%v), want %d", w.UsedCredits, err, 100-balance)
	}
}

// Two purchases of one buyer are withdrawn from: no credit counts as unused in both.
func TestTwoWithdrawalsOfOneBuyer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, second := f.bought(40, true), f.bought(0, true)
	if err := f.DB.Exec(`UPDATE purchases SET user_id = ? WHERE id = ?`, first.UserID, second.PurchaseID).Error; err != nil {
		t.Fatal(err)
	}
	if err := postgres.Transaction(t.Context(), f.DB, func(tx models.Tx) error {
		_, err := ledger.Transfer(tx, second.UserID, first.UserID, 100, models.Meta{Actor: "system"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	second.UserID = first.UserID
	f.declare(first)
	f.wantCredits("the first declared", first.UserID, 160, 100)
	f.declare(second)
	f.wantCredits("the second declared", first.UserID, 160, 160)
}
