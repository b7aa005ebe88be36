package admin_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

func TestAuditByFilter(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	boss, ada := dbtest.User(t, db, "admin@example.com"), dbtest.User(t, db, "ada@example.com")
	write := func(deed models.AuditEvent) {
		t.Helper()
		if err := models.AppendAudit(models.Tx{DB: db}, deed); err != nil {
			t.Fatal(err)
		}
	}
	write(models.AuditEvent{ActorID: boss.ID, Action: models.ActionCreditsGrant, UserID: ada.ID, Detail: map[string]any{"credits": 25, "note": "p1", "transaction_id": 99}, RequestID: "req_1"})
	write(models.AuditEvent{ActorID: boss.ID, Action: models.ActionPurchaseRefund, UserID: ada.ID, Detail: map[string]any{"purchase_id": "p1"}, RequestID: "req_2"})
	write(models.AuditEvent{Action: models.ActionKeyCreate, Detail: map[string]any{"key_id": "k1"}})
	for name, c := range map[string]struct {
		q    admin.AuditQuery
		want int
	}{
		"everything":                  {admin.AuditQuery{}, 3},
		"an action":                   {admin.AuditQuery{Action: "key.create"}, 1},
		"who did it, by address":      {admin.AuditQuery{User: " ADMIN@example.com "}, 2},
		"whom it was for, by number":  {admin.AuditQuery{User: strconv.FormatInt(ada.ID, 10)}, 2},
		"nobody":                      {admin.AuditQuery{User: "99999999999999999999"}, 0},
		"half an address":             {admin.AuditQuery{User: "admin"}, 0},
		"a purchase, not its mention": {admin.AuditQuery{Object: "p1"}, 1},
		"a movement":                  {admin.AuditQuery{Object: "99"}, 1},
		"a request":                   {admin.AuditQuery{Object: "req_2"}, 1},
		"since an hour":               {admin.AuditQuery{From: time.Now().Add(-time.Hour)}, 3},
		"until an hour ago":           {admin.AuditQuery{Until: time.Now().Add(-time.Hour)}, 0},
	} {
		c.q.Limit = 10
		entries, next, err := s.Audit(ctx, c.q)
		if err != nil || len(entries) != c.want || next != 0 {
			t.Errorf("%s: %d lines (%v), want %d", name, len(entries), err, c.want)
		}
	}
	first, next, err := s.Audit(ctx, admin.AuditQuery{Limit: 2})
	if err != nil || len(first) != 2 || next != first[1].ID {
		t.Fatalf("a page has %d lines and leads to %d (%v)", len(first), next, err)
	}
	if rest, next, err := s.Audit(ctx, admin.AuditQuery{Limit: 2, Before: next}); err != nil || len(rest) != 1 || next != 0 {
		t.Errorf("the next page has %d lines and leads to %d (%v)", len(rest), next, err)
	}
	if of, err := s.AuditOf(ctx, ada.ID, 1); err != nil || len(of) != 1 || of[0].Action != "purchase.refund" {
		t.Errorf("the newest line for the user is %+v (%v)", of, err)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	ada := dbtest.User(t, db, "ada@example.com")
	if _, err := s.Grant(ctx, admin.Grant{UserID: ada.ID, Delta: 100, Note: "n", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	for delta, want := range map[models.Credits]models.Credits{25: 125, -100: 0, admin.MaxCredits: admin.MaxCredits + 100} {
		if after, err := s.Preview(ctx, admin.Grant{UserID: ada.ID, Delta: delta}); err != nil || after != want {
			t.Errorf("%d leads to %d credits (%v), want %d", delta, after, err, want)
		}
	}
	for delta, want := range map[models.Credits]fault.Problem{0: fault.CreditsRange, admin.MaxCredits + 1: fault.CreditsRange, -admin.MaxCredits - 1: fault.CreditsRange, -101: fault.BelowZero} {
		if _, err := s.Preview(ctx, admin.Grant{UserID: ada.ID, Delta: delta}); fault.Of(err) == nil || fault.Of(err).Problem != want {
			t.Errorf("%d: %v, want %s", delta, err, want)
		}
	}
	if _, err := s.Preview(ctx, admin.Grant{UserID: ada.ID + 1, Delta: 1}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody's balance: %v, want not found", err)
	}
	if user, err := s.User(ctx, ada.ID); err != nil || user.CreditsBalance != 100 {
		t.Errorf("the balance is %d credits (%v), want 100: nothing has been booked", user.CreditsBalance, err)
	}
}
