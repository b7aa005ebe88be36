package admin_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestGrant(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	boss, ada := dbtest.User(t, db, "admin@example.com"), dbtest.User(t, db, "ada@example.com")
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	grant := func(delta models.Credits, note, key string) (models.Credits, error) {
		posted, err := s.Grant(ctx, admin.Grant{
			ActorID: boss.ID, UserID: ada.ID, Delta: delta, Note: note, Key: key, RequestID: "req_1",
		})
		return posted.BalanceAfter, err
	}

	t.Run("books credits with actor and reason", func(t *testing.T) {
		if balance, err := grant(25, "  welcome ", "k1"); err != nil || balance != 25 {
			t.Fatalf("grant = %d credits, %v; want 25", balance, err)
		}
		var row models.CreditTransaction
		if err := db.Where("user_id = ?", ada.ID).Take(&row).Error; err != nil {
			t.Fatal(err)
		}
		if row.Reason != models.ReasonManual || row.Meta.Note != "welcome" || row.Meta.Actor != "user:1" {
			t.Errorf("entry = %s %+v, want reason manual with note and actor", row.Reason, row.Meta)
		}
		entries, _, err := s.Audit(ctx, admin.AuditQuery{Limit: 10})
		if err != nil || len(entries) != 1 || entries[0].Action != "credits.grant" || *entries[0].ActorID != boss.ID ||
			entries[0].RequestID != "req_1" {
			t.Errorf("audit = %+v, %v; want one grant by the admin", entries, err)
		}
	})
	t.Run("corrects a balance down to zero but not below", func(t *testing.T) {
		if _, err := grant(-26, "too much", "k2"); fault.Of(err) == nil || fault.Of(err).Problem != fault.BelowZero {
			t.Errorf("error = %v, want below zero", err)
		}
		if balance, err := grant(-25, "too much", "k3"); err != nil || balance != 0 {
			t.Errorf("correction = %d credits, %v; want 0", balance, err)
		}
	})
	t.Run("refuses bad input", func(t *testing.T) {
		for name, c := range map[string]struct {
			delta     models.Credits
			note, key string
		}{
			"0 credits":           {0, "x", "k"},
			"100,001 credits":     {100_001, "x", "k"},
			"-100,001 credits":    {-100_001, "x", "k"},
			"an empty reason":     {5, " ", "k"},
			"a reason too long":   {5, strings.Repeat("x", 501), "k"},
			"an empty key":        {5, "x", ""},
			"a key with NUL byte": {5, "x", "\x00"},
		} {
			if _, err := grant(c.delta, c.note, c.key); fault.Of(err) == nil {
				t.Errorf("%s: error = %v, want a fault", name, err)
			}
		}
		_, err := s.Grant(ctx, admin.Grant{ActorID: boss.ID, UserID: 9999, Delta: 5, Note: "x", Key: "k"})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown user: error = %v, want not found", err)
		}
	})
	t.Run("books one grant for twenty concurrent posts of one form", func(t *testing.T) {
		dbtest.Concurrently(20, func(int) {
			if balance, err := grant(7, "bonus", "twenty"); err != nil || balance != 7 {
				t.Errorf("grant = %d credits, %v; want 7", balance, err)
			}
		})
		entries, _, err := s.Audit(ctx, admin.AuditQuery{Limit: 50})
		if err != nil || len(entries) != 3 {
			t.Errorf("%d audit entries (%v), want 3: one per booking", len(entries), err)
		}
	})
	t.Run("two admins grant each other credits without a deadlock", func(t *testing.T) {
		dbtest.Concurrently(20, func(i int) {
			from, to := boss.ID, ada.ID
			if i%2 == 1 {
				from, to = to, from
			}
			_, err := s.Grant(ctx, admin.Grant{
				ActorID: from, UserID: to, Delta: 1, Note: "thanks", Key: fmt.Sprintf("cross %d", i),
			})
			if err != nil {
				t.Errorf("grant from %d to %d: %v", from, to, err)
			}
		})
	})
	dbtest.CheckLedger(t, db)
}

// A name is found as it stands and in any order, whatever the length of its words.
func TestFindUsersByShortWords(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	for email, name := range map[string]string{"av@example.net": "Anna de Vries", "wl@example.net": "Wei Li",
		"mx@example.net": "Malcolm X", "abc@example.net": "C A B"} {
		if err := db.Exec(`UPDATE users SET name = ? WHERE id = ?`, name, dbtest.User(t, db, email).ID).Error; err != nil {
			t.Fatal(err)
		}
	}
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	for typed, want := range map[string]int{
		"Anna de Vries": 1, "vries DE": 1, "wei li": 1, "li wei": 1, "li": 0, "Malcolm X": 1, "x mal": 1, "c a b": 1,
		"vries ri": 0, "ol Malcolm": 0, "wl example": 1, "a": 2, "net av": 1,
	} {
		found, _, err := s.Users(context.Background(), admin.UserQuery{Text: typed, Order: admin.ByJoined, Limit: 20})
		if err != nil || len(found) != want {
			t.Errorf("%q finds %d users (%v), want %d", typed, len(found), err, want)
		}
	}
}

func TestFindUsers(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	ada := dbtest.User(t, db, "ada@example.com")
	dbtest.User(t, db, "adam@example.com")
	bob := dbtest.User(t, db, "bob@example.com")
	err := db.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified)
		VALUES ('i', 's', @bob, 'oidc', 'robert@example.com', false), ('i', 'v', @bob, 'oidc', 'bob@example.com', true),
			('i', 'w', @bob, 'oidc', 'rob@example.com', true)`,
		map[string]any{"bob": bob.ID}).Error
	if err != nil {
		t.Fatal(err)
	}
	s := &admin.Service{DB: db, Log: slog.New(slog.DiscardHandler)}
	for typed, want := range map[string]int{
		" ADA": 2, "ada@example.com": 1, "ada@example.com.": 1, "robert": 1, "100%": 0, "_da": 0, "": 3, "a\x00": 0,
		"example.com": 3, "DAM@ex": 1, "obert@": 1, "a": 2, "AD": 2, "d": 0, "m": 0, "%": 0, "_": 0, "'": 0, `\`: 0, "com  ": 3,
		"com ad": 2, "example.com  bob": 1, "ada bob": 0, "com ADA a": 2, "com com com com com ada": 2,
		"com com com com com ada com": 0, // more than five words: the rest as it stands
	} {
		found, _, err := s.Users(context.Background(), admin.UserQuery{Text: typed, Order: admin.ByJoined, Limit: 20})
		if err != nil || len(found) != want {
			t.Errorf("%q finds %d users (%v), want %d", typed, len(found), err, want)
		}
	}
	found, _, err := s.Users(context.Background(), admin.UserQuery{Text: "robert", Order: admin.ByJoined, Limit: 20})
	if err != nil || found[0].Claimed != "robert@example.com" {
		t.Errorf("found %+v (%v), want the unverified address robert@example.com", found, err)
	}
	for typed, want := range map[string]int64{
		"ADA@example.com.": ada.ID, "bob@example.com": bob.ID, "rob@example.com": bob.ID,
	} {
		if user, err := s.UserByEmail(context.Background(), typed); err != nil || user.ID != want {
			t.Errorf("user by %q = %d, %v; want %d", typed, user.ID, err, want)
		}
	}
	// The first address is not verified.
	for _, typed := range []string{"robert@example.com", "\u212aarla@example.com", "", "unknown@example.com"} {
		if user, err := s.UserByEmail(context.Background(), typed); !fault.Is(err, fault.NotFound) {
			t.Errorf("user by %+q = %d, %v; want not found", typed, user.ID, err)
		}
	}
}
