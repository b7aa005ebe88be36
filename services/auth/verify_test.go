package auth

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
	"github.com/resume-matcher/credits/services/fault"
)

// minute is the database's.
func (r keyring) minute() time.Time {
	r.t.Helper()
	var now time.Time
	if err := r.db.Raw(`SELECT date_trunc('minute', clock_timestamp())`).Scan(&now).Error; err != nil {
		r.t.Fatal(err)
	}
	return now
}

// withinAMinute does work again if the database's minute ended meanwhile, and returns what it returned last.
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

// nextMinute lets the minute of every limit be over, for the database as for the replicas.
func (r keyring) nextMinute() {
	r.t.Helper()
	if err := r.db.Exec(`UPDATE rate_windows SET minute = minute - interval '1 hour'`).Error; err != nil {
		r.t.Fatal(err)
	}
	r.clock.Add(time.Minute)
}

// cut is a replica that knows what r knows and whose database is gone.
func (r keyring) cut() {
	r.t.Helper()
	db, err := models.Open("postgres://app@127.0.0.1:9/app", slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { models.Close(db) })
	r.Keys.db = db
}

// drain presents keys from twenty goroutines until each is refused with rate_limited, and says how often it was not.
func drain(t *testing.T, key func() string, from string, answer fault.Code, replicas ...keyring) int64 {
	t.Helper()
	var n atomic.Int64
	dbtest.Together(20, func(i int) {
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

// A lease is used up by the minute's end at the database, even if our clock is slow to tell.
func TestKeyLeaseEndsWithItsMinute(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	w := window{subject: "key:test"}
	if wait, err := w.take(t.Context(), r.Keys, 400); wait != 0 || err != nil {
		t.Fatalf("take: %v, %v", wait, err)
	}
	if w.left != 19 || w.until.After(r.clock.Now().Add(time.Minute)) || !w.until.After(r.clock.Now()) {
		t.Errorf("leased %d until %v from %v, want 20, one taken, for a minute at most", w.left, w.until, r.clock.Now())
	}
	r.nextMinute()
	w.minute = w.minute.Add(-time.Hour)
	if wait, err := w.take(t.Context(), r.Keys, 400); wait != 0 || err != nil || w.left > 19 {
		t.Errorf("the next minute: %v, %v, %d left of the lease, want 19: what was left before is gone", wait, err, w.left)
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
		dbtest.Together(20, func(int) { r.wantGood(plaintext) })
		if n := r.asked.Load() - before; n != want {
			t.Errorf("twenty calls asked the database %d times, want %d", n, want)
		}
	}
	at(0, 1)
	at(renewAge-1, 0)
	at(knownFor, 1)
	at(knownFor, 1)
}

func TestKeyWhenTheDatabaseIsGone(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	_, plaintext := r.make(0)
	r.wantGood(plaintext)
	r.cut()
	r.wantGood(plaintext)
	r.clock.Add(knownFor)
	for _, key := range []string{plaintext, newKey(), "rmc_typo"} {
		if _, err := r.Verify(t.Context(), key, home); !models.Away(err) || fault.Of(err) != nil {
			t.Errorf("verify = %v, want that the database is away", err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Verify(gone, plaintext, home); !errors.Is(err, context.Canceled) && !models.Away(err) {
		t.Errorf("verify for somebody who has left: %v", err)
	}
}

// wrongKeys is one of each kind.
func wrongKeys(plaintext string) map[string]string {
	return map[string]string{
		"nothing": "", "the mark": "rmc_", "never made": newKey(), "a typo": plaintext[:20] + "-" + plaintext[21:], "cut": plaintext[:keyLength-1],
		"longer": plaintext + "x", "longer by NUL": plaintext + "\x00", "in capitals": strings.ToUpper(plaintext), "spaces": " " + plaintext,
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
		_, err := r.Verify(t.Context(), key, fmt.Sprintf("192.0.2.%d", i))
		if f := fault.Of(err); f == nil || f.Code != fault.Unauthenticated || f.Detail != nil || f.Field != "" || f.Problem != "" || f.Unwrap() != nil {
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
	for kind, key := range map[string]func() string{"that look like keys": newKey, "that do not": func() string { return "rmc_typo" }} {
		from := ""
		n := r.withinAMinute(func() int64 {
			if len(hosts) == 0 {
				t.Fatal("no minute was long enough")
			}
			from, hosts = hosts[0], hosts[1:]
			return drain(t, key, from, fault.Unauthenticated, replicas...)
		})
		if n != wrongPerAddr {
			t.Errorf("%d wrong keys %s were looked at, want %d", n, kind, wrongPerAddr)
		}
		before := r.asked.Load()
		for range 100 {
			replicas[0].wantRefused(key(), from, fault.RateLimited)
		}
		if n := r.asked.Load() - before; n > 1 {
			t.Errorf("100 more wrong keys %s asked the database %d times, want once a second", kind, n)
		}
		replicas[0].wantRefused(key(), "198.51.100.1", fault.Unauthenticated)
		for _, replica := range replicas { // the good key is new to each
			replica.wantRefused(key(), from, fault.RateLimited)
			if _, err := replica.Verify(t.Context(), good, from); err != nil {
				t.Errorf("a good key from there: %v", err)
			}
		}
	}
	r.nextMinute()
	replicas[0].wantRefused(newKey(), "192.0.2.7", fault.Unauthenticated)
}

func TestKeyRevokedAtABlockedAddress(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	made, plaintext := r.make(0)
	r.withinAMinute(func() int64 { return drain(t, newKey, home, fault.Unauthenticated, r) })
	r.wantGood(plaintext)
	if err := r.replica().Revoke(t.Context(), made.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	r.clock.Add(knownFor)
	if _, err := r.Verify(t.Context(), plaintext, home); err == nil || fault.Of(err) == nil {
		t.Errorf("a revoked key from a blocked address: %v", err)
	}
}

func TestAddressesAreCounted(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	for _, same := range [][2]string{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%eth0", "fe80::1"}, {"", ""}, {"unknown", "unknown"},
	} {
		if r.addressOf(same[0]) != r.addressOf(same[1]) {
			t.Errorf("%q and %q are two addresses", same[0], same[1])
		}
	}
	for _, other := range [][2]string{{"2001:db8:1:2::1", "2001:db8:1:3::1"}, {"192.0.2.1", "192.0.2.2"}, {"", "unknown"}} {
		if r.addressOf(other[0]) == r.addressOf(other[1]) {
			t.Errorf("%q and %q are one address", other[0], other[1])
		}
	}
	for i := range 3 * maxAddresses {
		r.addressOf(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if n := len(r.addresses); n > maxAddresses {
		t.Errorf("%d addresses are remembered, want %d at most", n, maxAddresses)
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	full := func(n int) map[int]bool {
		m := map[int]bool{}
		for i := range n {
			m[i] = i%4 == 0 // a quarter is of no use
		}
		return m
	}
	for _, c := range []struct{ have, most, want int }{{99, 100, 99}, {100, 100, 50}, {100, 200, 100}, {160, 100, 50}} {
		m := full(c.have)
		trim(m, c.most, func(useless bool) bool { return useless })
		if len(m) != c.want {
			t.Errorf("%d of at most %d are trimmed to %d, want %d", c.have, c.most, len(m), c.want)
		}
	}
	m := map[int]bool{1: true, 2: true, 3: true, 4: false}
	trim(m, 4, func(useless bool) bool { return useless })
	if _, kept := m[4]; !kept || len(m) != 1 {
		t.Errorf("trimmed to %v, want what is of use", m)
	}
}

func TestKeysSweep(t *testing.T) {
	t.Parallel()
	r := newKeyring(t)
	_, plaintext := r.make(5)
	r.wantGood(plaintext)
	if n, err := r.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("swept %d rows of this minute, %v", n, err)
	}
	r.nextMinute()
	if n, err := r.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d rows of an hour ago, %v, want 1", n, err)
	}
}

func TestNewKeysAreWellFormedAndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[byte]int{}
	for range 1000 {
		key := newKey()
		if !wellFormed(key) || seen[key] {
			t.Fatalf("%d characters that are no new key", len(key))
		}
		seen[key] = true
		for i := range secretLength {
			letters[key[len(keyMark)+i]]++
		}
		for i := range len(key) {
			if wellFormed(key[:i] + "-" + key[i+1:]) {
				t.Errorf("a typo at %d is not noticed", i)
			}
		}
	}
	for i := range len(base62) { // 516 of each are to be expected
		if n := letters[base62[i]]; n < 400 || n > 640 {
			t.Errorf("%q comes %d times in 32,000 letters", base62[i], n)
		}
	}
}

func FuzzWellFormed(f *testing.F) {
	for _, seed := range []string{"", "rmc_", newKey(), strings.Repeat("é", 21)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if hash := hashKey(text); wellFormed(text) && (len(text) != keyLength || hash == hashKey(text[:keyLength-1])) {
			t.Errorf("%q is well-formed", text)
		}
	})
}

// BenchmarkVerify is what each call with a key costs while the key is remembered.
func BenchmarkVerify(b *testing.B) {
	for _, limit := range []int{0, MaxPerMinute} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			k := NewKeys(dbtest.New(b), nil, nil)
			_, plaintext, err := k.Create(b.Context(), KeyRequest{Name: "bench", Scopes: []string{models.ScopeSpend}, PerMinute: limit})
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
