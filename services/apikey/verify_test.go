package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

// cut replaces r's database with an unreachable one and leaves its cache.
func (k keyring) cut() {
	k.t.Helper()
	db, err := postgres.Open("postgres://app@127.0.0.1:9/app", slog.New(slog.DiscardHandler))
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { postgres.Close(db) })
	k.Service.db, k.limits = db, limit.New(db, k.clock.Now)
}

func TestKeyIsReadOnceForAll(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	_, plaintext := k.make(0)
	at := func(age time.Duration, want int64) {
		t.Helper()
		k.clock.Add(age)
		before := k.asked.Load()
		dbtest.Concurrently(20, func(int) { k.wantGood(plaintext) })
		if n := k.asked.Load() - before; n != want {
			t.Errorf("twenty calls asked the database %d times, want %d", n, want)
		}
	}
	at(0, 1)
	at(renewAge-1, 0)
	at(cacheTTL, 1)
	at(cacheTTL, 1)
}

func TestKeyWhenTheDatabaseIsGone(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	_, plaintext := k.make(0)
	k.wantGood(plaintext)
	k.cut()
	k.wantGood(plaintext)
	k.clock.Add(cacheTTL)
	for _, key := range []string{plaintext, newPlaintext()} {
		if _, err := k.Verify(t.Context(), key, home); !postgres.Away(err) || fault.Of(err) != nil {
			t.Errorf("verify = %v, want that the database is away", err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Verify(gone, plaintext, home); !errors.Is(err, context.Canceled) && !postgres.Away(err) {
		t.Errorf("verify with a canceled context: error = %v, want canceled or database away", err)
	}
}

// wrongKeys returns one invalid key of each kind.
func wrongKeys(plaintext string) map[string]string {
	return map[string]string{
		"nothing": "", "the mark": "rmc_", "never made": newPlaintext(), "a typo": plaintext[:20] + "-" + plaintext[21:],
		"cut":    plaintext[:keyLength-1],
		"longer": plaintext + "x", "longer by NUL": plaintext + "\x00", "in capitals": strings.ToUpper(plaintext),
		"spaces":       " " + plaintext,
		"another mark": "rmd_" + plaintext[4:], "bytes": "rmc_\xff\x00", "a megabyte": strings.Repeat("rmc_", 1<<18),
	}
}

func TestWrongKeysGetOneAnswer(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, revoked := k.make(0)
	if err := k.Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	_, good := k.make(0)
	wrong := wrongKeys(good)
	wrong["revoked"] = revoked
	i := 0
	for name, key := range wrong {
		i++
		_, err := k.Verify(t.Context(), key, addressed(fmt.Sprintf("192.0.2.%d", i)))
		if f := fault.Of(err); f == nil || f.Code != fault.Unauthenticated || f.Detail != nil || f.Field != "" ||
			f.Problem != fault.CallerUnknown || f.Unwrap() != nil {
			t.Errorf("%s: %v, want unauthenticated with caller_unknown and nothing else", name, err)
		}
	}
}

// A malformed key runs no statement and counts against no limit, however often it is sent.
func TestMalformedKeysCostNothing(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	_, good := k.make(0)
	k.wantGood(good)
	malformed := wrongKeys(good)
	delete(malformed, "never made")
	before := k.asked.Load()
	dbtest.Concurrently(20, func(int) {
		for _, key := range malformed {
			k.wantRefused(key, home, fault.Unauthenticated)
		}
	})
	if n, rows := k.asked.Load()-before, k.count(`SELECT count(*) FROM rate_windows`); n != 0 || rows != 0 {
		t.Errorf("%d statements and %d rows for malformed keys, want none", n, rows)
	}
	k.cut()
	k.wantRefused("rmc_typo", home, fault.Unauthenticated) // without the database
}

func TestKeyRevokedAtABlockedAddress(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	made, plaintext := k.make(0)
	k.withinAMinute(func() int64 { return drain(t, newPlaintext, home, fault.Unauthenticated, k) })
	k.wantGood(plaintext)
	if err := k.replica().Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	k.clock.Add(cacheTTL)
	if _, err := k.Verify(t.Context(), plaintext, home); err == nil || fault.Of(err) == nil {
		t.Errorf("a revoked key from a blocked address: %v", err)
	}
}

func TestNewKeysAreWellFormedAndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[byte]int{}
	for range 1000 {
		key := newPlaintext()
		if !wellFormed(key) || seen[key] {
			t.Fatalf("%d characters that are not a new key", len(key))
		}
		seen[key] = true
		for i := range secretLength {
			letters[key[len(mark)+i]]++
		}
		for i := range len(key) {
			if wellFormed(key[:i] + "-" + key[i+1:]) {
				t.Errorf("a typo at %d is not noticed", i)
			}
		}
	}
	for i := range len(base62) { // expected: 516 of each
		if n := letters[base62[i]]; n < 400 || n > 640 {
			t.Errorf("%q comes %d times in 32,000 letters", base62[i], n)
		}
	}
}

func FuzzWellFormed(f *testing.F) {
	for _, seed := range []string{"", "rmc_", newPlaintext(), strings.Repeat("é", 21)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if hash := digestOf(text); wellFormed(text) && (len(text) != keyLength || hash == digestOf(text[:keyLength-1])) {
			t.Errorf("%q is well-formed", text)
		}
	})
}

// BenchmarkVerify measures a call with a cached key.
func BenchmarkVerify(b *testing.B) {
	for _, perMinute := range []int{0, MaxPerMinute} {
		b.Run(fmt.Sprintf("limit=%d", perMinute), func(b *testing.B) {
			db := dbtest.New(b)
			k := New(db, limit.New(db, nil), nil, nil)
			_, plaintext, err := k.Create(b.Context(), Request{Name: "bench", Scopes: []string{models.ScopeSpend},
				PerMinute: perMinute})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Verify(b.Context(), plaintext, home); err != nil && !fault.Is(err, fault.RateLimited) {
					b.Fatal(err)
				}
			}
		})
	}
}
