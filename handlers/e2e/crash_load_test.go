package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models/dbtest"
)

const buyers = 3

// market is two replicas on one database, people who buy from them all the time, and Stripe that tells of it.
type market struct {
	t        *testing.T
	shop     *shop
	replicas [2]*site
	dir      string
	ports    [2]int
	sender   *sender
	closed   chan struct{}
	mu       sync.Mutex
	orders   []*order
}

func newMarket(t *testing.T) *market {
	m := &market{t: t, shop: newShop(t, 5), dir: workDir(t), ports: [2]int{freePort(t), freePort(t)}, closed: make(chan struct{})}
	var next atomic.Int64
	m.sender = newSender(t, func(int) string { return fmt.Sprintf("http://localhost:%d", m.ports[next.Add(1)%2]) })
	m.begin(0)
	m.begin(1)
	return m
}

func (m *market) begin(replica int) {
	m.replicas[replica] = startOn(m.t, m.ports[replica], m.dir, m.shop.env()...)
}

// buy makes one purchase after the other until the market is closed. Stripe tells of each in any order, in several
// events that say the same, several times and all at once.
func (m *market) buy(dice *rand.Rand) {
	for {
		select {
		case <-m.closed:
			return
		default:
		}
		o := m.shop.order(m.t, m.shop.users[dice.IntN(len(m.shop.users))])
		m.mu.Lock()
		m.orders = append(m.orders, o)
		m.mu.Unlock()
		o.history(dice)
		notices := append([]notice{}, o.events...)
		for range 1 + dice.IntN(3) {
			notices = append(notices, o.events[dice.IntN(len(o.events))])
		}
		dice.Shuffle(len(notices), func(i, j int) { notices[i], notices[j] = notices[j], notices[i] })
		m.sender.sendAll(m.t, 1, notices...)
	}
}

// history is what becomes of a purchase: it is paid, at once or after days, and perhaps refunded, disputed or both.
func (o *order) history(dice *rand.Rand) {
	if dice.IntN(4) == 0 {
		o.checkout("checkout.session.completed", "1", "unpaid")
		o.checkout("checkout.session.async_payment_succeeded", "2", "paid")
	} else {
		o.paid()
	}
	if dice.IntN(5) == 0 {
		o.checkout("checkout.session.completed", "again", "paid") // Stripe may make two events of one moment
	}
	if dice.IntN(2) == 0 {
		o.refund(1 + dice.Int64N(soldCents))
		o.charge()
	}
	if dice.IntN(4) == 0 {
		cents := 1 + dice.Int64N(soldCents)
		o.dispute("charge.dispute.created", "needs_response", cents)
		if dice.IntN(2) == 0 {
			o.dispute("charge.dispute.closed", []string{"won", "lost"}[dice.IntN(2)], cents)
		}
	}
}

// kill ends one replica or both, perhaps with all connections, in the middle of what they do, and starts them anew.
func (m *market) kill(dice *rand.Rand) {
	for range dice.IntN(16) {
		select {
		case <-m.sender.accepted:
		case <-time.After(patience):
			m.t.Fatal("nothing is accepted any more")
		}
	}
	victims := []int{dice.IntN(2)}
	if dice.IntN(6) == 0 {
		victims = []int{0, 1}
	}
	for _, v := range victims {
		m.replicas[v].kill()
	}
	if dice.IntN(4) == 0 {
		m.shop.disconnect(m.t)
	}
	for _, v := range victims {
		m.begin(v)
	}
}

// Two replicas under load, one or both of them killed at any moment, again and again.
func TestKilledAtRandomUnderLoad(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := newMarket(t)
	var buying sync.WaitGroup
	for i := range uint64(buyers) {
		buying.Go(func() { m.buy(rand.New(rand.NewPCG(seed, i))) })
	}
	stop := sync.OnceFunc(func() { close(m.closed); buying.Wait() })
	t.Cleanup(stop)
	dice := rand.New(rand.NewPCG(seed, buyers))
	kills := dbtest.Depth(5, 50)
	for n := 0; n < kills || m.sender.cut.Load() < int64(kills)/2; n++ { // half of them meet the server at work
		if n == 10*kills {
			t.Fatalf("%d kills cut off %d attempts", n, m.sender.cut.Load())
		}
		m.kill(dice)
	}
	stop()

	sent := int64(0)
	for _, o := range m.orders {
		sent += int64(len(o.events))
	}
	t.Logf("%d purchases, %d events; %d attempts were cut off, %d refused, %d found nobody", len(m.orders), sent, m.sender.cut.Load(), m.sender.refused.Load(), m.sender.unborn.Load())
	m.shop.drain(t, sent)
	m.shop.wantBooked(t, m.orders...)
}
