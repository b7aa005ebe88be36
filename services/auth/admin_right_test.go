package auth

import (
	"fmt"
	"slices"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

func TestAdminRightBelongsToAnIdentity(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	isAdmin := func(t *testing.T, f fixture, userID int64) bool {
		t.Helper()
		account, err := f.Account(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		return account.Admin
	}
	t.Run("goes to the first of twenty concurrent identities with the address", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		dbtest.Concurrently(20, func(i int) { _, _ = f.trySignIn(t.Context(), verified(fmt.Sprint("s", i), boss)) })
		if n := f.count(t, "SELECT count(*) FROM admin_identities"); n != 1 {
			t.Fatalf("got %d identities with the right, want 1", n)
		}
		if n := f.count(t, "SELECT count(*) FROM users WHERE ? = ANY ("+rightsSQL+")", boss); n != 1 {
			t.Errorf("got %d admins, want 1", n)
		}
	})
	t.Run("does not move with the address", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		first := f.signInAs(t, verified("2023", boss))
		f.signInAs(t, profile{Subject: "2023"}) // removed at the provider
		if err := f.db.Exec(`UPDATE users SET email = NULL WHERE id = ?`, first.ID).Error; err != nil {
			t.Fatal(err)
		}
		second := f.signInAs(t, verified("2026", boss))
		for range 2 {
			f.signInAs(t, verified("2026", boss))
		}
		if second.ID == first.ID || isAdmin(t, f, second.ID) {
			t.Error("second identity: got the right, want none")
		}
		if isAdmin(t, f, first.ID) {
			t.Error("first identity without the address: got the right, want none")
		}
		if n := f.count(t, "SELECT count(*) FROM audit_log WHERE action = 'admin.refused' AND user_id = ?",
			second.ID); n != 1 {
			t.Errorf("got %d audit entries, want 1", n)
		}
		identities, err := f.Identities(t.Context(), second.ID)
		if err != nil {
			t.Fatal(err)
		}
		if rights, err := f.AdminRights(t.Context(), identities); err != nil ||
			!slices.Equal(rights, []AdminRight{RightElsewhere}) {
			t.Errorf("got rights %v, %v, want elsewhere", rights, err)
		}
		by := ByAdmin{ActorID: first.ID, UserID: second.ID, Identity: IdentityID(identities[0])}
		if err := f.MoveAdminRight(t.Context(), by); err != nil || !isAdmin(t, f, second.ID) {
			t.Errorf("move: got %v, want an admin", err)
		}
		by.Identity = "another"
		if err := f.MoveAdminRight(t.Context(), by); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown identity: got %v, want not found", err)
		}
	})
	t.Run("goes to the next identity after a release", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		first := f.signInAs(t, verified("2023", boss))
		if err := f.db.Exec(`UPDATE users SET email = NULL WHERE id = ?`, first.ID).Error; err != nil {
			t.Fatal(err)
		}
		f.signInAs(t, profile{Subject: "2023"})
		for _, want := range []bool{true, false} {
			if released, err := ReleaseAdminRight(t.Context(), f.db, " Admin@example.com"); err != nil || released != want {
				t.Errorf("got released %v, %v, want %v", released, err, want)
			}
		}
		if second := f.signInAs(t, verified("2026", boss)); !isAdmin(t, f, second.ID) {
			t.Error("next identity: got no right, want it")
		}
		if rights, err := AdminIdentities(t.Context(), f.db); err != nil || len(rights) != 1 || rights[0].Subject != "2026" {
			t.Errorf("got rights %v, %v, want elsewhere", rights, err)
		}
	})
}

// The released identity showed the address first, and does not get the right back.
func TestReleasedAdminRightGoesToTheNextIdentity(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	f := newFixture(t)
	first, second := f.signInAs(t, verified("2023", boss)), f.signInAs(t, verified("2026", "new@example.com"))
	f.signInAs(t, verified("2026", boss)) // changed at the provider
	admins := func() (ids []int64) {
		t.Helper()
		if err := f.db.Raw("SELECT id FROM users WHERE ? = ANY ("+rightsSQL+") ORDER BY id",
			boss).Scan(&ids).Error; err != nil {
			t.Fatal(err)
		}
		return ids
	}
	if got := admins(); !slices.Equal(got, []int64{first.ID}) {
		t.Fatalf("got admins %v, want the first user", got)
	}
	if _, err := ReleaseAdminRight(t.Context(), f.db, boss); err != nil || len(admins()) != 0 {
		t.Fatalf("after the release: got admins %v, %v, want none", admins(), err)
	}
	f.signInAs(t, verified("2026", boss))
	f.signInAs(t, verified("2023", boss))
	if got := admins(); !slices.Equal(got, []int64{second.ID}) {
		t.Errorf("got admins %v, want %d, the first after the release", got, second.ID)
	}
	if f.emailOf(t, first.ID) != "" || f.emailOf(t, second.ID) != boss {
		t.Errorf("got addresses %q and %q, want none and %q", f.emailOf(t, first.ID), f.emailOf(t, second.ID), boss)
	}
}

// A sole admin with a new account at the provider is refused, and no other admin can relink them.
func TestReleaseLetsARefusedSoleAdminIn(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	f := newFixture(t)
	old := f.signInAs(t, verified("2023", boss))
	if _, err := f.trySignIn(t.Context(), verified("2026", boss)); fault.Of(err) == nil {
		t.Fatalf("new identity: got %v, want a refusal", err)
	}
	if _, err := ReleaseAdminRight(t.Context(), f.db, boss); err != nil {
		t.Fatal(err)
	}
	renewed := f.signInAs(t, verified("2026", boss))
	if account, err := f.Account(t.Context(), renewed.ID); err != nil || renewed.ID == old.ID || !account.Admin {
		t.Errorf("got %+v, %v, want a new account with the right", account, err)
	}
	if again := f.signInAs(t, verified("2023", boss)); again.ID != old.ID || again.Email != "" {
		t.Errorf("old identity: got user %d with address %q, want user %d without one", again.ID, again.Email, old.ID)
	}
}
