package auth

import (
	"testing"

	"github.com/resume-matcher/credits/services/fault"
)

func TestOnlyAVerifiedAddressOnTheListMakesAnAdmin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	admin := func(userID int64) bool {
		account, err := f.Account(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		return account.Admin
	}
	pretender := f.signInAs(t, unverified("p", "admin@example.com"))
	if admin(pretender.ID) {
		t.Error("unverified address: got an admin, want a user")
	}
	owner := f.signInAs(t, verified("a", "ADMIN@example.com"))
	if !admin(owner.ID) || admin(pretender.ID) {
		t.Errorf("verified address: got admin %v, pretender %v, want true, false", admin(owner.ID), admin(pretender.ID))
	}
	if user := f.signInAs(t, verified("u", ada)); admin(user.ID) {
		t.Error("another address: got an admin, want a user")
	}
	f.admins = nil // a restart with an empty list
	if admin(owner.ID) {
		t.Error("address removed from the list: got an admin, want a user")
	}
	f.admins = []string{"admin@example.com"}
	f.signInAs(t, profile{Subject: "a", Email: "admin@example.com"})
	if admin(owner.ID) {
		t.Error("address no longer verified: got an admin, want a user")
	}
}

func TestAccountReadsAUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", ada))
	account, err := f.Account(t.Context(), user.ID)
	if err != nil || account.User != user {
		t.Errorf("got account %+v, %v, want %+v", account, err, user)
	}
	if _, err := f.Account(t.Context(), user.ID+1); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown user: got %v, want not found", err)
	}
}
