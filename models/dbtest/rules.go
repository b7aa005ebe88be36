package dbtest

import (
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"
)

// CheckLedger fails the test unless each balance is the sum of the user's entries, each balance_after is the sum up to
// its entry, and the held credits are those of the open holds.
func CheckLedger(t testing.TB, db *gorm.DB) {
	t.Helper()
	var wrong []struct {
		ID      int64
		Balance int64
		Sum     int64
	}
	err := db.Raw(`SELECT u.id, u.credits_balance AS balance, coalesce(sum(c.delta_credits), 0) AS sum
		FROM users u LEFT JOIN credit_transactions c ON c.user_id = u.id
		GROUP BY u.id HAVING u.credits_balance <> coalesce(sum(c.delta_credits), 0)
			OR u.credits_held <> (SELECT coalesce(sum(credits), 0) FROM holds WHERE user_id = u.id AND status = 'open')`).Scan(&wrong).Error
	if err != nil {
		t.Fatalf("check the ledger: %v", err)
	}
	for _, w := range wrong {
		t.Errorf(
			"user %d: balance = %d credits, sum of the entries = %d; want them equal, and the held credits those of the open holds",
			w.ID, w.Balance, w.Sum)
	}
	var broken int64
	err = db.Raw(
		`SELECT count(*) FROM (SELECT balance_after, sum(delta_credits) OVER (PARTITION BY user_id ORDER BY id) AS sum
		FROM credit_transactions) chain WHERE balance_after <> sum`).Scan(&broken).Error
	if err != nil || broken != 0 {
		t.Errorf("balance_after of %d entries is not the sum up to the entry (%v)", broken, err)
	}
}

// WaitForBlocked waits until this many connections to the test's database wait for a lock.
func WaitForBlocked(t testing.TB, db *gorm.DB, connections int64) {
	t.Helper()
	Eventually(t, fmt.Sprintf("%d connections wait for a lock", connections), func() bool {
		var waiting int64
		err := db.Raw(
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(
			&waiting).Error
		if err != nil {
			t.Fatalf("count blocked connections: %v", err)
		}
		return waiting >= connections
	})
}

// Concurrently runs work in n goroutines that start at the same moment, and waits for all of them.
func Concurrently(n int, work func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			work(i)
		})
	}
	done.Wait()
}
