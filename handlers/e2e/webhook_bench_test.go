package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

const (
	benchConnections = 32
	benchWarm        = 15     // events on each connection before measuring: the server's own are new, too
	benchEach        = 30     // events on each connection in one round
	benchPgbench     = 90     // transactions of each client of pgbench, a third of them to warm up
	benchUsers       = 10_000 // who buy
	benchSample      = 8      // of so many events, one is watched until its credits are seen
)

// BenchmarkWebhook is Stripe at 32 connections against one server on a durable database: events that each pay another
// purchase, and the same events again. Its yardstick is pgbench, which writes the same rows into the same database
// between the rounds.
func BenchmarkWebhook(b *testing.B) {
	m := newMeter(b)
	m.send(b, m.orders(b, benchConnections*benchWarm), m.watch)
	m.visible = nil
	for b.Loop() {
		m.round(b)
	}
	m.report(b)
	dbtest.CheckLedger(b, m.shop.db)
}

// meter sends events and measures.
type meter struct {
	shop    *shop
	conns   []*bench
	pgbench *pgbench
	next    int64 // number of the next purchase that pgbench pays

	mu                    sync.Mutex
	fresh, again, visible []time.Duration // of each event; of some, for visible
	freshRate, againRate  []float64       // of each round, in events a second
	yardstick             []float64       // of each round, in transactions a second
	yardTook              []time.Duration // of each transaction
}

func newMeter(b *testing.B) *meter {
	b.Helper()
	shop, server := durableShop(b)
	m := &meter{shop: shop, pgbench: newPgbench(b, server)}
	site := start(b, append(m.shop.env(), "LOG_LEVEL=warn")...)
	for range benchConnections {
		m.conns = append(m.conns, dialBench(b, site.url))
	}
	return m
}

// durableShop is a shop with many users on a database that is as durable as the product's own.
func durableShop(b *testing.B) (*shop, *localpg.Server) {
	b.Helper()
	server, err := localpg.Start(b.Context(), localpg.Options{Dir: workDir(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Stop() })
	if err := postgres.Migrate(b.Context(), server.URL(), slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	db, err := postgres.Open(server.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { postgres.Close(db) })
	return openShop(b, db, server.URL(), benchUsers), server
}

// pay has pgbench pay purchases, each client its share.
func (m *meter) pay(b *testing.B) float64 {
	b.Helper()
	m.shop.exec(b, `INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		SELECT gen_random_uuid(), ? + n % ?, 'price_1200', 1, ?, ?, 'eur', 'de', 'bench_' || n, 'cs_' || n FROM generate_series(?::bigint, ?) n`,
		m.shop.users[0], len(m.shop.users), soldCredits, soldCents, m.next+1, m.next+benchConnections*benchPgbench)
	rate, took := m.pgbench.run(b, sameRows, benchConnections, benchPgbench, "i=0", fmt.Sprintf("base=%d", m.next), fmt.Sprintf("per=%d", benchPgbench))
	m.next += benchConnections * benchPgbench
	m.yardTook = append(m.yardTook, took...)
	return rate
}

// round measures new events, the same again, and pgbench.
func (m *meter) round(b *testing.B) {
	orders := m.orders(b, benchConnections*benchEach)
	began := time.Now()
	m.fresh = append(m.fresh, m.send(b, orders, m.watch)...)
	m.freshRate = append(m.freshRate, float64(len(orders))/time.Since(began).Seconds())
	began = time.Now()
	m.again = append(m.again, m.send(b, orders, nil)...)
	m.againRate = append(m.againRate, float64(len(orders))/time.Since(began).Seconds())
	if m.pgbench != nil {
		m.yardstick = append(m.yardstick, m.pay(b))
	}
}

// orders makes purchases that wait for payment, each with its event.
func (m *meter) orders(b *testing.B, n int) []*order {
	b.Helper()
	orders, ids := make([]*order, n), make([]string, n)
	for i := range orders {
		orders[i] = &order{id: uuid.Must(uuid.NewV7()), user: m.shop.users[(i*7919)%len(m.shop.users)], begun: time.Now()}
		ids[i] = fmt.Sprintf("%s,%d", orders[i].id, orders[i].user)
		orders[i].paid()
	}
	m.shop.exec(b, `INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		SELECT split_part(o, ',', 1)::uuid, split_part(o, ',', 2)::int, 'price_1200', 1, ?, ?, 'eur', 'de', o, 'cs_' || split_part(o, ',', 1)
		FROM unnest(string_to_array(?, ' ')) o`, soldCredits, soldCents, strings.Join(ids, " "))
	return orders
}

// send delivers the orders' events over all connections and returns how long each answer took.
func (m *meter) send(b *testing.B, orders []*order, then func(*testing.B, *order, time.Time)) []time.Duration {
	b.Helper()
	requests := make([][]byte, len(orders))
	for i, o := range orders {
		requests[i] = m.conns[0].request(o.events[0])
	}
	took := make([]time.Duration, len(orders))
	var sending sync.WaitGroup
	for c, conn := range m.conns {
		sending.Go(func() {
			for i := c; i < len(orders); i += len(m.conns) {
				sent := time.Now()
				if err := conn.post(requests[i], http.StatusOK); err != nil {
					b.Errorf("event of purchase %s: %v", orders[i].id, err)
					return
				}
				took[i] = time.Since(sent)
				if then != nil && (i/len(m.conns))%benchSample == 0 {
					then(b, orders[i], sent)
				}
			}
		})
	}
	sending.Wait()
	return took
}

// watch notes how long after it was sent an event's credits can be seen by another connection.
func (m *meter) watch(b *testing.B, o *order, sent time.Time) {
	m.shop.eventually(b, "purchases granted", func() int64 {
		return m.shop.count(b, `SELECT count(*) FROM credit_transactions WHERE meta ->> 'purchase_id' = ? AND reason = 'purchase'`, o.id.String())
	}, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.visible = append(m.visible, time.Since(sent))
}

// report writes the figures, the ratios last.
func (m *meter) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // of a round; it says nothing
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	for _, kind := range []struct {
		name string
		took []time.Duration
		rate float64
	}{{"new", m.fresh, median(m.freshRate)}, {"duplicate", m.again, median(m.againRate)}} {
		slices.Sort(kind.took)
		b.ReportMetric(kind.rate, kind.name+"/s")
		b.ReportMetric(ms(kind.took[len(kind.took)/2]), kind.name+"_p50_ms")
		b.ReportMetric(ms(kind.took[len(kind.took)*99/100]), kind.name+"_p99_ms")
		if m.pgbench != nil {
			b.ReportMetric(kind.rate/median(m.yardstick), kind.name+"/pgbench")
		}
	}
	tabulate(b, figure{"webhook, pgbench, the same rows", m.yardstick, m.yardTook, nil},
		figure{"webhook, a new event", m.freshRate, m.fresh, m.yardstick}, figure{"webhook, an event again", m.againRate, m.again, m.yardstick})
	slices.Sort(m.visible)
	b.ReportMetric(ms(m.visible[len(m.visible)*99/100]), "visible_p99_ms")
	if m.pgbench != nil {
		b.ReportMetric(median(m.yardstick), "pgbench/s")
	}
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// bench is one of Stripe's connections, kept open, with as little of a client's own work as HTTP allows: it shares the
// processors with what is measured.
type bench struct {
	host string
	conn net.Conn
	in   *bufio.Reader
}

func dialBench(b *testing.B, address string) *bench {
	b.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &bench{host: u.Host, conn: conn, in: bufio.NewReader(conn)}
}

// request is an event as it goes over the wire.
func (c *bench) request(n notice) []byte {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(n.payload), Secret: shopSecret, Timestamp: time.Now()})
	var out bytes.Buffer
	fmt.Fprintf(&out, "POST /api/stripe/webhook HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json; charset=utf-8\r\nStripe-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		c.host, signed.Header, len(n.payload), n.payload)
	return out.Bytes()
}

// post sends a request and reads the answer, which must have this status.
func (c *bench) post(request []byte, status int) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != status {
		return fmt.Errorf("answered %d", res.StatusCode)
	}
	return nil
}
