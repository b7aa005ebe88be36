package auth

import (
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/user"
)

// guest creates an account as a payment without sign-in does, with 100 credits.
func (f fixture) guest(t *testing.T, email string) int64 {
	t.Helper()
	var id int64
	err := postgres.Transaction(t.Context(), f.db, func(tx models.Tx) (err error) {
		if id, err = user.FindOrCreate(tx, email); err != nil {
			return err
		}
		_, err = ledger.Post(tx, ledger.Entry{UserID: id, Delta: 100, Reason: models.ReasonManual,
			Meta: models.Meta{Actor: "operator"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wantAccount checks a user's address and credits, and the ledger.
func (f fixture) wantAccount(t *testing.T, userID int64, email string, credits models.Credits) {
	t.Helper()
	account, err := f.Account(t.Context(), userID)
	if err != nil || account.Email != email || account.CreditsBalance != credits {
		t.Errorf("user %d: got %q, %d credits (%v), want %q, %d credits",
			userID, account.Email, account.CreditsBalance, err, email, credits)
	}
	dbtest.CheckLedger(t, f.db)
}

func TestGuestCreditsGoToTheUserWithTheVerifiedAddress(t *testing.T) {
	t.Parallel()
	for name, verify := range map[string]func(t *testing.T, f fixture) (user int64, email string){
		"at the first sign-in": func(t *testing.T, f fixture) (int64, string) {
			f.guest(t, ada)
			return f.signInAs(t, verified("a", ada)).ID, ada
		},
		"after a change of address at the provider": func(t *testing.T, f fixture) (int64, string) {
			user := f.signInAs(t, verified("a", "old@example.com"))
			f.guest(t, ada)
			return user.ID, f.signInAs(t, verified("a", ada)).Email
		},
		"after linking an identity, beside their own address": func(t *testing.T, f fixture) (int64, string) {
			user := f.signInAs(t, verified("a", "own@example.com"))
			f.guest(t, ada)
			if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
				t.Error(err)
			}
			return user.ID, "own@example.com"
		},
		"once the provider verifies the address": func(t *testing.T, f fixture) (int64, string) {
			user := f.signInAs(t, unverified("a", ada))
			f.guest(t, ada)
			f.wantAccount(t, user.ID, "", 0) // unchanged by the payment
			f.signInAs(t, verified("a", ada))
			return user.ID, ada
		},
		"at the next sign-in after a payment": func(t *testing.T, f fixture) (int64, string) {
			user := f.signInAs(t, verified("a", "own@example.com"))
			if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
				t.Error(err)
			}
			if owner := f.guest(t, ada); owner != user.ID {
				t.Errorf("payment for a verified address: got user %d, want %d", owner, user.ID)
			}
			return user.ID, "own@example.com"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			user, email := verify(t, f)
			f.wantAccount(t, user, email, 100)
		})
	}
}

func TestUnverifiedAddressClaimsNoGuestCredits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	guest := f.guest(t, ada)
	user := f.signInAs(t, unverified("a", ada)).ID
	if _, err := f.tryToLink(t.Context(), user, unverified("b", ada)); err != nil {
		t.Fatal(err)
	}
	f.signInAs(t, unverified("b", ada))
	f.wantAccount(t, user, "", 0)
	f.wantAccount(t, guest, ada, 100)
}

func TestTwentyConcurrentSignInsClaimOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", "old@example.com")).ID
	f.guest(t, ada)
	if users := f.signInConcurrently(t, 20, func(int) profile { return verified("a", ada) }); len(users) != 1 {
		t.Errorf("got users %v, want one", users)
	}
	f.wantAccount(t, user, ada, 100)
}

func TestClaimWaitsForOpenHolds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user, guest := f.signInAs(t, verified("a", "old@example.com")).ID, f.guest(t, ada)
	hold := fmt.Sprintf(`WITH held AS (UPDATE users SET credits_held = 5 WHERE id = %[1]d)
		INSERT INTO holds (id, user_id, feature, credits, expires_at) VALUES (gen_random_uuid(), %[1]d, 'job_match', 5, now())`, guest)
	release := fmt.Sprintf(
		`WITH freed AS (UPDATE users SET credits_held = 0 WHERE id = %[1]d) UPDATE holds SET status = 'released' WHERE user_id = %[1]d`, guest)
	for _, step := range []struct {
		statement, email string
		credits          models.Credits
	}{{hold, "", 0}, {release, ada, 100}} {
		if err := f.db.Exec(step.statement).Error; err != nil {
			t.Fatal(err)
		}
		f.signInAs(t, verified("a", ada))
		f.wantAccount(t, user, step.email, step.credits)
	}
}

func TestClaimedAccountIsDeletedWithItsOwner(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", "old@example.com")).ID
	guest := f.guest(t, ada)
	f.signInAs(t, verified("a", ada))
	if err := f.Delete(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if n := f.count(t,
		`SELECT count(*) FROM users WHERE id IN (?, ?) AND deleted_at IS NOT NULL AND delete_after > current_date`, user,
		guest); n != 2 {
		t.Errorf("got %d deleted accounts, want 2", n)
	}
	dbtest.CheckLedger(t, f.db)
}

// Audit entries of sign-in and deletion name the request and its source.
func TestSignInAndDeletionAreAuditedWithRequestAndSource(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	f := newFixture(t)
	user := f.signInAs(t, verified("a", "old@example.com")).ID
	f.guest(t, ada)
	ctx := models.WithActor(t.Context(), models.Actor{RequestID: "req_1", Source: "0123456789abcdef"})
	for _, person := range []profile{verified("a", ada), verified("first", boss), {Subject: "first"},
		verified("second", boss)} {
		if _, err := f.trySignIn(ctx, person); err != nil {
			t.Fatal(err)
		}
		// free it for the next sign-in
		if err := f.db.Exec(`UPDATE users SET email = NULL WHERE email = ?`, boss).Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Delete(models.WithActor(ctx, models.Actor{UserID: user, RequestID: "req_1", Source: "0123456789abcdef"}),
		user); err != nil {
		t.Fatal(err)
	}
	for action, actor := range map[string]string{"account.claim": "system", "admin.refused": "system",
		"account.delete": "user"} {
		var entries []models.AuditEntry
		if err := f.db.Where("action = ?", action).Find(&entries).Error; err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 || entries[0].Actor != actor || entries[0].UserID == nil || entries[0].RequestID != "req_1" ||
			entries[0].Source != "0123456789abcdef" {
			t.Errorf("%s: got %+v, want one entry of the %s with request and source", action, entries, actor)
		}
	}
}
