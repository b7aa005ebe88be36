package apikey

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

func TestKeyEndsByItself(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext, err := k.Create(t.Context(), Request{Name: "Worker", Scopes: []string{models.ScopeSpend},
		ExpiresInDays: 30, IdempotencyKey: "form"})
	if err != nil || made.ExpiresAt == nil || made.ExpiresAt.Sub(made.CreatedAt) != 30*24*time.Hour {
		t.Fatalf("made %+v, %v; want a key of thirty days", made, err)
	}
	if now := made.CreatedAt; made.Expired(now) || made.ExpiresSoon(now) || !made.ExpiresSoon(now.AddDate(0, 0, 17)) ||
		!made.Expired(now.AddDate(0, 0, 30)) {
		t.Error("the key does not know when it ends")
	}
	if n := k.count(`SELECT count(*) FROM audit_log WHERE action = 'key.create' AND detail ->> 'expires' = ?`,
		made.ExpiresAt.UTC().Format(time.DateOnly)); n != 1 {
		t.Errorf("%d audit lines say when the key ends, want 1", n)
	}
	endless, other := k.make(60)
	if endless.ExpiresAt != nil {
		t.Errorf("a key without a limit expires at %s, want never", endless.ExpiresAt)
	}
	k.wantGood(plaintext)
	if err := k.db.Exec(
		`UPDATE api_keys SET created_at = now() - interval '31 days', expires_at = now() - interval '1 second' WHERE id = ?`,
		made.ID).Error; err != nil {
		t.Fatal(err)
	}
	k.clock.Add(2 * cacheTTL)
	for _, replica := range []keyring{k, k.replica()} {
		dbtest.Concurrently(20, func(int) {
			if key, err := replica.Verify(t.Context(), plaintext, home); err == nil || key.Name != "" {
				t.Errorf("an ended key is taken")
			}
		})
	}
	fresh := k.replica()
	if err := fresh.db.Exec(`DELETE FROM rate_windows`).Error; err != nil {
		t.Fatal(err)
	}
	_, err = fresh.Verify(t.Context(), plaintext, home)
	if f := fault.Of(err); f == nil || f.Code != fault.Unauthenticated && f.Code != fault.RateLimited ||
		f.Code == fault.Unauthenticated && f.Problem != fault.KeyExpired {
		t.Errorf("an ended key is refused with %v, want the reason", err)
	}
	k.wantGood(other)
	keys, err := k.List(t.Context())
	if err != nil || !slices.EqualFunc(keys, []models.APIKey{endless, made},
		func(a, b models.APIKey) bool { return a.ID == b.ID }) {
		t.Errorf("list = %+v, %v; want the ended key last", keys, err)
	}
}

func TestKeyDaysAreBounded(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	for _, days := range []int{-1, MaxDays + 1} {
		_, _, err := k.Create(t.Context(), Request{Name: "Worker", Scopes: []string{models.ScopeRead}, ExpiresInDays: days})
		if f := fault.Of(err); f == nil || f.Code != fault.Invalid || f.Field != "expires_days" {
			t.Errorf("a key of %d days: %v, want it refused", days, err)
		}
	}
	longest := Request{Name: "Worker", Scopes: []string{models.ScopeRead}, ExpiresInDays: MaxDays,
		IdempotencyKey: strings.Repeat("k", maxFormKey)}
	if _, _, err := k.Create(t.Context(), longest); err != nil {
		t.Errorf("a key of %d days from the longest form key: %v, want no error", MaxDays, err)
	}
	request := Request{Name: "Worker", Scopes: []string{models.ScopeRead}, ExpiresInDays: 90, IdempotencyKey: "form",
		ActorID: dbtest.User(t, k.db, "boss@example.com").ID}
	if _, _, err := k.Create(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if _, again, err := k.Create(t.Context(), request); err != nil || again != "" {
		t.Errorf("the same form again: %q, %v; want the same key", again, err)
	}
	request.ExpiresInDays = 365
	if _, _, err := k.Create(t.Context(), request); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same form with other days: %v, want a conflict", err)
	}
}
