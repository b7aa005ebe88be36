package e2e

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
)

// barrier is a transaction of the test that holds locks the server waits for.
type barrier struct {
	fx  *fixture
	tx  *gorm.DB
	pid int
}

// checkpoints are points within one statement or at COMMIT, where the server takes no lock that a test could hold. A
// trigger of the test takes a shared advisory lock there, so servers do not block each other.
var checkpoints = []struct{ name, trigger string }{
	{"payment", `CREATE TRIGGER %s BEFORE UPDATE OF payment_intent_id ON purchases FOR EACH ROW`},
	{"refund", `CREATE TRIGGER %s BEFORE INSERT ON stripe_refunds FOR EACH ROW`},
	{"dispute", `CREATE TRIGGER %s BEFORE INSERT ON stripe_disputes FOR EACH ROW`},
	{"balance", `CREATE TRIGGER %s BEFORE UPDATE OF credits_balance ON users FOR EACH ROW`},
	{"settled",
		`CREATE TRIGGER %s BEFORE UPDATE OF credits_granted, credits_refunded, credits_disputed ON purchases FOR EACH ROW`},
	{"commit",
		`CREATE CONSTRAINT TRIGGER %s AFTER INSERT OR UPDATE OF status ON stripe_events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.status = 'done')`},
	{"alone", `CREATE CONSTRAINT TRIGGER %s AFTER INSERT ON stripe_events DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW WHEN (NEW.status = 'received')`},
	{"failure", `CREATE TRIGGER %s BEFORE UPDATE OF status ON stripe_events FOR EACH ROW WHEN (NEW.status = 'failed')`},
}

// withCheckpoints adds the checkpoint triggers to the fixture's database.
func (fx *fixture) withCheckpoints(t testing.TB) *fixture {
	t.Helper()
	fx.exec(t, `CREATE FUNCTION checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF TG_NAME = 'checkpoint_commit' THEN -- only if the event is still done when the transaction ends
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

// barrier begins the transaction. The end of the test releases it.
func (fx *fixture) barrier(t testing.TB) *barrier {
	t.Helper()
	b := &barrier{fx: fx, tx: fx.db.Begin()}
	t.Cleanup(b.unlock)
	if err := b.tx.Raw(`SELECT pg_backend_pid()`).Scan(&b.pid).Error; err != nil {
		t.Fatalf("read the barrier's pid: %v", err)
	}
	return b
}

// lock runs a statement whose locks block the server.
func (b *barrier) lock(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := b.tx.Exec(sql, args...).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// block holds the named checkpoints, so that the server waits there.
func (b *barrier) block(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		b.lock(t, `SELECT pg_advisory_xact_lock(hashtext(?))`, "checkpoint_"+name)
	}
}

// lockNext queues for a lock that the n statements at this barrier still hold, lets them go, and returns once it has
// the lock: whatever the server does next waits, although no lock could stop it before.
func (b *barrier) lockNext(t testing.TB, n int, sql string) *barrier {
	t.Helper()
	b.waitForBlocked(t, n)
	next, locked := b.fx.barrier(t), make(chan error, 1)
	go func() { locked <- next.tx.Exec(sql).Error }()
	dbtest.Reaches(t, "transactions waiting for the next lock", func() int64 {
		return b.fx.count(t, `SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event_type = 'Lock'`, next.pid)
	}, 1)
	b.unlock()
	if err := <-locked; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return next
}

// waitForBlocked returns when n connections wait for the barrier's locks.
func (b *barrier) waitForBlocked(t testing.TB, n int) {
	t.Helper()
	dbtest.Reaches(t, "connections waiting at the barrier", func() int64 {
		return b.fx.count(t,
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND ? = ANY (pg_blocking_pids(pid))`,
			b.pid)
	}, int64(n))
}

// unlock releases the barrier's locks. Idempotent.
func (b *barrier) unlock() { b.tx.Rollback() }

// count runs a query that returns one number.
func (fx *fixture) count(t testing.TB, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := fx.db.Raw(sql, args...).Scan(&n).Error; err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// disconnect terminates the servers' database connections.
func (fx *fixture) disconnect(t testing.TB) {
	t.Helper()
	fx.count(t,
		`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?`, serverName)
}

// waitForDisconnect returns when no server has a database connection, dead servers included.
func (fx *fixture) waitForDisconnect(t testing.TB) {
	t.Helper()
	dbtest.Reaches(t, "connections of dead servers", func() int64 {
		return fx.count(t,
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?`, serverName)
	}, 0)
}
