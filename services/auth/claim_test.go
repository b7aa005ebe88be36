package auth

import (
	"fmt"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
)

// guest is an account that a payment made for an address, with 100 credits on it.
func (f fixture) guest(t *testing.T, email string) int64 {
	t.Helper()
	var id int64
	err := postgres.Transaction(t.Context(), f.db, func(tx models.Tx) (err error) {
		if id, err = ledger.Account(tx, email); err != nil {
			return err
		}
		_, err = ledger.Post(tx, ledger.Entry{UserID: id, Delta: 100, Reason: models.ReasonManual, Meta: models.Meta{Actor: "operator"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// wants checks a user's address and credits, and the ledger.
func (f fixture) wants(t *testing.T, userID int64, email string, credits models.Credits) {
	t.Helper()
	account, err := f.Account(t.Context(), userID)
	if err != nil || account.Email != email || account.CreditsBalance != credits {
		t.Errorf("user %d has %q and %d credits (%v), want %q and %d", userID, account.Email, account.CreditsBalance, err, email, credits)
	}
	dbtest.CheckLedger(t, f.db)
}

func TestCreditsBoughtAsAGuestGoToWhoProvesTheAddress(t *testing.T) {
	t.Parallel()
	for is, prove := range map[string]func(t *testing.T, f fixture) (user int64, email string){
		"by signing in for the first time": func(t *testing.T, f fixture) (int64, string) {
			f.guest(t, ada)
			return f.arrive(t, verified("a", ada)).ID, ada
		},
		"by changing the address at the provider": func(t *testing.T, f fixture) (int64, string) {
			user := f.arrive(t, verified("a", "old@example.com"))
			f.guest(t, ada)
			return user.ID, f.arrive(t, verified("a", ada)).Email
		},
		"by adding a sign-in, beside an address of their own": func(t *testing.T, f fixture) (int64, string) {
			user := f.arrive(t, verified("a", "own@example.com"))
			f.guest(t, ada)
			if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
				t.Error(err)
			}
			return user.ID, "own@example.com"
		},
		"when the provider begins to verify it": func(t *testing.T, f fixture) (int64, string) {
			user := f.arrive(t, unverified("a", ada))
			f.guest(t, ada)
			f.wants(t, user.ID, "", 0) // somebody's payment takes nothing from them, and gives nothing
			f.arrive(t, verified("a", ada))
			return user.ID, ada
		},
		"by signing in again, after a payment that came in between": func(t *testing.T, f fixture) (int64, string) {
			user := f.arrive(t, verified("a", "own@example.com"))
			if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
				t.Error(err)
			}
			if holder := f.guest(t, ada); holder != user.ID {
				t.Errorf("a payment for a verified address went to user %d, want %d", holder, user.ID)
			}
			return user.ID, "own@example.com"
		},
	} {
		t.Run(is, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			user, email := prove(t, f)
			f.wants(t, user, email, 100)
		})
	}
}

func TestNobodyElseGetsCreditsBoughtAsAGuest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	guest := f.guest(t, ada)
	user := f.arrive(t, unverified("a", ada)).ID
	if _, err := f.tryToLink(t.Context(), user, unverified("b", ada)); err != nil {
		t.Fatal(err)
	}
	f.arrive(t, unverified("b", ada))
	f.wants(t, user, "", 0)
	f.wants(t, guest, ada, 100)
}

func TestTwentySignInsClaimOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.arrive(t, verified("a", "old@example.com")).ID
	f.guest(t, ada)
	if users := f.together(t, 20, func(int) profile { return verified("a", ada) }); len(users) != 1 {
		t.Errorf("users = %v, want one", users)
	}
	f.wants(t, user, ada, 100)
}

func TestClaimWaitsWhileCreditsAreReserved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user, guest := f.arrive(t, verified("a", "old@example.com")).ID, f.guest(t, ada)
	hold := fmt.Sprintf(`WITH held AS (UPDATE users SET credits_held = 5 WHERE id = %[1]d)
		INSERT INTO holds (id, user_id, feature, credits, expires_at) VALUES (gen_random_uuid(), %[1]d, 'job_match', 5, now())`, guest)
	release := fmt.Sprintf(`WITH freed AS (UPDATE users SET credits_held = 0 WHERE id = %[1]d) UPDATE holds SET status = 'released' WHERE user_id = %[1]d`, guest)
	for _, step := range []struct {
		statement, email string
		credits          models.Credits
	}{{hold, "", 0}, {release, ada, 100}} {
		if err := f.db.Exec(step.statement).Error; err != nil {
			t.Fatal(err)
		}
		f.arrive(t, verified("a", ada))
		f.wants(t, user, step.email, step.credits)
	}
}

func TestWhatWasClaimedGoesWithTheAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.arrive(t, verified("a", "old@example.com")).ID
	guest := f.guest(t, ada)
	f.arrive(t, verified("a", ada))
	if err := f.Delete(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if n := f.count(t, `SELECT count(*) FROM users WHERE id IN (?, ?) AND deleted_at IS NOT NULL AND delete_after > current_date`, user, guest); n != 2 {
		t.Errorf("%d of the 2 accounts were deleted", n)
	}
	dbtest.CheckLedger(t, f.db)
}

// Whatever signing in and leaving write to the audit log says in which request, and from where.
func TestSignInAndDeletionAreAuditedWithTheirSender(t *testing.T) {
	t.Parallel()
	const boss = "admin@example.com"
	f := newFixture(t)
	user := f.arrive(t, verified("a", "old@example.com")).ID
	f.guest(t, ada)
	ctx := models.WithActor(t.Context(), models.Actor{RequestID: "req_1", Source: "0123456789abcdef"})
	for _, who := range []profile{verified("a", ada), verified("first", boss), {Subject: "first"}, verified("second", boss)} {
		if _, err := f.tryToArrive(ctx, who); err != nil {
			t.Fatal(err)
		}
		if err := f.db.Exec(`UPDATE users SET email = NULL WHERE email = ?`, boss).Error; err != nil { // free for the next
			t.Fatal(err)
		}
	}
	if err := f.Delete(models.WithActor(ctx, models.Actor{UserID: user, RequestID: "req_1", Source: "0123456789abcdef"}), user); err != nil {
		t.Fatal(err)
	}
	for action, actor := range map[string]string{"account.claim": "system", "admin.refused": "system", "account.delete": "user"} {
		var lines []models.AuditEntry
		if err := f.db.Where("action = ?", action).Find(&lines).Error; err != nil {
			t.Fatal(err)
		}
		if len(lines) != 1 || lines[0].Actor != actor || lines[0].UserID == nil || lines[0].RequestID != "req_1" || lines[0].Source != "0123456789abcdef" {
			t.Errorf("%s: %+v, want one line of the %s, with the request and the sender", action, lines, actor)
		}
	}
}
