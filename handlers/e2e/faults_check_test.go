package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

// finish ends the load, waits until every event is booked, and compares the database with the clients' record, unless
// the trial has shown enough.
func (l *load) finish() {
	l.tr.Helper()
	l.stop()
	l.lastOK = time.Time{} // the silence ends with the clients' work
	l.report()
	if l.tr.shownEnough() {
		return
	}
	l.waitForDatabase()
	sent := int64(0)
	for _, p := range l.bought {
		sent += int64(len(p.events))
	}
	l.tr.acknowledged += len(l.acked) + int(sent)
	l.fx.waitForEvents(l.tr, sent)
	l.replay()
	l.compare(l.fx.db, l.acked, l.bought, true)
}

func (l *load) waitForDatabase() {
	l.tr.Helper()
	dbtest.Eventually(l.tr, "the database answers", func() bool { return l.fx.db.Exec(`SELECT 1`).Error == nil })
}

// replay repeats acknowledged requests: each must give its first answer.
func (l *load) replay() {
	l.tr.Helper()
	for range min(50, len(l.acked)) {
		a := l.acked[rand.IntN(len(l.acked))]
		var again struct{ TransactionID int64 }
		body := l.repeat(l.post(a.path, a.key, a.body))
		if err := json.Unmarshal(body, &again); err != nil || again.TransactionID != a.transaction {
			l.tr.double++
			l.tr.failf("%s repeated: movement %d, want %d", a.path, again.TransactionID, a.transaction)
		}
	}
}

// compare counts what the database lost, booked twice or got wrong. If exact, it holds what was acknowledged and
// nothing else.
func (l *load) compare(db *gorm.DB, acked []ack, bought []*purchase, exact bool) {
	l.tr.Helper()
	type entry struct {
		ID, UserID int64
		CreatedAt  time.Time
	}
	var rows []entry
	var clock time.Time
	l.tr.try(db.Raw(`SELECT id, user_id, created_at FROM credit_transactions WHERE reason = 'job_match'`).Scan(&rows).Error)
	l.tr.try(db.Raw(`SELECT clock_timestamp()`).Scan(&clock).Error)
	ahead := time.Until(clock) - time.Millisecond // the database's clock, at least
	entries := map[int64]entry{}
	for _, r := range rows {
		entries[r.ID] = r
	}
	seen, untrue := map[int64]bool{}, 0
	for _, a := range acked {
		booked := entries[a.transaction]
		if booked.UserID != a.user || seen[a.transaction] {
			l.tr.lost++
		} else if booked.CreatedAt.Before(a.began.Add(ahead)) && !a.began.IsZero() {
			untrue++
		}
		seen[a.transaction] = true
	}
	if untrue > 0 {
		l.tr.failf("%d movements of %d were booked when every answer so far said that nothing was", untrue, len(acked))
	}
	if exact {
		l.tr.double += max(len(rows)-len(seen), 0)
	}
	found := (&fixture{db: db}).entriesOfPurchases(l.tr)
	for _, p := range bought {
		switch got, want := found[p.id].Entries, p.expected(); {
		case got.Granted < want.Granted || got.Refunded < want.Refunded:
			l.tr.lost++
		case got != want:
			l.tr.double++
		}
	}
	if l.tr.lost > 0 || l.tr.double > 0 {
		l.tr.failf("%d lost and %d double of %d movements and %d purchases", l.tr.lost, l.tr.double, len(acked), len(bought))
	}
	if !l.tr.Run("invariants", func(t *testing.T) { dbtest.CheckLedger(t, db) }) {
		l.tr.broken++
	}
}
