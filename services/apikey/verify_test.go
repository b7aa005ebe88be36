package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

// minute returns the database's current minute.
func (r keyring) minute() time.Time {
	r.t.Helper()
	var now time.Time
	if err := r.db.Raw(`SELECT date_trunc('minute', clock_timestamp())`).Scan(&now).Error; err != nil {
		r.t.Fatal(err)
	}
	return now
}

// withinAMinute repeats work until it runs within one minute of the database's clock, and returns its last result.
func (r keyring) withinAMinute(work func() int64) int64 {
	r.t.Helper()
	for {
		began := r.minute()
		n := work()
		if r.minute().Equal(began) || r.t.Failed() {
			return n
		}
	}
}

// nextMinute ends the minute of every limit, in the database and in the replicas.
func (r keyring) nextMinute() {
	r.t.Helper()
	if err := r.db.Exec(`UPDATE rate_windows SET minute = minute - interval '1 hour'`).Error; err != nil {
		r.t.Fatal(err)
	}
	r.clock.Add(time.Minute)
}

// cut replaces r's database with an unreachable one and leaves its cache.
func (r keyring) cut() {
	r.t.Helper()
	db, err := postgres.Open("postgres://app@127.0.0.1:9/app", slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { postgres.Close(db) })
	r.Service.db, r.limits = db, limit.New(db, r.clock.Now)
}

// drain verifies keys from twenty goroutines until each is refused with rate_limited, and counts the accepted calls.
func drain(t *testing.T, key func() string, from limit.Sender, answer fault.Code, replicas ...keyring) int64 {
	t.Helper()
	var n atomic.Int64
	dbtest.Concurrently(20, func(i int) {
		for {
			_, err := replicas[i%len(replicas)].Verify(t.Context(), key(), from)
			switch {
			case answer == "" && err == nil, answer != "" && fault.Is(err, answer):
				n.Add(1)
			case fault.Is(err, fault.RateLimited):
				return
			default:
				t.Errorf("verify: %v", err)
				return
			}
		}
	})
	return n.Load()
}

func TestKeyLimitIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ limit, replicas int }{{1, 1}, {7, 3}, {20, 1}, {59, 3}, {1000, 3}} {
		t.Run(fmt.Sprintf("%d a minute over %d replicas", c.limit, c.replicas), func(t *testing.T) {
			t.Parallel()
			r := newKeyring(t)
			n := r.withinAMinute(func() int64 {
				_, plaintext := r.make(c.limit)
				replicas := []keyring{r.replica(), r.replica(), r.replica()}[:c.replicas]
				return drain(t, func() string { return plaintext }, home, "", replicas...)
			})
			if n != int64(c.limit) {
				t.Errorf("%d calls were good, want %d", n, c.limit)
			}
		})
	}
}

func TestKeyBeyondItsLimit(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	_, plaintext := r.make(40)
	key := func() string { return plaintext }
	if n := r.withinAMinute(func() int64 { r.nextMinute(); return drain(t, key, home, "", r) }); n != 40 {
		t.Errorf("%d calls were good, want 40", n)
	}
	_, err := r.Verify(t.Context(), plaintext, home)
	wait, _ := fault.Of(err).Detail["retryAfter"].(int)
	if wait < 1 || wait > 60 {
		t.Errorf("retryAfter = %v, want 1 to 60 seconds", fault.Of(err).Detail)
	}
	before := r.asked.Load()
	for range 100 {
		r.wantRefused(plaintext, home, fault.RateLimited)
	}
	if n := r.asked.Load() - before; n != 0 {
		t.Errorf("100 refusals asked the database %d times", n)
	}
	r.nextMinute()
	r.wantGood(plaintext)

	_, free := r.make(0)
	for range 2000 {
		r.wantGood(free)
	}
	if n := r.count(`SELECT count(*) FROM rate_windows WHERE subject LIKE 'key:%'`); n > 2 {
		t.Errorf("%d rows of limits, want those of one key", n)
	}
}

func TestKeyIsReadOnceForAll(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	_, plaintext := r.make(0)
	at := func(age time.Duration, want int64) {
		t.Helper()
		r.clock.Add(age)
		before := r.asked.Load()
		dbtest.Concurrently(20, func(int) { r.wantGood(plaintext) })
		if n := r.asked.Load() - before; n != want {
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
	r := newKeyring(t)
	_, plaintext := r.make(0)
	r.wantGood(plaintext)
	r.cut()
	r.wantGood(plaintext)
	r.clock.Add(cacheTTL)
	for _, key := range []string{plaintext, newPlaintext()} {
		if _, err := r.Verify(t.Context(), key, home); !postgres.Away(err) || fault.Of(err) != nil {
			t.Errorf("verify = %v, want that the database is away", err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Verify(gone, plaintext, home); !errors.Is(err, context.Canceled) && !postgres.Away(err) {
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
	r := newKeyring(t)
	made, revoked := r.make(0)
	if err := r.Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	_, good := r.make(0)
	wrong := wrongKeys(good)
	wrong["revoked"] = revoked
	i := 0
	for name, key := range wrong {
		i++
		_, err := r.Verify(t.Context(), key, addressed(fmt.Sprintf("192.0.2.%d", i)))
		if f := fault.Of(err); f == nil || f.Code != fault.Unauthenticated || f.Detail != nil || f.Field != "" ||
			f.Problem != "" || f.Unwrap() != nil {
			t.Errorf("%s: %v, want unauthenticated and nothing else", name, err)
		}
	}
}

func TestWrongKeysAreLimited(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	_, good := r.make(0)
	replicas := []keyring{r.replica(), r.replica(), r.replica()}
	hosts := []string{"192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11", "192.0.2.12"}
	var from limit.Sender
	n := r.withinAMinute(func() int64 {
		if len(hosts) == 0 {
			t.Fatal("no minute was long enough")
		}
		from, hosts = addressed(hosts[0]), hosts[1:]
		return drain(t, newPlaintext, from, fault.Unauthenticated, replicas...)
	})
	if n != int64(limit.WrongKey.Count) {
		t.Errorf("%d wrong keys were looked at, want %d", n, limit.WrongKey.Count)
	}
	before := r.asked.Load()
	for range 100 {
		replicas[0].wantRefused(newPlaintext(), from, fault.RateLimited)
	}
	if n := r.asked.Load() - before; n > 1 {
		t.Errorf("100 more wrong keys asked the database %d times, want once a second", n)
	}
	replicas[0].wantRefused(newPlaintext(), addressed("198.51.100.1"), fault.Unauthenticated)
	for _, replica := range replicas { // the good key is new to each
		replica.wantRefused(newPlaintext(), from, fault.RateLimited)
		if _, err := replica.Verify(t.Context(), good, from); err != nil {
			t.Errorf("a good key from there: %v", err)
		}
	}
	r.nextMinute()
	replicas[0].wantRefused(newPlaintext(), addressed("192.0.2.7"), fault.Unauthenticated)
}

// A malformed key runs no statement and counts against no limit, however often it is sent.
func TestMalformedKeysCostNothing(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	_, good := r.make(0)
	r.wantGood(good)
	malformed := wrongKeys(good)
	delete(malformed, "never made")
	before := r.asked.Load()
	dbtest.Concurrently(20, func(int) {
		for _, key := range malformed {
			r.wantRefused(key, home, fault.Unauthenticated)
		}
	})
	if n, rows := r.asked.Load()-before, r.count(`SELECT count(*) FROM rate_windows`); n != 0 || rows != 0 {
		t.Errorf("%d statements and %d rows for malformed keys, want none", n, rows)
	}
	r.cut()
	r.wantRefused("rmc_typo", home, fault.Unauthenticated) // without the database
}

func TestKeyRevokedAtABlockedAddress(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	made, plaintext := r.make(0)
	r.withinAMinute(func() int64 { return drain(t, newPlaintext, home, fault.Unauthenticated, r) })
	r.wantGood(plaintext)
	if err := r.replica().Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	r.clock.Add(cacheTTL)
	if _, err := r.Verify(t.Context(), plaintext, home); err == nil || fault.Of(err) == nil {
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
			t.Fatalf("%d characters that are no new key", len(key))
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
