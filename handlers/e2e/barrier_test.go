package e2e

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

// barrier is a transaction of the test's own whose locks a server waits for.
type barrier struct {
	fx  *fixture
	tx  *gorm.DB
	pid int
}

// gates are places inside of what the product does in one statement or at COMMIT, where there is no lock to hold: there a
// trigger of the test's own asks for one. Sharing it, servers do not wait for each other.
var checkpoints = []struct{ name, trigger string }{
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
func (fx *fixture) withCheckpoints(t testing.TB) *fixture {
	t.Helper()
	fx.exec(t, `CREATE FUNCTION checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_NAME = 'checkpoint_commit' THEN -- of one that is done when the transaction ends; it may have been written so before
				PERFORM 1 FROM stripe_events WHERE event_id = NEW.event_id AND status = 'done';
				IF NOT FOUND THEN RETURN NEW; END IF;
			END IF;
			PERFORM pg_advisory_xact_lock_shared(hashtext(TG_NAME));
			RETURN NEW;
		END $$`)
	for _, g := range checkpoints {
		fx.exec(t, fmt.Sprintf(g.trigger, "checkpoint_"+g.name)+` EXECUTE FUNCTION checkpoint()`)
	}
	return fx
}

// barrier begins the transaction; the test's end opens what a failure left closed.
func (fx *fixture) barrier(t testing.TB) *barrier {
	t.Helper()
	b := &barrier{fx: fx, tx: fx.db.Begin()}
	t.Cleanup(b.unlock)
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
func (b *barrier) block(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		b.lock(t, `SELECT pg_advisory_xact_lock(hashtext(?))`, "checkpoint_"+name)
	}
}

// lockNext takes a lock that n statements, held at this barrier, are in the way of, lets them go, and returns when it
// has the lock: whatever comes next waits, though there was nothing to hold it by before.
func (b *barrier) lockNext(t testing.TB, n int, sql string) *barrier {
	t.Helper()
	b.waitForBlocked(t, n)
	next, locked := b.fx.barrier(t), make(chan error, 1)
	go func() { locked <- next.tx.Exec(sql).Error }()
	b.fx.eventually(t, "the next lock is asked for", func() int64 {
		return b.fx.count(t, `SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event_type = 'Lock'`, next.pid)
	}, 1)
	b.unlock()
	if err := <-locked; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return next
}

// await returns when n connections wait for what the barrier holds.
func (b *barrier) waitForBlocked(t testing.TB, n int) {
	t.Helper()
	b.fx.eventually(t, "servers wait at this point", func() int64 {
		return b.fx.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND ? = ANY (pg_blocking_pids(pid))`, b.pid)
	}, int64(n))
}

// open lets everybody go on. Idempotent.
func (b *barrier) unlock() { b.tx.Rollback() }

// count reads one number.
func (fx *fixture) count(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := fx.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// eventually polls a count until it is as wanted.
func (fx *fixture) eventually(t testing.TB, what string, count func() int64, want int64) {
	t.Helper()
	dbtest.Eventually(t, fmt.Sprintf("%s: %d", what, want), func() bool { return count() == want })
}

// disconnect ends every connection of the servers.
func (fx *fixture) disconnect(t testing.TB) {
	t.Helper()
	fx.count(t, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?`, serverName)
}

// alone returns when no statement of a server runs any more, also none whose server is dead.
func (fx *fixture) waitForDisconnect(t testing.TB) {
	t.Helper()
	fx.eventually(t, "connections of dead servers", func() int64 {
		return fx.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?`, serverName)
	}, 0)
}
