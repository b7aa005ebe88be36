package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/address"
	"github.com/resume-matcher/credits/services/fault"
)

const ada = "ada@example.com"

func verified(subject, email string) profile {
	return profile{Subject: subject, Email: email, EmailVerified: true, Name: "Ada"}
}

func unverified(subject, email string) profile {
	return profile{Subject: subject, Email: email, Name: "Eve"}
}

func TestFirstSignInCreatesAUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", " Ada@Example.com "))
	if user.Email != ada || user.Name != "Ada" || user.Locale != "de" || user.CreditsBalance != 0 ||
		!user.CreatedAt.Equal(f.clock.Now()) {
		t.Errorf("got user %+v", user)
	}
	identities, err := f.Identities(t.Context(), user.ID)
	if err != nil || len(identities) != 1 {
		t.Fatalf("got identities %v, %v, want one", identities, err)
	}
	got := identities[0]
	want := models.Identity{
		Issuer: "https://id.example.com", Subject: "a", UserID: user.ID, Provider: "oidc", Email: ada, EmailVerified: true,
		Name: "Ada", CreatedAt: got.CreatedAt, LastSignInAt: got.LastSignInAt,
	}
	if got != want || !got.LastSignInAt.Equal(f.clock.Now()) {
		t.Errorf("got identity %+v, want %+v", got, want)
	}
}

func TestKnownIdentityKeepsItsUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", ada))
	f.clock.Add(time.Hour)
	again := f.signInAs(t, profile{Subject: "a", Email: "other@example.com", Name: "Ada L."})
	if again.ID != user.ID {
		t.Errorf("got user %d, want %d", again.ID, user.ID)
	}
	if again.Email != "" {
		t.Errorf("got address %q, want none: it is not verified", again.Email)
	}
	identities, err := f.Identities(t.Context(), user.ID)
	if err != nil || len(identities) != 1 {
		t.Fatalf("got identities %v, %v, want one", identities, err)
	}
	if i := identities[0]; i.Email != "other@example.com" || i.EmailVerified || i.Name != "Ada L." ||
		!i.LastSignInAt.Equal(f.clock.Now()) {
		t.Errorf("got identity %+v, want the new profile", i)
	}
}

func TestOnlyAVerifiedAddressOpensACheckoutsUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	paid := f.checkoutUser(t, ada)
	if squatter := f.signInAs(t, unverified("s", ada)); squatter.ID == paid || squatter.Email != "" {
		t.Errorf("unverified: got user %d with address %q, want a new one without", squatter.ID, squatter.Email)
	}
	owner := f.signInAs(t, verified("a", ada))
	if owner.ID != paid {
		t.Errorf("verified: got user %d, want %d", owner.ID, paid)
	}
	if owner.Name != "Ada" || owner.Locale != "de" {
		t.Errorf("got name %q and locale %q, want Ada and de", owner.Name, owner.Locale)
	}
}

func TestUnverifiedAddressStaysWithTheIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	squatter := f.signInAs(t, unverified("s", ada))
	if squatter.Email != "" {
		t.Errorf("got address %q, want none", squatter.Email)
	}
	identities, err := f.Identities(t.Context(), squatter.ID)
	if err != nil || len(identities) != 1 || identities[0].Email != ada || identities[0].EmailVerified {
		t.Errorf("got identities %+v, %v, want one with the unverified address", identities, err)
	}
	owner := f.signInAs(t, verified("a", ada))
	if owner.ID == squatter.ID || owner.Email != ada {
		t.Errorf("owner: got user %d with address %q, want a new user with it", owner.ID, owner.Email)
	}
	if again := f.signInAs(t, unverified("s", ada)); again.ID != squatter.ID || again.Email != "" {
		t.Errorf("squatter: got user %d with address %q, want their own without one", again.ID, again.Email)
	}
}

func TestUnverifiedAddressOpensNoAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	owner := f.signInAs(t, verified("a", ada))
	for n := range 3 {
		if other := f.signInAs(t, unverified(fmt.Sprint("u", n), ada)); other.ID == owner.ID || other.Email != "" {
			t.Errorf("got user %d with address %q, want another without", other.ID, other.Email)
		}
	}
}

func TestUsersWithoutAddressAreSeparate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.signInAs(t, profile{Subject: "x"}), f.signInAs(t,
		profile{Subject: "y", Email: "not an address", EmailVerified: true})
	if one.ID == two.ID || one.Email != "" || two.Email != "" {
		t.Errorf("got users %+v and %+v, want two without address", one, two)
	}
}

func TestLaterVerifiedAddress(t *testing.T) {
	t.Parallel()
	t.Run("is assigned if it is free", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, profile{Subject: "a"})
		if again := f.signInAs(t, verified("a", ada)); again.ID != user.ID || again.Email != ada {
			t.Errorf("got user %+v, want user %d with the address", again, user.ID)
		}
	})
	t.Run("replaces an unverified one", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.signInAs(t, unverified("a", "guess@example.com"))
		if again := f.signInAs(t, verified("a", ada)); again.Email != ada {
			t.Errorf("got address %q, want %q", again.Email, ada)
		}
	})
	t.Run("is assigned although another user claims it unverified", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, profile{Subject: "a"})
		squatter := f.signInAs(t, unverified("s", ada))
		if again := f.signInAs(t, verified("a", ada)); again.ID != user.ID || again.Email != ada {
			t.Errorf("got user %+v, want user %d with the address", again, user.ID)
		}
		if left := f.emailOf(t, squatter.ID); left != "" {
			t.Errorf("claiming user: got address %q, want none", left)
		}
	})
	t.Run("does not replace another verified one", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		user := f.signInAs(t, verified("a", ada))
		if _, err := f.tryToLink(t.Context(), user.ID, verified("b", ada)); err != nil {
			t.Fatal(err)
		}
		if again := f.signInAs(t, verified("b", "countess@example.com")); again.Email != ada {
			t.Errorf("got address %q, want %q, which the other identity verifies", again.Email, ada)
		}
	})
}

func TestLookAlikeAddressesAreOtherUsers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	owner := f.signInAs(t, verified("owner", "mark.k@example.com"))
	for n, email := range []string{
		"markk@example.com", "mark.k+1@example.com", "m\u0430rk.k@example.com", "\uff4dark.k@example.com",
		"mar\u212a.k@example.com",
		"mark.k@example.com\u200b", "mark\u200d.k@example.com", "mark.k@example.com\u00a0", "mark.k@example.com\n",
		"mark.k@example.com\x00",
		"mark.k@xn--example-.com", "mark\u00ad.k@example.com", "mark.k\u3164@example.com", "<mark.k@example.com>",
		"mark.k@example.com,x@example.org", "ma\u0301rk.k@example.com",
	} {
		if other := f.signInAs(t, verified(fmt.Sprint("other", n), email)); other.ID == owner.ID {
			t.Errorf("%+q: got the user of mark.k@example.com", email)
		}
	}
	if f.emailOf(t, owner.ID) != "mark.k@example.com" {
		t.Errorf("owner: got address %q", f.emailOf(t, owner.ID))
	}
}

func TestSpellingsOfOneMailboxAreOneUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, spellings := range [][]string{
		{"j\u00f6rg@example.org", "jo\u0308rg@example.org"},
		{"carl@b\u00fccher.example", "carl@xn--bcher-kva.example"},
		{"dora@xn--strae-oqa.example", "dora@stra\u00dfe.example"},
		{"emil@example.org", "EMIL@example.org."},
	} {
		paid := f.checkoutUser(t, address.Parse(spellings[0]))
		if owner := f.signInAs(t, verified(spellings[1], spellings[1])); owner.ID != paid {
			t.Errorf("%+q: got user %d, want %d with address %+q", spellings[1], owner.ID, paid, spellings[0])
		}
	}
}

func TestInvalidSubjectsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, subject := range []string{"", strings.Repeat("x", 256), "a\x00b", "a\xffb"} {
		if _, err := f.trySignIn(t.Context(), verified(subject, ada)); !fault.Is(err, fault.Malformed) {
			t.Errorf("%+q: got %v, want a refusal", subject, err)
		}
	}
}
