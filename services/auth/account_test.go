package auth

import (
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := func(userID int64) bool {
		account, err := f.Account(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		return account.Admin
	}
	pretender := f.arrive(t, unverified("p", "admin@example.com"))
	if admin(pretender.ID) {
		t.Error("an unverified address made an admin")
	}
	owner := f.arrive(t, verified("a", "ADMIN@example.com"))
	if !admin(owner.ID) || admin(pretender.ID) {
		t.Error("the verified address made no admin, or the pretender one")
	}
	if user := f.arrive(t, verified("u", ada)); admin(user.ID) {
		t.Error("an ordinary user is an admin")
	}
	f.admins = nil // as after a restart with an empty list
	if admin(owner.ID) {
		t.Error("taken off the list, and still an admin")
	}
	f.admins = []string{"admin@example.com"}
	f.arrive(t, profile{Subject: "a", Email: "admin@example.com"})
	if admin(owner.ID) {
		t.Error("the provider took its word back, and the right stayed")
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.arrive(t, verified("a", ada))
	account, err := f.Account(t.Context(), user.ID)
	if err != nil || account.User != user {
		t.Errorf("account = %+v, %v, want %+v", account, err, user)
	}
	if _, err := f.Account(t.Context(), user.ID+1); !fault.Is(err, fault.NotFound) {
		t.Errorf("error = %v, want not found", err)
	}
}
