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

// The rights follow the lists at the next request, and an admin's address makes no helper.
func TestAVerifiedAddressMakesAHelper(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.helpers = []string{ada, "admin@example.com"}
	right := func(userID int64) (admin, helper, staff bool) {
		account, err := f.Account(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		return account.Admin, account.Helper, account.Staff()
	}
	helper := f.signInAs(t, verified("a", ada))
	if admin, helps, staff := right(helper.ID); admin || !helps || !staff {
		t.Errorf("address in the list: got admin %t, helper %t, staff %t, want a helper", admin, helps, staff)
	}
	identities, err := f.Identities(t.Context(), helper.ID)
	if err != nil {
		t.Fatal(err)
	}
	if rights, err := f.AdminRights(t.Context(), identities); err != nil || rights[0] != HoldsRight {
		t.Errorf("right of the helper's identity: got %v, %v, want %v", rights, err, HoldsRight)
	}
	pretender := f.signInAs(t, profile{Subject: "p", Email: "other@example.com"})
	if _, helps, _ := right(pretender.ID); helps {
		t.Error("another address: got a helper, want a user")
	}
	f.helpers = nil
	if _, helps, staff := right(helper.ID); helps || staff {
		t.Error("address removed from the list: got a helper, want a user")
	}
	f.admins = []string{ada}
	if admin, _, _ := right(helper.ID); !admin {
		t.Error("address moved to the admins: got a user, want an admin")
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
