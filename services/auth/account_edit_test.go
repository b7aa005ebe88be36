package auth

import (
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

func TestRenameSetsNameAndLanguage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("s1", "ada@example.com"))
	t.Run("outlives the next sign-in", func(t *testing.T) {
		if err := f.Rename(t.Context(), user.ID, "  Ada 🦉 L.  ", "en"); err != nil {
			t.Fatal(err)
		}
		f.signInAs(t, profile{Subject: "s1", Email: "ada@example.com", EmailVerified: true, Name: "The Provider's"})
		if a, err := f.Account(t.Context(), user.ID); err != nil || a.Name != "Ada 🦉 L." || a.Locale != "en" {
			t.Errorf("got name %q, locale %q (%v), want the chosen ones", a.Name, a.Locale, err)
		}
	})
	t.Run("accepts 200 characters", func(t *testing.T) {
		if err := f.Rename(t.Context(), user.ID, strings.Repeat("ä", 200), "de"); err != nil {
			t.Error(err)
		}
	})
	for name, bad := range map[string]string{"nothing": " \t ", "201 characters": strings.Repeat("ä", 201),
		"a line break": "a\nb",
		"a zero byte":  "a\x00b", "a mark of direction": "a\u202eb"} {
		t.Run("refuses "+name, func(t *testing.T) {
			if got := fault.Of(f.Rename(t.Context(), user.ID, bad, "de")); got == nil || got.Field != "name" {
				t.Errorf("got fault %v, want one about the name", got)
			}
		})
	}
	if got := fault.Of(f.Rename(t.Context(), user.ID, "Ada", "fr")); got == nil || got.Field != "locale" {
		t.Errorf("got fault %v, want one about the language", got)
	}
	if err := f.Rename(t.Context(), user.ID+1, "Ada", "de"); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown user: got %v, want not found", err)
	}
}

func TestUnlinkKeepsTheLastIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("s0", "ada@example.com"))
	other := f.signInAs(t, verified("other", "bob@example.com"))
	for i := 1; i < 20; i++ {
		if _, err := f.tryToLink(t.Context(), user.ID, verified("s"+string(rune('a'+i)), "ada@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	found, err := f.Identities(t.Context(), user.ID)
	if err != nil || len(found) != 20 {
		t.Fatalf("got %d identities (%v), want 20", len(found), err)
	}
	if err := f.Unlink(t.Context(), other.ID, IdentityID(found[0])); err != nil {
		t.Errorf("identity of another user: got %v, want nil", err)
	}
	if n := f.count(t, "SELECT count(*) FROM identities WHERE user_id = ?", user.ID); n != 20 {
		t.Errorf("after another user's attempt: got %d identities, want 20", n)
	}
	errs := make([]error, len(found))
	dbtest.Concurrently(len(found), func(i int) { errs[i] = f.Unlink(t.Context(), user.ID, IdentityID(found[i])) })
	refused := 0
	for _, err := range errs {
		switch got := fault.Of(err); {
		case got != nil && got.Problem == fault.LastIdentity:
			refused++
		case err != nil:
			t.Error(err)
		}
	}
	if n := f.count(t, "SELECT count(*) FROM identities WHERE user_id = ?", user.ID); n != 1 || refused != 1 {
		t.Errorf("got %d identities left and %d refusals of 20, want 1 and 1", n, refused)
	}
}

func TestDeviceNamesBrowserAndSystem(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                                  "Firefox, Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0":               "Edge, Windows",
		"Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                            "Chrome, Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari, iPhone",
		"curl/8": "", "": "",
	} {
		if got := Device(agent); got != want {
			t.Errorf("%q: got %q, want %q", agent, got, want)
		}
	}
}

func TestUnlinkRemovesTheAddressOfTheIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	user := f.signInAs(t, verified("a", ada))
	for _, p := range []profile{verified("b", "other@example.com"), unverified("c", "claimed@example.com")} {
		if _, err := f.tryToLink(t.Context(), user.ID, p); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.emailOf(t, user.ID); got != ada { // which the account page says
		t.Errorf("with another sign-in method: got address %q, want %q", got, ada)
	}
	for _, step := range []struct{ subject, left string }{{"a", "other@example.com"}, {"b", ""}} {
		id := IdentityID(models.Identity{Issuer: "https://id.example.com", Subject: step.subject})
		if err := f.Unlink(t.Context(), user.ID, id); err != nil {
			t.Fatal(err)
		}
		if got := f.emailOf(t, user.ID); got != step.left {
			t.Errorf("after unlinking %s: got address %q, want %q", step.subject, got, step.left)
		}
	}
}
