package apikey

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/limit"
)

// minute returns the database's current minute.
func (k keyring) minute() time.Time {
	k.t.Helper()
	var now time.Time
	if err := k.db.Raw(`SELECT date_trunc('minute', clock_timestamp())`).Scan(&now).Error; err != nil {
		k.t.Fatal(err)
	}
	return now
}

// withinAMinute repeats work until it runs within one minute of the database's clock, and returns its last result.
func (k keyring) withinAMinute(work func() int64) int64 {
	k.t.Helper()
	for {
		began := k.minute()
		n := work()
		if k.minute().Equal(began) || k.t.Failed() {
			return n
		}
	}
}

// nextMinute ends the minute of every limit, in the database and in the replicas.
func (k keyring) nextMinute() {
	k.t.Helper()
	if err := k.db.Exec(`UPDATE rate_windows SET minute = minute - interval '1 hour'`).Error; err != nil {
		k.t.Fatal(err)
	}
	k.clock.Add(time.Minute)
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
			k := newKeyring(t)
			n := k.withinAMinute(func() int64 {
				_, plaintext := k.make(c.limit)
				replicas := []keyring{k.replica(), k.replica(), k.replica()}[:c.replicas]
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
	k := newKeyring(t)
	_, plaintext := k.make(40)
	key := func() string { return plaintext }
	if n := k.withinAMinute(func() int64 { k.nextMinute(); return drain(t, key, home, "", k) }); n != 40 {
		t.Errorf("%d calls were good, want 40", n)
	}
	_, err := k.Verify(t.Context(), plaintext, home)
	wait, _ := fault.Of(err).Detail["retryAfter"].(int)
	if wait < 1 || wait > 60 {
		t.Errorf("retryAfter = %v, want 1 to 60 seconds", fault.Of(err).Detail)
	}
	before := k.asked.Load()
	for range 100 {
		k.wantRefused(plaintext, home, fault.RateLimited)
	}
	if n := k.asked.Load() - before; n != 0 {
		t.Errorf("100 refusals asked the database %d times", n)
	}
	k.nextMinute()
	k.wantGood(plaintext)

	_, free := k.make(0)
	for range 2000 {
		k.wantGood(free)
	}
	if n := k.count(`SELECT count(*) FROM rate_windows WHERE subject LIKE 'key:%'`); n > 2 {
		t.Errorf("%d rows of limits, want those of one key", n)
	}
}

func TestWrongKeysAreLimited(t *testing.T) {
	t.Parallel()
	k := newKeyring(t)
	_, good := k.make(0)
	replicas := []keyring{k.replica(), k.replica(), k.replica()}
	hosts := []string{"192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11", "192.0.2.12"}
	var from limit.Sender
	n := k.withinAMinute(func() int64 {
		if len(hosts) == 0 {
			t.Fatal("no minute was long enough")
		}
		from, hosts = addressed(hosts[0]), hosts[1:]
		return drain(t, newPlaintext, from, fault.Unauthenticated, replicas...)
	})
	if n != int64(limit.WrongKey.Count) {
		t.Errorf("%d wrong keys were looked at, want %d", n, limit.WrongKey.Count)
	}
	before := k.asked.Load()
	for range 100 {
		replicas[0].wantRefused(newPlaintext(), from, fault.RateLimited)
	}
	if n := k.asked.Load() - before; n > 1 {
		t.Errorf("100 more wrong keys asked the database %d times, want once a second", n)
	}
	replicas[0].wantRefused(newPlaintext(), addressed("198.51.100.1"), fault.Unauthenticated)
	for _, replica := range replicas { // the good key is new to each
		replica.wantRefused(newPlaintext(), from, fault.RateLimited)
		if _, err := replica.Verify(t.Context(), good, from); err != nil {
			t.Errorf("a good key from there: %v", err)
		}
	}
	k.nextMinute()
	replicas[0].wantRefused(newPlaintext(), addressed("192.0.2.7"), fault.Unauthenticated)
}
