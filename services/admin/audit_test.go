package admin_test

import (
	"context"
	"fmt"
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
	for _, event := range []models.AuditEvent{
		{
			ActorID: boss.ID, Action: models.ActionCreditsGrant, UserID: ada.ID, RequestID: "req_1",
			Detail: map[string]any{"credits": 25, "note": "p1", "transaction_id": 99},
		},
		{
			ActorID: boss.ID, Action: models.ActionPurchaseRefund, UserID: ada.ID, RequestID: "req_2",
			Detail: map[string]any{"purchase_id": "p1"},
		},
		{Action: models.ActionKeyCreate, Detail: map[string]any{"key_id": "k1"}},
	} {
		if err := models.AppendAudit(models.Tx{DB: db}, event); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		q    admin.AuditQuery
		want int
	}{
		"the zero query":                {admin.AuditQuery{}, 3},
		"an action":                     {admin.AuditQuery{Action: "key.create"}, 1},
		"the actor's address":           {admin.AuditQuery{User: " ADMIN@example.com "}, 2},
		"the user's id":                 {admin.AuditQuery{User: strconv.FormatInt(ada.ID, 10)}, 2},
		"an id out of range":            {admin.AuditQuery{User: "99999999999999999999"}, 0},
		"half an address":               {admin.AuditQuery{User: "admin"}, 0},
		"a purchase, but not in a note": {admin.AuditQuery{Object: "p1"}, 1},
		"a ledger entry":                {admin.AuditQuery{Object: "99"}, 1},
		"a request":                     {admin.AuditQuery{Object: "req_2"}, 1},
		"the last hour":                 {admin.AuditQuery{From: time.Now().Add(-time.Hour)}, 3},
		"before the last hour":          {admin.AuditQuery{Until: time.Now().Add(-time.Hour)}, 0},
	} {
		c.q.Limit = 10
		entries, next, err := s.Audit(ctx, c.q)
		if err != nil || len(entries) != c.want || next != 0 {
			t.Errorf("%s: %d entries, next %d (%v); want %d and no next page", name, len(entries), next, err, c.want)
		}
	}
	first, next, err := s.Audit(ctx, admin.AuditQuery{Limit: 2})
	if err != nil || len(first) != 2 || next != first[1].ID {
		t.Fatalf("first page has %d entries and next %d (%v), want 2 and the id of the second", len(first), next, err)
	}
	rest, next, err := s.Audit(ctx, admin.AuditQuery{Limit: 2, Before: next})
	if err != nil || len(rest) != 1 || next != 0 {
		t.Errorf("second page has %d entries and next %d (%v), want 1 and 0", len(rest), next, err)
	}
	if of, err := s.AuditOf(ctx, ada.ID, 1); err != nil || len(of) != 1 || of[0].Action != "purchase.refund" {
		t.Errorf("newest entry of the user = %+v (%v), want purchase.refund", of, err)
	}
}

// The most credits of one grant can be given, and taken.
func TestLargestGrant(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ada := dbtest.User(t, db, "ada@example.com")
	for i, c := range []struct {
		delta models.Credits
		fits  bool
	}{{admin.MaxCredits, true}, {-admin.MaxCredits, true}, {admin.MaxCredits + 1, false}, {-admin.MaxCredits - 1, false}} {
		_, err := s.Grant(t.Context(), admin.Grant{UserID: ada.ID, Delta: c.delta, Note: "n", Key: fmt.Sprint(i)})
		if (err == nil) != c.fits || err != nil && fault.Of(err).Problem != fault.CreditsRange {
			t.Errorf("grant of %d credits: error = %v, want it booked: %t", c.delta, err, c.fits)
		}
	}
	dbtest.CheckLedger(t, db)
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
	for delta, want := range map[models.Credits]models.Credits{
		25: 125, -100: 0, admin.MaxCredits: admin.MaxCredits + 100,
	} {
		if _, after, err := s.Preview(ctx, admin.Grant{UserID: ada.ID, Delta: delta}); err != nil || after != want {
			t.Errorf("preview of %d = %d credits (%v), want %d", delta, after, err, want)
		}
	}
	for delta, want := range map[models.Credits]fault.Problem{
		0: fault.CreditsRange, admin.MaxCredits + 1: fault.CreditsRange, -admin.MaxCredits - 1: fault.CreditsRange,
		-101: fault.BelowZero,
	} {
		_, _, err := s.Preview(ctx, admin.Grant{UserID: ada.ID, Delta: delta})
		if fault.Of(err) == nil || fault.Of(err).Problem != want {
			t.Errorf("preview of %d: error = %v, want %s", delta, err, want)
		}
	}
	if _, _, err := s.Preview(ctx, admin.Grant{UserID: ada.ID + 1, Delta: 1}); !fault.Is(err, fault.NotFound) {
		t.Errorf("preview for an unknown user: error = %v, want not found", err)
	}
	if user, err := s.User(ctx, ada.ID); err != nil || user.CreditsBalance != 100 {
		t.Errorf("balance after previews = %d credits (%v), want 100", user.CreditsBalance, err)
	}
}
