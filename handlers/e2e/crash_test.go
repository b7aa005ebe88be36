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

// points are the moments between a verified signature and the answer to it, in the order in which an event passes them.
// Each is reached by three events at once: a payment, a refund and a dispute.
var points = []struct {
	name  string
	reach func(*moment) *barrier
	left  string // of the events, when the server is dead and the database has brought its last statement to an end
	lost  string // when its connections ended with it
}{
	{"verified, about to be looked up", func(m *moment) *barrier {
		return m.stop(func(b *barrier) { b.lock(m.t, `LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE`) })
	}, nothing, nothing},
	{"new, about to be stored", func(m *moment) *barrier {
		return m.stop(func(b *barrier) { b.lock(m.t, `LOCK TABLE stripe_events IN SHARE MODE`) })
	}, nothing, nothing},
	{"waiting for the payment", func(m *moment) *barrier {
		return m.stop(func(b *barrier) {
			for _, o := range m.orders {
				b.lock(m.t, `SELECT pg_advisory_xact_lock(hashtextextended(?, 0))`, "payment:"+o.payment())
			}
		})
	}, nothing, nothing},
	{"waiting for the purchase", func(m *moment) *barrier {
		return m.stop(func(b *barrier) {
			for _, o := range m.orders {
				b.lock(m.t, `SELECT 1 FROM purchases WHERE id = ? FOR UPDATE`, o.id)
			}
		})
	}, nothing, nothing},
	{"writing what Stripe said", func(m *moment) *barrier { return m.gate("payment", "refund", "dispute") }, nothing, nothing},
	{"waiting for the user", func(m *moment) *barrier {
		return m.stop(func(b *barrier) {
			for _, o := range m.orders {
				b.lock(m.t, `SELECT 1 FROM users WHERE id = ? FOR UPDATE`, o.user)
			}
		})
	}, nothing, nothing},
	{"writing the line", func(m *moment) *barrier {
		return m.stop(func(b *barrier) { b.lock(m.t, `LOCK TABLE credit_transactions IN SHARE MODE`) })
	}, nothing, nothing},
	{"moving the balance", func(m *moment) *barrier { return m.gate("balance") }, nothing, nothing},
	{"writing what was booked onto the purchase", func(m *moment) *barrier { return m.gate("settled") }, nothing, nothing},
	{"committing", func(m *moment) *barrier { return m.gate("commit") }, done, nothing},
	{"committed, and the server has not heard of it", func(m *moment) *barrier {
		b := m.gate("commit")
		m.signal(syscall.SIGSTOP) // it stays so until it dies, or until its connections have
		b.open()
		m.shop.eventually(m.t, "events are done", func() int64 { return m.as(done) }, int64(len(m.notices)))
		return b
	}, done, done},
	{"booked, an event that waited for it not yet", func(m *moment) *barrier {
		m.sender.sendAll(m.t, 1, append(m.notices[1:], m.orders[0].refund(1000))...)
		m.notices = m.notices[:1]
		b := m.shop.barrier(m.t)
		b.close(m.t, "commit")
		m.send()
		b = b.closeBehind(m.t, 1, `LOCK TABLE stripe_events IN ACCESS EXCLUSIVE MODE`)
		b.await(m.t, 1)
		return b
	}, done, done},
	{"not booked, being stored by itself", func(m *moment) *barrier {
		m.spoil()
		return m.gate("alone")
	}, received, nothing},
	{"stored by itself, the failure not written down", func(m *moment) *barrier {
		m.spoil()
		return m.gate("failure")
	}, received, received},
}

// deaths are what may end at such a moment.
var deaths = []struct {
	name                string
	server, connections bool
}{
	{"the server dies", true, false},
	{"the server dies with its connections", true, true},
	{"the connections end", false, true},
}

// moment is one death at one point.
type moment struct {
	t       *testing.T
	shop    *shop
	server  *site
	sender  *sender
	orders  []*order
	notices []notice
	sending *sync.WaitGroup
	mend    func()
}

// spoil lets no line into the ledger, until the moment is over: nothing can be booked.
func (m *moment) spoil() {
	m.t.Helper()
	m.shop.exec(m.t, `ALTER TABLE credit_transactions ADD CONSTRAINT spoilt CHECK (delta_credits = 0) NOT VALID`)
	m.mend = func() { m.shop.exec(m.t, `ALTER TABLE credit_transactions DROP CONSTRAINT spoilt`) }
}

// send begins to deliver the moment's events; it goes on until they are accepted.
func (m *moment) send() {
	for _, n := range m.notices {
		m.sending.Go(func() { m.sender.send(m.t, n) })
	}
}

// stop closes a barrier, sends the events and returns when all of them wait there.
func (m *moment) stop(lock func(*barrier)) *barrier {
	m.t.Helper()
	b := m.shop.barrier(m.t)
	lock(b)
	m.send()
	b.await(m.t, len(m.notices))
	return b
}

func (m *moment) gate(names ...string) *barrier {
	m.t.Helper()
	return m.stop(func(b *barrier) { b.close(m.t, names...) })
}

func (m *moment) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.server.cmd.Process.Signal(s); err != nil {
		m.t.Fatalf("signal %s: %v", s, err)
	}
}

func (m *moment) ids() []string {
	ids := make([]string, len(m.notices))
	for i, n := range m.notices {
		ids[i] = n.id
	}
	return ids
}

// as is how many of the moment's events have this status.
func (m *moment) as(status string) int64 {
	m.t.Helper()
	return m.shop.count(m.t, `SELECT count(*) FROM stripe_events WHERE event_id IN ? AND status = ?`, m.ids(), status)
}

// wantLeft checks what the dead server left of the events, and that those are done whose credits moved.
func (m *moment) wantLeft(left string) {
	m.t.Helper()
	stored := m.shop.count(m.t, `SELECT count(*) FROM stripe_events WHERE event_id IN ?`, m.ids())
	switch left {
	case nothing:
		if stored != 0 {
			m.t.Errorf("%d events are stored, want none", stored)
		}
	default:
		if n := m.as(left); n != int64(len(m.notices)) {
			m.t.Errorf("%d events are %s, want all %d", n, left, len(m.notices))
		}
	}
	lines := m.shop.count(m.t, `SELECT count(*) FROM credit_transactions WHERE stripe_event_id IN ?`, m.ids())
	if n := m.as(done); n != lines {
		m.t.Errorf("%d events are done and %d are in the ledger, want the same", n, lines)
	}
}

// chain is one server after the other on one database, each dying at the next point.
type chain struct {
	shop   *shop
	sender *sender
	server *site
	start  func() *site
	all    []*order
}

func newChain(t *testing.T) *chain {
	c := &chain{shop: newShop(t, 3).gated(t)}
	port, dir := freePort(t), workDir(t)
	c.start = func() *site { return startOn(t, port, dir, c.shop.env()...) }
	c.server = c.start()
	c.sender = newSender(t, func(int) string { return c.server.url })
	return c
}

// moment prepares three purchases of three people: one is to be paid, one to be refunded in part, one to be disputed.
func (c *chain) moment(t *testing.T) *moment {
	t.Helper()
	m := &moment{t: t, shop: c.shop, server: c.server, sender: c.sender, sending: &sync.WaitGroup{}, mend: func() {}}
	t.Cleanup(m.sending.Wait)
	for _, user := range c.shop.users {
		m.orders = append(m.orders, c.shop.order(t, user))
	}
	paid, refunded, disputed := m.orders[0], m.orders[1], m.orders[2]
	c.sender.sendAll(t, 1, refunded.paid(), disputed.paid())
	m.notices = []notice{paid.paid(), refunded.refund(1000), disputed.dispute("charge.dispute.created", "needs_response", soldCents)}
	c.all = append(c.all, m.orders...)
	return m
}

// revive starts the next server, for which the events that are stored are due at once.
func (c *chain) revive(m *moment, left string) {
	m.t.Helper()
	c.shop.alone(m.t)
	m.wantLeft(left)
	c.shop.due(m.t)
	c.server = c.start()
}

// A server that is killed anywhere between receipt and answer, or loses its connections there, credits what was paid and
// takes back what was refunded or disputed exactly once: Stripe sends again what it got no answer to, and the worker of
// the next server books what was stored.
func TestKilledBetweenReceiptAndAnswer(t *testing.T) {
	t.Parallel()
	for i, d := range deaths {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			for j, p := range points {
				if !dbtest.Full() && j%len(deaths) != i {
					continue // another death has its turn at this point
				}
				t.Run(p.name, func(t *testing.T) {
					m := c.moment(t)
					b := p.reach(m)
					left := p.left
					if d.server {
						c.server.kill()
					}
					if d.connections {
						c.shop.disconnect(t)
						left = p.lost
					}
					b.open()
					m.mend()
					if d.server {
						c.revive(m, left)
					} else {
						m.signal(syscall.SIGCONT)
					}
					m.sending.Wait()
					c.sender.sendAll(t, 2, m.notices...)
					c.shop.drain(t, c.sent())
					c.shop.wantBooked(t, c.all...)
				})
			}
		})
	}
}

// sent is how many events there are.
func (c *chain) sent() int64 {
	var n int64
	for _, o := range c.all {
		n += int64(len(o.events))
	}
	return n
}
