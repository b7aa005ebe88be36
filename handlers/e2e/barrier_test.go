package e2e

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

// barrier is a transaction of the test's own whose locks a server waits for.
type barrier struct {
	shop *shop
	tx   *gorm.DB
	pid  int
}

// gates are places inside of what the product does in one statement or at COMMIT, where there is no lock to hold: there a
// trigger of the test's own asks for one. Sharing it, servers do not wait for each other.
var gates = []struct{ name, trigger string }{
	{"payment", `CREATE TRIGGER %s BEFORE UPDATE OF payment_intent_id ON purchases FOR EACH ROW`},
	{"refund", `CREATE TRIGGER %s BEFORE INSERT ON stripe_refunds FOR EACH ROW`},
	{"dispute", `CREATE TRIGGER %s BEFORE INSERT ON stripe_disputes FOR EACH ROW`},
	{"balance", `CREATE TRIGGER %s BEFORE UPDATE OF credits_balance ON users FOR EACH ROW`},
	{"settled", `CREATE TRIGGER %s BEFORE UPDATE OF credits_granted, credits_refunded, credits_disputed ON purchases FOR EACH ROW`},
	{"commit", `CREATE CONSTRAINT TRIGGER %s AFTER INSERT OR UPDATE OF status ON stripe_events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.status = 'done')`},
	{"alone", `CREATE CONSTRAINT TRIGGER %s AFTER INSERT ON stripe_events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.status = 'received')`},
	{"failure", `CREATE TRIGGER %s BEFORE UPDATE OF status ON stripe_events FOR EACH ROW WHEN (NEW.status = 'failed')`},
}

// gated adds the gates to the shop's database.
func (s *shop) gated(t testing.TB) *shop {
	t.Helper()
	s.exec(t, `CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_NAME = 'gate_commit' THEN -- of one that is done when the transaction ends; it may have been written so before
				PERFORM 1 FROM stripe_events WHERE event_id = NEW.event_id AND status = 'done';
				IF NOT FOUND THEN RETURN NEW; END IF;
			END IF;
			PERFORM pg_advisory_xact_lock_shared(hashtext(TG_NAME));
			RETURN NEW;
		END $$`)
	for _, g := range gates {
		s.exec(t, fmt.Sprintf(g.trigger, "gate_"+g.name)+` EXECUTE FUNCTION gate()`)
	}
	return s
}

// barrier begins the transaction; the test's end opens what a failure left closed.
func (s *shop) barrier(t testing.TB) *barrier {
	t.Helper()
	b := &barrier{shop: s, tx: s.db.Begin()}
	t.Cleanup(b.open)
	if err := b.tx.Raw(`SELECT pg_backend_pid()`).Scan(&b.pid).Error; err != nil {
		t.Fatalf("begin: %v", err)
	}
	return b
}

// lock takes a lock, for the server to wait for.
func (b *barrier) lock(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := b.tx.Exec(sql, args...).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// close shuts one of the gates.
func (b *barrier) close(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		b.lock(t, `SELECT pg_advisory_xact_lock(hashtext(?))`, "gate_"+name)
	}
}

// closeBehind takes a lock that n statements, held at this barrier, are in the way of, lets them go, and returns when it
// has the lock: whatever comes next waits, though there was nothing to hold it by before.
func (b *barrier) closeBehind(t testing.TB, n int, sql string) *barrier {
	t.Helper()
	b.await(t, n)
	next, locked := b.shop.barrier(t), make(chan error, 1)
	go func() { locked <- next.tx.Exec(sql).Error }()
	b.shop.eventually(t, "the next lock is asked for", func() int64 {
		return b.shop.count(t, `SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event_type = 'Lock'`, next.pid)
	}, 1)
	b.open()
	if err := <-locked; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return next
}

// await returns when n connections wait for what the barrier holds.
func (b *barrier) await(t testing.TB, n int) {
	t.Helper()
	b.shop.eventually(t, "servers wait at this point", func() int64 {
		return b.shop.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND ? = ANY (pg_blocking_pids(pid))`, b.pid)
	}, int64(n))
}

// open lets everybody go on. Idempotent.
func (b *barrier) open() { b.tx.Rollback() }

// count reads one number.
func (s *shop) count(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := s.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// eventually polls a count until it is as wanted.
func (s *shop) eventually(t testing.TB, what string, count func() int64, want int64) {
	t.Helper()
	dbtest.Eventually(t, fmt.Sprintf("%s: %d", what, want), func() bool { return count() == want })
}

// disconnect ends every connection of the servers.
func (s *shop) disconnect(t testing.TB) {
	t.Helper()
	s.count(t, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?`, serverName)
}

// alone returns when no statement of a server runs any more, also none whose server is dead.
func (s *shop) alone(t testing.TB) {
	t.Helper()
	s.eventually(t, "connections of dead servers", func() int64 {
		return s.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?`, serverName)
	}, 0)
}
