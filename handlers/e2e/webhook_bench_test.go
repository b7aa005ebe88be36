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
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/localpg"
)

const (
	benchConnections = 32
	benchWarm        = 15     // events per connection before measuring, because the server's database connections are new
	benchEach        = 30     // events per connection and round
	benchPgbench     = 90     // transactions per pgbench client, the first third to warm up
	benchUsers       = 10_000 // buyers
	benchSample      = 8      // one event in so many is watched until its credits are visible
)

// BenchmarkWebhook sends events over 32 connections to one server on a durable database: each event pays another
// purchase, then each is repeated. Between rounds, pgbench writes the same rows to the same database as the yardstick.
func BenchmarkWebhook(b *testing.B) {
	wb := newWebhookBench(b)
	wb.send(b, wb.purchases(b, benchConnections*benchWarm), wb.watch)
	wb.visible = nil
	for b.Loop() {
		wb.round(b)
	}
	wb.report(b)
	dbtest.CheckLedger(b, wb.fx.db)
}

// webhookBench sends events and measures.
type webhookBench struct {
	fx      *fixture
	conns   []*rawConn
	pgbench *pgbench
	next    int64 // number of the next purchase that pgbench pays

	mu                    sync.Mutex
	fresh, again, visible []time.Duration // per event; visible per watched event
	freshRate, againRate  []float64       // events per second, per round
	yardstick             []float64       // pgbench transactions per second, per round
	yardTook              []time.Duration // per pgbench transaction
}

func newWebhookBench(b *testing.B) *webhookBench {
	b.Helper()
	fx, server := newDurableFixture(b)
	wb := &webhookBench{fx: fx, pgbench: newPgbench(b, server)}
	site := start(b, append(wb.fx.env(), "LOG_LEVEL=warn")...)
	for range benchConnections {
		wb.conns = append(wb.conns, dialRaw(b, site.url))
	}
	return wb
}

// newDurableFixture is a fixture with many users on a database that syncs to disk as the product's own does.
func newDurableFixture(b *testing.B) (*fixture, *localpg.Server) {
	b.Helper()
	db, server := newDurableDatabase(b)
	return fillFixture(b, db, server.URL(), benchUsers), server
}

// newDurableDatabase returns a migrated database that survives a power cut, as in production.
func newDurableDatabase(b *testing.B) (*gorm.DB, *localpg.Server) {
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
	return db, server
}

// pay lets each pgbench client pay its share of new purchases and returns the rate.
func (wb *webhookBench) pay(b *testing.B) float64 {
	b.Helper()
	wb.fx.exec(b,
		`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		SELECT gen_random_uuid(), ? + n % ?, 'price_1200', 1, ?, ?, 'eur', 'de', 'bench_' || n, 'cs_' || n FROM generate_series(?::bigint, ?) n`,
		wb.fx.users[0], len(wb.fx.users), packageCredits, packageCents, wb.next+1, wb.next+benchConnections*benchPgbench)
	rate, took := wb.pgbench.run(b, sameRows, benchConnections, benchPgbench, "i=0", fmt.Sprintf("base=%d", wb.next),
		fmt.Sprintf("per=%d", benchPgbench))
	wb.next += benchConnections * benchPgbench
	wb.yardTook = append(wb.yardTook, took...)
	return rate
}

// round measures new events, the same events repeated, and pgbench.
func (wb *webhookBench) round(b *testing.B) {
	purchases := wb.purchases(b, benchConnections*benchEach)
	began := time.Now()
	wb.fresh = append(wb.fresh, wb.send(b, purchases, wb.watch)...)
	wb.freshRate = append(wb.freshRate, float64(len(purchases))/time.Since(began).Seconds())
	began = time.Now()
	wb.again = append(wb.again, wb.send(b, purchases, nil)...)
	wb.againRate = append(wb.againRate, float64(len(purchases))/time.Since(began).Seconds())
	if wb.pgbench != nil {
		wb.yardstick = append(wb.yardstick, wb.pay(b))
	}
}

// purchases stores n unpaid purchases, each with its payment event.
func (wb *webhookBench) purchases(b *testing.B, n int) []*purchase {
	b.Helper()
	purchases, ids := make([]*purchase, n), make([]string, n)
	for i := range purchases {
		purchases[i] = &purchase{id: uuid.Must(uuid.NewV7()), user: wb.fx.users[(i*7919)%len(wb.fx.users)], begun: time.Now()}
		ids[i] = fmt.Sprintf("%s,%d", purchases[i].id, purchases[i].user)
		purchases[i].paid()
	}
	wb.fx.exec(b,
		`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
		SELECT split_part(p, ',', 1)::uuid, split_part(p, ',', 2)::int, 'price_1200', 1, ?, ?, 'eur', 'de', p, 'cs_' || split_part(p, ',', 1)
		FROM unnest(string_to_array(?, ' ')) p`, packageCredits, packageCents, strings.Join(ids, " "))
	return purchases
}

// send delivers the purchases' events over all connections and returns the duration of each request.
func (wb *webhookBench) send(b *testing.B, purchases []*purchase,
	then func(*testing.B, *purchase, time.Time)) []time.Duration {
	b.Helper()
	requests := make([][]byte, len(purchases))
	for i, p := range purchases {
		requests[i] = wb.conns[0].request(p.events[0])
	}
	took := make([]time.Duration, len(purchases))
	var sending sync.WaitGroup
	for c, conn := range wb.conns {
		sending.Go(func() {
			for i := c; i < len(purchases); i += len(wb.conns) {
				sent := time.Now()
				if err := conn.post(requests[i], http.StatusOK); err != nil {
					b.Errorf("event of purchase %s: %v", purchases[i].id, err)
					return
				}
				took[i] = time.Since(sent)
				if then != nil && (i/len(wb.conns))%benchSample == 0 {
					then(b, purchases[i], sent)
				}
			}
		})
	}
	sending.Wait()
	return took
}

// watch records how long after it was sent an event's credits are visible to another connection.
func (wb *webhookBench) watch(b *testing.B, p *purchase, sent time.Time) {
	dbtest.Reaches(b, "grants of the purchase", func() int64 {
		return wb.fx.count(b,
			`SELECT count(*) FROM credit_transactions WHERE meta ->> 'purchase_id' = ? AND reason = 'purchase'`, p.id.String())
	}, 1)
	wb.mu.Lock()
	defer wb.mu.Unlock()
	wb.visible = append(wb.visible, time.Since(sent))
}

// report writes the figures, ratios last.
func (wb *webhookBench) report(b *testing.B) {
	b.ReportMetric(0, "ns/op") // drop the meaningless time per round
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	for _, kind := range []struct {
		name string
		took []time.Duration
		rate float64
	}{{"new", wb.fresh, median(wb.freshRate)}, {"duplicate", wb.again, median(wb.againRate)}} {
		slices.Sort(kind.took)
		b.ReportMetric(kind.rate, kind.name+"/s")
		b.ReportMetric(ms(kind.took[len(kind.took)/2]), kind.name+"_p50_ms")
		b.ReportMetric(ms(kind.took[len(kind.took)*99/100]), kind.name+"_p99_ms")
		if wb.pgbench != nil {
			b.ReportMetric(kind.rate/median(wb.yardstick), kind.name+"/pgbench")
		}
	}
	writeFigures(b, figure{name: "webhook, pgbench, the same rows", rates: wb.yardstick, took: wb.yardTook},
		figure{name: "webhook, a new event", rates: wb.freshRate, took: wb.fresh, yard: wb.yardstick},
		figure{name: "webhook, a repeated event", rates: wb.againRate, took: wb.again, yard: wb.yardstick})
	slices.Sort(wb.visible)
	b.ReportMetric(ms(wb.visible[len(wb.visible)*99/100]), "visible_p99_ms")
	if wb.pgbench != nil {
		b.ReportMetric(median(wb.yardstick), "pgbench/s")
	}
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// rawConn is one keep-alive connection with a minimal HTTP client, which shares the processors with what is measured.
type rawConn struct {
	host string
	conn net.Conn
	in   *bufio.Reader
}

func dialRaw(b *testing.B, address string) *rawConn {
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
	return &rawConn{host: u.Host, conn: conn, in: bufio.NewReader(conn)}
}

// request returns a signed event as bytes on the wire.
func (c *rawConn) request(n stripeEvent) []byte {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(n.payload), Secret: webhookSecret,
		Timestamp: time.Now()})
	var out bytes.Buffer
	fmt.Fprintf(&out,
		"POST /api/stripe/webhook HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json; charset=utf-8\r\nStripe-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		c.host, signed.Header, len(n.payload), n.payload)
	return out.Bytes()
}

// post sends a request and checks the answer's status.
func (c *rawConn) post(request []byte, status int) error {
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
		return fmt.Errorf("status %d, want %d", res.StatusCode, status)
	}
	return nil
}
