package apikey

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
)

func TestKeyIsGoodUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext := k.make(60, models.ScopeRead, models.ScopeSpend, models.ScopeRead)
	if !strings.HasPrefix(plaintext, made.Prefix) || len(made.Prefix) != len("rmc_")+8 || !wellFormed(plaintext) {
		t.Errorf("the key's prefix is %q", made.Prefix)
	}
	if diff := cmp.Diff(models.TextArray{"spend", "read"}, made.Scopes); diff != "" || made.PerMinute != 60 ||
		made.Name != "Resume Matcher" || made.CreatedBy != nil {
		t.Errorf("made %+v", made)
	}
	if got := k.wantGood(plaintext); got.ID != made.ID || !got.Allows(models.ScopeSpend) {
		t.Errorf("verified as %+v, want %+v", got, made)
	}
	for range 2 { // revoking again changes nothing
		if err := k.Revoke(t.Context(), made.ID, 0, "req_example"); err != nil {
			t.Fatalf("revoke: %v", err)
		}
		k.wantRefused(plaintext, home, fault.Unauthenticated)
	}
	if err := k.Revoke(t.Context(), uuid.New(), 0, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("revoking a key that never was: %v, want not_found", err)
	}
	keys, err := k.List(t.Context())
	if err != nil || len(keys) != 1 || keys[0].RevokedAt == nil {
		t.Errorf("list = %+v, %v, want the revoked key", keys, err)
	}
	if n := k.count(
		`SELECT count(*) FROM audit_log WHERE actor = 'operator' AND action = 'key.revoke' AND request_id = 'req_example'
		AND detail @> jsonb_build_object('key_id', ?::text, 'name', 'Resume Matcher', 'prefix', ?::text, 'scopes', jsonb_build_array('spend', 'read'))`, made.ID.String(), made.Prefix); n != 1 {
		t.Errorf("%d audit lines of the revocation, want 1", n)
	}
	if n := k.count(`SELECT count(*) FROM audit_log WHERE action = 'key.create'`); n != 1 {
		t.Errorf("%d audit lines of the creation, want 1", n)
	}
}

func TestKeyRevokedElsewhere(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	other := k.replica()
	made, plaintext := k.make(0)
	other.wantGood(plaintext)
	if err := k.Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	k.clock.Add(time.Second - time.Nanosecond)
	other.wantGood(plaintext)    // served from the cache, which refreshes in the background
	k.clock.Add(time.Nanosecond) // one second, the documented limit
	other.wantRefused(plaintext, home, fault.Unauthenticated)
	k.wantRefused(plaintext, home, fault.Unauthenticated)
}

func TestKeyStaysRevokedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext := k.make(0)
	dbtest.Concurrently(20, func(i int) {
		if i == 10 {
			if err := k.Revoke(t.Context(), made.ID, 0, ""); err != nil {
				t.Error(err)
			}
			return
		}
		if _, err := k.Verify(t.Context(), plaintext, home); err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("verify: %v", err)
		}
	})
	k.clock.Add(cacheTTL)
	k.wantRefused(plaintext, home, fault.Unauthenticated)
}

func TestKeyScopes(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	for _, c := range []struct {
		scopes      []string
		spend, read bool
	}{{[]string{"spend"}, true, true}, {[]string{"read"}, false, true}, {[]string{"read", "spend"}, true, true}} {
		_, plaintext := k.make(0, c.scopes...)
		key := k.wantGood(plaintext)
		if key.Allows(models.ScopeSpend) != c.spend || key.Allows(models.ScopeRead) != c.read || key.Allows("admin") ||
			key.Allows("") {
			t.Errorf("%v allows spend %t, read %t", c.scopes, key.Allows("spend"), key.Allows("read"))
		}
	}
}

func TestKeyRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	spend := []string{"spend"}
	for name, c := range map[string]struct {
		request Request
		field   string
	}{
		"no name":           {Request{Name: " \t ", Scopes: spend}, "name"},
		"a long name":       {Request{Name: strings.Repeat("ä", 81), Scopes: spend}, "name"},
		"NUL in the name":   {Request{Name: "a\x00b", Scopes: spend}, "name"},
		"a line break":      {Request{Name: "a\nb", Scopes: spend}, "name"},
		"bytes in the name": {Request{Name: "a\xff", Scopes: spend}, "name"},
		"no scope":          {Request{Name: "a"}, "scopes"},
		"an unknown scope":  {Request{Name: "a", Scopes: []string{"spend", "admin"}}, "scopes"},
		"a negative limit":  {Request{Name: "a", Scopes: spend, PerMinute: -1}, "per_minute"},
		"a limit too high":  {Request{Name: "a", Scopes: spend, PerMinute: 1_000_001}, "per_minute"},
		"a long form key":   {Request{Name: "a", Scopes: spend, IdempotencyKey: strings.Repeat("k", 256)}, "idempotency_key"},
	} {
		_, plaintext, err := k.Create(t.Context(), c.request)
		if f := fault.Of(err); f == nil || f.Code != fault.Invalid || f.Field != c.field || plaintext != "" {
			t.Errorf("%s: %v, want invalid %s", name, err, c.field)
		}
	}
	if n := k.count(`SELECT (SELECT count(*) FROM api_keys) + (SELECT count(*) FROM audit_log)`); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	key, _, err := k.Create(t.Context(), Request{Name: "  " + strings.Repeat("ä", 80) + " ", Scopes: spend,
		PerMinute: 1_000_000})
	if err != nil || key.Name != strings.Repeat("ä", 80) {
		t.Errorf("the longest name: %q, %v", key.Name, err)
	}
}

func TestKeyFormSentTwentyTimesAtOnce(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	admin := dbtest.User(t, k.db, "ada@example.com").ID
	request := Request{Name: "once", Scopes: []string{"spend"}, PerMinute: 5, ActorID: admin, RequestID: "req_example",
		IdempotencyKey: "form"}
	shown := make(chan string, 20)
	ids := make(chan uuid.UUID, 20)
	dbtest.Concurrently(20, func(int) {
		key, plaintext, err := k.Create(t.Context(), request)
		if err != nil {
			t.Errorf("create: %v", err)
			return
		}
		ids <- key.ID
		if plaintext != "" {
			shown <- plaintext
		}
	})
	if len(shown) != 1 || len(ids) != 20 {
		t.Fatalf("the key was shown %d times in %d answers, want once in 20", len(shown), len(ids))
	}
	for first := k.wantGood(<-shown).ID; len(ids) > 0; {
		if id := <-ids; id != first {
			t.Errorf("one answer is of key %s, want %s", id, first)
		}
	}
	if n := k.count(
		`SELECT count(*) FROM api_keys, audit_log a WHERE a.action = 'key.create' AND a.actor = 'admin' AND a.actor_id = ?`,
		admin); n != 1 {
		t.Errorf("%d keys and audit lines, want one", n)
	}
	request.PerMinute = 6
	if _, _, err := k.Create(t.Context(), request); !fault.Is(err, fault.Conflict) {
		t.Errorf("the form with another limit: %v, want a conflict", err)
	}
	request.ActorID = dbtest.User(t, k.db, "grace@example.com").ID
	if key, plaintext, err := k.Create(t.Context(), request); err != nil || plaintext == "" ||
		*key.CreatedBy != request.ActorID {
		t.Errorf("another admin's form: %v, want a key", err)
	}
}

func TestKeyIsFoundByIDOrPrefix(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext := k.make(0)
	for _, name := range []string{made.ID.String(), made.Prefix} {
		if got, err := k.Find(t.Context(), name); err != nil || got.ID != made.ID {
			t.Errorf("find %q = %v, %v", name, got.ID, err)
		}
	}
	for _, name := range []string{"", "rmc_", plaintext, made.Prefix[:8], uuid.NewString(), "\xff", "a\x00"} {
		if _, err := k.Find(t.Context(), name); !fault.Is(err, fault.NotFound) {
			t.Errorf("find %q: %v, want not_found", name, err)
		}
	}
	if err := k.db.Exec(
		`INSERT INTO api_keys (id, name, prefix, key_hash, scopes) VALUES (gen_random_uuid(), 'twin', ?, sha256('twin'), '{read}')`, made.Prefix).Error; err != nil {
		t.Fatal(err)
	}
	if _, err := k.Find(t.Context(), made.Prefix); !fault.Is(err, fault.Conflict) {
		t.Errorf("a prefix of two keys: %v, want a conflict", err)
	}
}

func TestKeyLastUse(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext := k.make(0)
	if made.LastUsedAt != nil {
		t.Errorf("used at %v before its first use", made.LastUsedAt)
	}
	used := func() time.Time {
		t.Helper()
		key, err := k.Find(t.Context(), made.ID.String())
		if err != nil || key.LastUsedAt == nil {
			t.Fatalf("last use %v (%v)", key.LastUsedAt, err)
		}
		return *key.LastUsedAt
	}
	k.wantGood(plaintext)
	first := used()
	for range 3 {
		k.clock.Add(cacheTTL) // reads the key again
		k.wantGood(plaintext)
	}
	if again := used(); !again.Equal(first) {
		t.Errorf("written again %s after the first use, want not within a minute", again.Sub(first))
	}
	if err := k.db.Exec(`UPDATE api_keys SET last_used_at = last_used_at - interval '1 minute'`).Error; err != nil {
		t.Fatal(err)
	}
	before := used()
	k.wantGood(plaintext) // from memory
	if again := used(); !again.Equal(before) {
		t.Error("a call that was answered from memory was written down")
	}
	k.clock.Add(cacheTTL)
	k.wantGood(plaintext)
	if again := used(); !again.After(before) {
		t.Error("use after a minute was not written down")
	}
}

// The plaintext key appears in no table, log or error.
func TestKeyIsNowhere(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext := k.make(1)
	k.wantGood(plaintext)
	_, limit := k.Verify(t.Context(), plaintext, home)
	typo := plaintext[:keyLength-1] + "-"
	_, wrong := k.Verify(t.Context(), typo, home)
	if err := k.Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	secret := plaintext[shownLength:]
	if text := errors.Join(limit, wrong).Error() + k.log.String(); strings.Contains(text, secret[:20]) ||
		!strings.Contains(text, made.ID.String()) {
		t.Errorf("errors and log: %s", text)
	}
	var tables []string
	if err := k.db.Raw(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables).Error; err != nil ||
		len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		if n := k.count(`SELECT count(*) FROM `+table+` AS x WHERE x::text LIKE ?`, "%"+secret[:20]+"%"); n != 0 {
			t.Errorf("%s has the key", table)
		}
	}
	if n := k.count(`SELECT count(*) FROM api_keys WHERE key_hash = sha256(convert_to(?, 'UTF8'))`, plaintext); n != 1 {
		t.Error("the key is not stored as its SHA-256")
	}
}
