package withdrawal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/withdrawal"
)

// declaration is a complete declaration of a signed-out consumer.
func declaration(key string) withdrawal.Declaration {
	return withdrawal.Declaration{
		Name: "Ada Lovelace", Email: " Ada@Example.com ", Contract: "500 Credits, gestern", Locale: "de", Key: key,
	}
}

func TestDeclare(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	id := f.purchase.String()
	own := declaration("own")
	own.UserID, own.PurchaseID = f.user.ID, id
	wantOpen := func(t *testing.T, want int64) {
		t.Helper()
		if n, err := f.CountOpen(ctx); err != nil || n != want {
			t.Errorf("%d open withdrawals (%v), want %d", n, err, want)
		}
	}
	t.Run("stores a signed-out consumer's declaration as sent", func(t *testing.T) {
		w, err := f.Declare(ctx, declaration("form"))
		if err != nil || w.Name != "Ada Lovelace" || w.Email != "ada@example.com" || w.UserID != nil || w.PurchaseID != nil ||
			!w.ReceivedAt.Equal(f.Now()) {
			t.Fatalf("withdrawal = %+v, %v; want the declared name and address, without user", w, err)
		}
		again, err := f.Declare(ctx, declaration("form"))
		if err != nil || again.ID != w.ID {
			t.Errorf("second post of the form = %s, %v; want %s", again.ID, err, w.ID)
		}
		corrected := declaration("form")
		corrected.Contract = "1200 Credits"
		other, err := f.Declare(ctx, corrected)
		if err != nil || other.ID == w.ID || other.Contract != "1200 Credits" {
			t.Errorf("corrected form = %+v, %v; want another declaration", other, err)
		}
		wantOpen(t, 2)
	})
	t.Run("stores one declaration per purchase and moves no credits", func(t *testing.T) {
		ids := make([]uuid.UUID, 20)
		dbtest.Concurrently(20, func(i int) {
			d := own
			d.Key = strings.Repeat("k", 1+i%3)
			w, err := f.Declare(context.Background(), d)
			if err != nil {
				t.Errorf("declare: %v", err)
			}
			ids[i] = w.ID
		})
		for _, got := range ids {
			if got != ids[0] || got == uuid.Nil {
				t.Errorf("withdrawals %s and %s of one purchase, want one", got, ids[0])
			}
		}
		wantOpen(t, 3)
		f.wantNoEntries()
		if w, err := f.OfPurchase(ctx, uuid.MustParse(id)); err != nil || w == nil || w.ID != ids[0] {
			t.Errorf("withdrawal of the purchase = %+v, %v; want %s", w, err, ids[0])
		}
	})
	t.Run("refuses a bad field by name", func(t *testing.T) {
		for field, change := range map[string]func(*withdrawal.Declaration){
			"name":     func(d *withdrawal.Declaration) { d.Name = " " },
			"email":    func(d *withdrawal.Declaration) { d.Email = "ada at example.com" },
			"contract": func(d *withdrawal.Declaration) { d.Contract = strings.Repeat("ü", 2001) },
		} {
			d := declaration("bad")
			change(&d)
			if _, err := f.Declare(ctx, d); fault.Of(err) == nil || fault.Of(err).Field != field {
				t.Errorf("error = %v, want field %s", err, field)
			}
		}
		wantOpen(t, 3)
	})
	t.Run("drops a purchase that is not the user's own", func(t *testing.T) {
		eve := dbtest.User(t, f.DB, "eve@example.com")
		for name, userID := range map[string]int64{"another user": eve.ID, "signed out": 0} {
			d := declaration(name)
			d.UserID, d.PurchaseID, d.Name = userID, id, name
			if w, err := f.Declare(ctx, d); err != nil || w.PurchaseID != nil {
				t.Errorf("%s: withdrawal = %+v, %v; want one without purchase", name, w, err)
			}
		}
		wantOpen(t, 5)
	})
	t.Run("closes once for concurrent admins", func(t *testing.T) {
		w, err := f.OfPurchase(ctx, uuid.MustParse(id))
		if err != nil {
			t.Fatal(err)
		}
		admin, other := dbtest.User(t, f.DB, "admin@example.com").ID, dbtest.User(t, f.DB, "other@example.com").ID
		dbtest.Concurrently(20, func(i int) {
			if err := f.Close(context.Background(), w.ID.String(), []int64{admin, other}[i%2], "req_1"); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		wantOpen(t, 4)
		rows, next, err := f.List(ctx, withdrawal.Cursor{}, 10)
		if err != nil || next != nil || len(rows) != 5 || rows[4].ID != w.ID || rows[4].HandledAt == nil ||
			rows[4].HandledBy == nil {
			t.Fatalf("withdrawals = %+v, %v; want 5, the closed one last", rows, err)
		}
		last := rows[4]
		var entries []models.AuditEntry
		err = f.DB.Where("action = 'withdrawal.close'").Find(&entries).Error
		if err != nil || len(entries) != 1 || entries[0].ActorID == nil || entries[0].UserID == nil ||
			*entries[0].ActorID != *last.HandledBy || *entries[0].UserID != *w.UserID || entries[0].RequestID != "req_1" ||
			!strings.Contains(string(entries[0].Detail), w.ID.String()) {
			t.Errorf("audit entries = %+v, %v; want one by admin %d", entries, err, *last.HandledBy)
		}
		if err := f.Close(ctx, uuid.NewString(), admin, ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("close an unknown withdrawal: error = %v, want not found", err)
		}
	})
}

func TestWithdrawable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.now = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, w := range map[string]struct {
		status models.PurchaseStatus
		age    time.Duration
		refund models.Credits
		want   bool
	}{
		"paid today":             {models.PurchasePaid, 0, 0, true},
		"awaiting payment":       {models.PurchaseAwaitingPayment, day, 0, true},
		"partly refunded":        {models.PurchasePaid, day, 499, true},
		"last day of the period": {models.PurchasePaid, 14*day + 10*time.Hour, 0, true},
		"after the period":       {models.PurchasePaid, 14*day + 14*time.Hour, 0, false},
		"fully refunded":         {models.PurchasePaid, day, 500, false},
		"never paid":             {models.PurchasePending, 0, 0, false},
		"failed payment":         {models.PurchaseFailed, 0, 0, false},
	} {
		p := models.Purchase{Status: w.status, CreatedAt: f.Now().Add(-w.age), CreditsRefunded: w.refund}
		if w.status == models.PurchasePaid {
			p.CreditsGranted = 500
		}
		if got := f.Withdrawable(p); got != w.want {
			t.Errorf("%s: withdrawable = %v, want %v", name, got, w.want)
		}
	}
}
