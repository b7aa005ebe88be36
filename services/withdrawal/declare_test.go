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

// Declaration is one that is complete, by nobody who is signed in.
func declaration(key string) withdrawal.Declaration {
	return withdrawal.Declaration{Name: "Ada Lovelace", Email: " Ada@Example.com ", Contract: "500 Credits, gestern", Locale: "de", Key: key}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	c := newFixture(t)
	ctx := t.Context()
	id := c.purchase.String()
	own := declaration("own")
	own.UserID, own.PurchaseID = c.user.ID, id
	count := func(t *testing.T, want int64) {
		t.Helper()
		if n, err := c.CountOpen(ctx); err != nil || n != want {
			t.Errorf("%d open withdrawals (%v), want %d", n, err, want)
		}
	}
	t.Run("of a stranger is received as it was declared", func(t *testing.T) {
		w, err := c.Declare(ctx, declaration("form"))
		if err != nil || w.Name != "Ada Lovelace" || w.Email != "ada@example.com" || w.UserID != nil || w.PurchaseID != nil || !w.ReceivedAt.Equal(c.Now()) {
			t.Fatalf("withdrawal = %+v, %v", w, err)
		}
		again, err := c.Declare(ctx, declaration("form"))
		if err != nil || again.ID != w.ID {
			t.Errorf("the same form again = %s, %v; want %s", again.ID, err, w.ID)
		}
		corrected := declaration("form")
		corrected.Contract = "1200 Credits"
		if other, err := c.Declare(ctx, corrected); err != nil || other.ID == w.ID || other.Contract != "1200 Credits" {
			t.Errorf("the corrected form = %+v, %v; want it received as well", other, err)
		}
		count(t, 2)
	})
	t.Run("of a purchase moves no credits and stands once", func(t *testing.T) {
		ids := make([]uuid.UUID, 20)
		dbtest.Concurrently(20, func(i int) {
			d := own
			d.Key = strings.Repeat("k", 1+i%3)
			w, err := c.Declare(context.Background(), d)
			if err != nil {
				t.Errorf("withdraw: %v", err)
			}
			ids[i] = w.ID
		})
		for _, got := range ids {
			if got != ids[0] || got == uuid.Nil {
				t.Errorf("withdrawals %s and %s of one purchase", got, ids[0])
			}
		}
		count(t, 3)
		c.wantNoEntries()
		if w, err := c.OfPurchase(ctx, uuid.MustParse(id)); err != nil || w == nil || w.ID != ids[0] {
			t.Errorf("withdrawal of the purchase = %+v, %v", w, err)
		}
	})
	t.Run("is refused with the field that is wrong", func(t *testing.T) {
		for field, spoil := range map[string]func(*withdrawal.Declaration){
			"name":     func(d *withdrawal.Declaration) { d.Name = " " },
			"email":    func(d *withdrawal.Declaration) { d.Email = "ada at example.com" },
			"contract": func(d *withdrawal.Declaration) { d.Contract = strings.Repeat("ü", 2001) },
		} {
			d := declaration("spoiled")
			spoil(&d)
			if _, err := c.Declare(ctx, d); fault.Of(err) == nil || fault.Of(err).Field != field {
				t.Errorf("error = %v, want the field %s", err, field)
			}
		}
		count(t, 3)
	})
	t.Run("of a purchase that is not theirs is received without it", func(t *testing.T) {
		for name, userID := range map[string]int64{"foreign": dbtest.User(t, c.DB, "eve@example.com").ID, "signed out": 0} {
			d := declaration(name)
			d.UserID, d.PurchaseID, d.Name = userID, id, name
			if w, err := c.Declare(ctx, d); err != nil || w.PurchaseID != nil {
				t.Errorf("%s: %+v, %v; want it received as anybody's", name, w, err)
			}
		}
		count(t, 5)
	})
	t.Run("is closed by a person, once", func(t *testing.T) {
		w, err := c.OfPurchase(ctx, uuid.MustParse(id))
		if err != nil {
			t.Fatal(err)
		}
		admin, other := dbtest.User(t, c.DB, "admin@example.com").ID, dbtest.User(t, c.DB, "other@example.com").ID
		dbtest.Concurrently(20, func(i int) {
			if err := c.Close(context.Background(), w.ID.String(), []int64{admin, other}[i%2], "req_1"); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		count(t, 4)
		rows, next, err := c.List(ctx, withdrawal.Cursor{}, 10)
		if err != nil || next != nil || len(rows) != 5 || rows[4].ID != w.ID || rows[4].HandledAt == nil || rows[4].HandledBy == nil {
			t.Fatalf("withdrawals = %+v, %v; want the closed one last", rows, err)
		}
		last := rows[4]
		var deeds []models.AuditEntry
		if err := c.DB.Where("action = 'withdrawal.close'").Find(&deeds).Error; err != nil || len(deeds) != 1 || deeds[0].ActorID == nil || deeds[0].UserID == nil ||
			*deeds[0].ActorID != *last.HandledBy || *deeds[0].UserID != *w.UserID || deeds[0].RequestID != "req_1" || !strings.Contains(string(deeds[0].Detail), w.ID.String()) {
			t.Errorf("the audit log has %+v, %v; want the one who closed it, once", deeds, err)
		}
		if err := c.Close(ctx, uuid.NewString(), admin, ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("error = %v, want not found", err)
		}
	})
}

func TestWithdrawable(t *testing.T) {
	t.Parallel()
	c := newFixture(t)
	day := 24 * time.Hour
	for name, w := range map[string]struct {
		status models.PurchaseStatus
		age    time.Duration
		taken  models.Credits
		want   bool
	}{
		"a paid one of today":          {models.PurchasePaid, 0, 0, true},
		"one that waits for its bank":  {models.PurchaseAwaitingPayment, day, 0, true},
		"one in part given back":       {models.PurchasePaid, day, 499, true},
		"one of the last day":          {models.PurchasePaid, 15*day - time.Second, 0, true},
		"not one that is too old":      {models.PurchasePaid, 15 * day, 0, false},
		"not one that was given back":  {models.PurchasePaid, day, 500, false},
		"not one that was never paid":  {models.PurchasePending, 0, 0, false},
		"not one whose payment failed": {models.PurchaseFailed, 0, 0, false},
	} {
		p := models.Purchase{Status: w.status, CreatedAt: c.Now().Add(-w.age), CreditsRefunded: w.taken}
		if w.status == models.PurchasePaid {
			p.CreditsGranted = 500
		}
		if got := c.Withdrawable(p); got != w.want {
			t.Errorf("%s: withdrawable = %v", name, got)
		}
	}
}
