package e2e

import (
	"sync"
	"syscall"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// Statuses of a case's events after the crash.
const (
	nothing  = ""         // not stored: Stripe sends them again
	received = "received" // stored: the worker books them
	done     = "done"     // booked
)

// crashPoints are the steps between a verified signature and the answer, in order. Three events reach each step
// together: a payment, a refund and a dispute.
var crashPoints = []struct {
	name            string
	reach           func(*crashCase) *barrier
	afterKill       string // events' status once the database has finished the dead server's last statement
	afterDisconnect string // events' status if the connections ended too
}{
	{"before the lookup of a verified event", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) { b.lock(c.t, `LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE`) })
	}, nothing, nothing},
	{"before a new event is stored", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) { b.lock(c.t, `LOCK TABLE stripe_events IN SHARE MODE`) })
	}, nothing, nothing},
	{"before the lock of the payment", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) {
			for _, p := range c.purchases {
				b.lock(c.t, `SELECT pg_advisory_xact_lock(hashtextextended(?, 0))`, "payment:"+p.payment())
			}
		})
	}, nothing, nothing},
	{"before the lock of the purchase", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) {
			for _, p := range c.purchases {
				b.lock(c.t, `SELECT 1 FROM purchases WHERE id = ? FOR UPDATE`, p.id)
			}
		})
	}, nothing, nothing},
	{"while payment, refund and dispute are written",
		func(c *crashCase) *barrier { return c.stopAtCheckpoint("payment", "refund", "dispute") }, nothing, nothing},
	{"before the lock of the user", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) {
			for _, p := range c.purchases {
				b.lock(c.t, `SELECT 1 FROM users WHERE id = ? FOR UPDATE`, p.user)
			}
		})
	}, nothing, nothing},
	{"before the entry is written", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) { b.lock(c.t, `LOCK TABLE credit_transactions IN SHARE MODE`) })
	}, nothing, nothing},
	{"while the balance is updated", func(c *crashCase) *barrier { return c.stopAtCheckpoint("balance") }, nothing,
		nothing},
	{"while the purchase's totals are updated", func(c *crashCase) *barrier { return c.stopAtCheckpoint("settled") },
		nothing, nothing},
	{"during COMMIT", func(c *crashCase) *barrier { return c.stopAtCheckpoint("commit") }, done, nothing},
	{"after COMMIT, before the server learns of it", func(c *crashCase) *barrier {
		b := c.stopAtCheckpoint("commit")
		c.signal(syscall.SIGSTOP) // stopped until it is killed or its connections end
		b.unlock()
		dbtest.Reaches(c.t, "events with status done", func() int64 { return c.countByStatus(done) }, int64(len(c.events)))
		return b
	}, done, done},
	{"after booking, before a deferred event is booked", func(c *crashCase) *barrier {
		c.sender.sendAll(c.t, 1, append(c.events[1:], c.purchases[0].refund(1000))...)
		c.events = c.events[:1]
		b := c.fx.barrier(c.t)
		b.block(c.t, "commit")
		c.send()
		b = b.lockNext(c.t, 1, `LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE`)
		b.waitForBlocked(c.t, 1)
		return b
	}, done, done},
	{"while an event that failed to book is stored", func(c *crashCase) *barrier {
		c.rejectEntries()
		return c.stopAtCheckpoint("alone")
	}, received, nothing},
	{"before the failure of a stored event is recorded", func(c *crashCase) *barrier {
		c.rejectEntries()
		return c.stopAtCheckpoint("failure")
	}, received, received},
}

// failures are what ends at a crash point.
var failures = []struct {
	name                string
	server, connections bool
}{
	{"the server dies", true, false},
	{"the server dies with its connections", true, true},
	{"the connections end", false, true},
}

// crashCase is one failure at one crash point.
type crashCase struct {
	t            *testing.T
	fx           *fixture
	server       *site
	sender       *eventSender
	purchases    []*purchase
	events       []stripeEvent
	sending      *sync.WaitGroup
	allowEntries func()
}

// rejectEntries makes every insert into the ledger fail until allowEntries is called.
func (c *crashCase) rejectEntries() {
	c.t.Helper()
	c.fx.exec(c.t, `ALTER TABLE credit_transactions ADD CONSTRAINT no_entries CHECK (delta_credits = 0) NOT VALID`)
	c.allowEntries = func() { c.fx.exec(c.t, `ALTER TABLE credit_transactions DROP CONSTRAINT no_entries`) }
}

// send delivers the case's events in the background until the server accepts them.
func (c *crashCase) send() {
	for _, n := range c.events {
		c.sending.Go(func() { c.sender.send(c.t, n) })
	}
}

// stopAt takes a barrier's locks, sends the events, and returns when all of them wait there.
func (c *crashCase) stopAt(lock func(*barrier)) *barrier {
	c.t.Helper()
	b := c.fx.barrier(c.t)
	lock(b)
	c.send()
	b.waitForBlocked(c.t, len(c.events))
	return b
}

func (c *crashCase) stopAtCheckpoint(names ...string) *barrier {
	c.t.Helper()
	return c.stopAt(func(b *barrier) { b.block(c.t, names...) })
}

func (c *crashCase) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.server.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("signal %s: %v", s, err)
	}
}

func (c *crashCase) ids() []string {
	ids := make([]string, len(c.events))
	for i, n := range c.events {
		ids[i] = n.id
	}
	return ids
}

// countByStatus counts the case's events with a status.
func (c *crashCase) countByStatus(status string) int64 {
	c.t.Helper()
	return c.fx.count(c.t, `SELECT count(*) FROM stripe_events WHERE event_id IN ? AND status = ?`, c.ids(), status)
}

// checkEvents checks the events' status after the crash, and that an event is done if and only if the ledger has its
// entry.
func (c *crashCase) checkEvents(status string) {
	c.t.Helper()
	stored := c.fx.count(c.t, `SELECT count(*) FROM stripe_events WHERE event_id IN ?`, c.ids())
	switch status {
	case nothing:
		if stored != 0 {
			c.t.Errorf("%d events stored, want 0", stored)
		}
	default:
		if n := c.countByStatus(status); n != int64(len(c.events)) {
			c.t.Errorf("%d events with status %s, want %d", n, status, len(c.events))
		}
	}
	entries := c.fx.count(c.t, `SELECT count(*) FROM credit_transactions WHERE stripe_event_id IN ?`, c.ids())
	if n := c.countByStatus(done); n != entries {
		c.t.Errorf("%d events done, %d entries in the ledger, want the same number", n, entries)
	}
}

// crashRun is a series of servers on one database, each failing at the next crash point.
type crashRun struct {
	fx     *fixture
	sender *eventSender
	server *site
	start  func() *site
	all    []*purchase
}

func newCrashRun(t *testing.T) *crashRun {
	run := &crashRun{fx: newFixture(t, 3).withCheckpoints(t)}
	port, dir := freePort(t), workDir(t)
	run.start = func() *site { return startOn(t, port, dir, run.fx.env()...) }
	run.server = run.start()
	run.sender = newEventSender(t, func(int) string { return run.server.url })
	return run
}

// newCase prepares three users' purchases: one to be paid, one to be refunded in part, one to be disputed.
func (run *crashRun) newCase(t *testing.T) *crashCase {
	t.Helper()
	c := &crashCase{t: t, fx: run.fx, server: run.server, sender: run.sender, sending: &sync.WaitGroup{},
		allowEntries: func() {}}
	t.Cleanup(c.sending.Wait)
	for _, user := range run.fx.users {
		c.purchases = append(c.purchases, run.fx.newPurchase(t, user))
	}
	paid, refunded, disputed := c.purchases[0], c.purchases[1], c.purchases[2]
	run.sender.sendAll(t, 1, refunded.paid(), disputed.paid())
	c.events = []stripeEvent{paid.paid(), refunded.refund(1000),
		disputed.dispute("charge.dispute.created", "needs_response", packageCents)}
	run.all = append(run.all, c.purchases...)
	return c
}

// restart checks the events and starts the next server, which finds the stored ones due.
func (run *crashRun) restart(c *crashCase, status string) {
	c.t.Helper()
	run.fx.waitForDisconnect(c.t)
	c.checkEvents(status)
	run.fx.makeEventsDue(c.t)
	run.server = run.start()
}

// A server that is killed, or loses its connections, anywhere between receipt and answer books every payment, refund
// and dispute exactly once: Stripe repeats unanswered events, and the next server's worker books stored ones.
func TestKilledBetweenReceiptAndAnswer(t *testing.T) {
	t.Parallel()
	for i, d := range failures {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			run := newCrashRun(t)
			for j, p := range crashPoints {
				if !dbtest.Full() && j%len(failures) != i {
					continue // another failure covers this point
				}
				t.Run(p.name, func(t *testing.T) {
					c := run.newCase(t)
					b := p.reach(c)
					want := p.afterKill
					if d.server {
						run.server.kill()
					}
					if d.connections {
						run.fx.disconnect(t)
						want = p.afterDisconnect
					}
					b.unlock()
					c.allowEntries()
					if d.server {
						run.restart(c, want)
					} else {
						c.signal(syscall.SIGCONT)
					}
					c.sending.Wait()
					run.sender.sendAll(t, 2, c.events...)
					run.fx.waitForEvents(t, run.countEvents())
					run.fx.checkPurchases(t, run.all...)
				})
			}
		})
	}
}

// countEvents counts the events of all purchases.
func (run *crashRun) countEvents() int64 {
	var n int64
	for _, p := range run.all {
		n += int64(len(p.events))
	}
	return n
}
