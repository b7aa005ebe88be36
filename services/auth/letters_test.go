package auth

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
)

// wantLetters checks the kinds and recipients of a user's letters.
func (f fixture) wantLetters(t *testing.T, when string, userID int64, want ...string) {
	t.Helper()
	var got []string
	err := f.db.Raw(`SELECT trim(kind || ' ' || recipient) FROM letters WHERE user_id = ? ORDER BY created_at, id`, userID).Scan(&got).Error
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: letters are %q (%v), want %q", when, got, err, want)
	}
}

// Whoever owns an account learns of each change of the ways into it, at the address from before the change.
func TestChangesOfSignInsAreTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", ada))
	for range 2 {
		if _, err := f.tryToLink(t.Context(), user.ID, verified("b", "other@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"identity_linked " + ada}
	f.wantLetters(t, "after linking twice", user.ID, want...)
	first := IdentityID(models.Identity{Issuer: "https://id.example.com", Subject: "a"})
	for range 2 {
		if err := f.Unlink(t.Context(), user.ID, first); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, "identity_unlinked "+ada)
	f.wantLetters(t, "after removing the sign-in whose address the account had", user.ID, want...)
	if err := f.Delete(t.Context(), user.ID); err != nil {
		t.Fatal(err)
	}
	// those of before keep what they are owed to; the newest goes to the address that the account had
	f.wantLetters(t, "after deleting the account", user.ID, append(want, "account_deleted other@example.com")...)
}

// The first sign-in from each kind of device sends one letter, except the user's very first sign-in.
func TestNewDevicesAreTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sessions := f.Sessions()
	open := func(device string) {
		t.Helper()
		f.clock.Add(time.Second)
		user := f.signInAs(t, verified("a", ada))
		_, err := sessions.Open(t.Context(), SignIn{User: user, Issuer: "https://id.example.com", Subject: "a"}, device)
		if err != nil {
			t.Fatal(err)
		}
	}
	open("Firefox, Linux")
	user := f.signInAs(t, verified("a", ada))
	f.wantLetters(t, "after the first sign-in", user.ID)
	open("Firefox, Linux")
	f.wantLetters(t, "on the same device", user.ID)
	for range 2 {
		open("Chrome, Android")
		f.wantLetters(t, "on another device", user.ID, "signed_in")
		if err := sessions.EndAll(t.Context(), user.ID); err != nil {
			t.Fatal(err)
		}
	}
	open("")
	f.wantLetters(t, "on an unknown device", user.ID, "signed_in", "signed_in")
	var keys []string
	if err := f.db.Raw(`SELECT key FROM letters ORDER BY created_at, id`).Scan(&keys).Error; err != nil ||
		keys[0] != fmt.Sprintf("%d Chrome, Android", user.ID) {
		t.Errorf("keys = %q (%v), want the user and the device", keys, err)
	}
}
