package e2e

import (
	"sync"
	"syscall"
	"testing"

	"github.com/resume-matcher/credits/models/dbtest"
)

// What the events of a moment have become when it is over.
const (
	nothing  = ""         // not stored: only Stripe knows them
	received = "received" // stored: the worker books them
	done     = "done"     // booked
)

// crashPoints are the moments between a verified signature and the answer to it, in the order in which an event passes them.
// Each is reached by three events at once: a payment, a refund and a dispute.
var crashPoints = []struct {
	name            string
	reach           func(*crashCase) *barrier
	afterKill       string // of the events, when the server is dead and the database has brought its last statement to an end
	afterDisconnect string // when its connections ended with it
}{
	{"verified, about to be looked up", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) { b.lock(c.t, `LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE`) })
	}, nothing, nothing},
	{"new, about to be stored", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) { b.lock(c.t, `LOCK TABLE stripe_events IN SHARE MODE`) })
	}, nothing, nothing},
	{"waiting for the payment", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) {
			for _, p := range c.purchases {
				b.lock(c.t, `SELECT pg_advisory_xact_lock(hashtextextended(?, 0))`, "payment:"+p.payment())
			}
		})
	}, nothing, nothing},
	{"waiting for the purchase", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) {
			for _, p := range c.purchases {
				b.lock(c.t, `SELECT 1 FROM purchases WHERE id = ? FOR UPDATE`, p.id)
			}
		})
	}, nothing, nothing},
	{"writing what Stripe said", func(c *crashCase) *barrier { return c.stopAtCheckpoint("payment", "refund", "dispute") }, nothing, nothing},
	{"waiting for the user", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) {
			for _, p := range c.purchases {
				b.lock(c.t, `SELECT 1 FROM users WHERE id = ? FOR UPDATE`, p.user)
			}
		})
	}, nothing, nothing},
	{"writing the line", func(c *crashCase) *barrier {
		return c.stopAt(func(b *barrier) { b.lock(c.t, `LOCK TABLE credit_transactions IN SHARE MODE`) })
	}, nothing, nothing},
	{"moving the balance", func(c *crashCase) *barrier { return c.stopAtCheckpoint("balance") }, nothing, nothing},
	{"writing what was booked onto the purchase", func(c *crashCase) *barrier { return c.stopAtCheckpoint("settled") }, nothing, nothing},
	{"committing", func(c *crashCase) *barrier { return c.stopAtCheckpoint("commit") }, done, nothing},
	{"committed, and the server has not heard of it", func(c *crashCase) *barrier {
		b := c.stopAtCheckpoint("commit")
		c.signal(syscall.SIGSTOP) // it stays so until it dies, or until its connections have
		b.unlock()
		c.fx.eventually(c.t, "events are done", func() int64 { return c.countByStatus(done) }, int64(len(c.events)))
		return b
	}, done, done},
	{"booked, an event that waited for it not yet", func(c *crashCase) *barrier {
		c.sender.sendAll(c.t, 1, append(c.events[1:], c.purchases[0].refund(1000))...)
		c.events = c.events[:1]
		b := c.fx.barrier(c.t)
		b.block(c.t, "commit")
		c.send()
		b = b.lockNext(c.t, 1, `LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE`)
		b.waitForBlocked(c.t, 1)
		return b
	}, done, done},
	{"not booked, being stored by itself", func(c *crashCase) *barrier {
		c.rejectEntries()
		return c.stopAtCheckpoint("alone")
	}, received, nothing},
	{"stored by itself, the failure not written down", func(c *crashCase) *barrier {
		c.rejectEntries()
		return c.stopAtCheckpoint("failure")
	}, received, received},
}

// failures are what may end at such a moment.
var failures = []struct {
	name                string
	server, connections bool
}{
	{"the server dies", true, false},
	{"the server dies with its connections", true, true},
	{"the connections end", false, true},
}

// moment is one death at one point.
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

// spoil lets no line into the ledger, until the moment is over: nothing can be booked.
func (c *crashCase) rejectEntries() {
	c.t.Helper()
	c.fx.exec(c.t, `ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0) NOT VALID`)
	c.allowEntries = func() { c.fx.exec(c.t, `ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`) }
}

// send begins to deliver the moment's events; it goes on until they are accepted.
func (c *crashCase) send() {
	for _, n := range c.events {
		c.sending.Go(func() { c.sender.send(c.t, n) })
	}
}

// stop closes a barrier, sends the events and returns when all of them wait there.
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

// as is how many of the moment's events have this status.
func (c *crashCase) countByStatus(status string) int64 {
	c.t.Helper()
	return c.fx.count(c.t, `SELECT count(*) FROM stripe_events WHERE event_id IN ? AND status = ?`, c.ids(), status)
}

// checkEvents checks what the dead server left of the events, and that those are done whose credits moved.
func (c *crashCase) checkEvents(status string) {
	c.t.Helper()
	stored := c.fx.count(c.t, `SELECT count(*) FROM stripe_events WHERE event_id IN ?`, c.ids())
	switch status {
	case nothing:
		if stored != 0 {
			c.t.Errorf("%d events are stored, want none", stored)
		}
	default:
		if n := c.countByStatus(status); n != int64(len(c.events)) {
			c.t.Errorf("%d events are %s, want all %d", n, status, len(c.events))
		}
	}
	lines := c.fx.count(c.t, `SELECT count(*) FROM credit_transactions WHERE stripe_event_id IN ?`, c.ids())
	if n := c.countByStatus(done); n != lines {
		c.t.Errorf("%d events are done and %d are in the ledger, want the same", n, lines)
	}
}

// chain is one server after the other on one database, each dying at the next point.
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

// moment prepares three purchases of three people: one is to be paid, one to be refunded in part, one to be disputed.
func (run *crashRun) newCase(t *testing.T) *crashCase {
	t.Helper()
	c := &crashCase{t: t, fx: run.fx, server: run.server, sender: run.sender, sending: &sync.WaitGroup{}, allowEntries: func() {}}
	t.Cleanup(c.sending.Wait)
	for _, user := range run.fx.users {
		c.purchases = append(c.purchases, run.fx.newPurchase(t, user))
	}
	paid, refunded, disputed := c.purchases[0], c.purchases[1], c.purchases[2]
	run.sender.sendAll(t, 1, refunded.paid(), disputed.paid())
	c.events = []stripeEvent{paid.paid(), refunded.refund(1000), disputed.dispute("charge.dispute.created", "needs_response", packageCents)}
	run.all = append(run.all, c.purchases...)
	return c
}

// revive starts the next server, for which the events that are stored are due at once.
func (run *crashRun) restart(c *crashCase, status string) {
	c.t.Helper()
	run.fx.waitForDisconnect(c.t)
	c.checkEvents(status)
	run.fx.makeEventsDue(c.t)
	run.server = run.start()
}

// A server that is killed anywhere between receipt and answer, or loses its connections there, credits what was paid and
// takes back what was refunded or disputed exactly once: Stripe sends again what it got no answer to, and the worker of
// the next server books what was stored.
func TestKilledBetweenReceiptAndAnswer(t *testing.T) {
	t.Parallel()
	for i, d := range failures {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			run := newCrashRun(t)
			for j, p := range crashPoints {
				if !dbtest.Full() && j%len(failures) != i {
					continue // another death has its turn at this point
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

// sent is how many events there are.
func (run *crashRun) countEvents() int64 {
	var n int64
	for _, p := range run.all {
		n += int64(len(p.events))
	}
	return n
}
