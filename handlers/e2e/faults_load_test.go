package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load is clients that spend, hold and capture, buy and refund at the given servers. They repeat each request with the
// same key until it succeeds, and keep their own record of what was acknowledged.
type load struct {
	tr      *trial
	fx      *fixture
	key     string
	origins []string
	allowed []string // answers beside 2xx
	client  *http.Client
	pace    time.Duration // pause between operations; 0 for none

	stock   chan *purchase // to be bought
	stopped chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int // by status or failure
	took    []time.Duration
	acked   []ack
	bought  []*purchase
	lastOK  time.Time // zero unless the clients work
}

// ack is an acknowledged movement.
type ack struct {
	user, transaction int64
	path, key, body   string

	// began is when the attempt that succeeded began, if every answer before said that nothing was booked; else zero.
	began time.Time
}

// loads numbers the loads, for their keys.
var loads atomic.Int64

// patience is how long a client repeats a request.
const patience = time.Minute

// outage lists what clients may see while the product or its database is away.
var outage = []string{"503", "refused", "reset", "EOF"}

func newLoad(tr *trial, fx *fixture, origins []string, allowed ...string) *load {
	tr.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	tr.Cleanup(transport.CloseIdleConnections)
	l := &load{tr: tr, fx: fx, key: fx.serviceKey(tr), origins: origins, allowed: allowed,
		client: &http.Client{Transport: transport, Timeout: 15 * time.Second}, stock: make(chan *purchase, 400),
		stopped: make(chan struct{}), answers: map[string]int{}}
	fx.grantCredits(tr, 10_000_000, fx.users...)
	stored := &fixture{db: fx.db.Begin()} // one commit for all
	for i := range cap(l.stock) {
		l.stock <- stored.newPurchase(tr, fx.users[1+i%(len(fx.users)-1)])
	}
	if err := stored.db.Commit().Error; err != nil {
		tr.Fatalf("store purchases: %v", err)
	}
	return l
}

// start starts the clients, which work until finish is called.
func (l *load) start(clients int) {
	l.lastOK = time.Now()
	number := loads.Add(1)
	for i := range clients {
		l.running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stopped:
					return
				case <-time.After(l.pace):
				}
				l.work(fmt.Sprintf("load-%d-%d-%d", number, i, n))
			}
		})
	}
	l.tr.Cleanup(l.stop)
}

func (l *load) stop() {
	select {
	case <-l.stopped:
	default:
		close(l.stopped)
	}
	l.running.Wait()
}

// restart lets clients work at another pace and times their answers anew. It keeps the record of what was acknowledged.
func (l *load) restart(clients int, pace time.Duration) {
	l.stop()
	l.stopped, l.took, l.pace = make(chan struct{}), nil, pace
	l.start(clients)
}

// during lets the clients work for a while.
func (l *load) during(d time.Duration) { <-time.After(d) }

// work does one operation: a tenth are purchases, each second one refunded, two fifths holds, the others spends.
func (l *load) work(key string) {
	user := l.fx.users[1+rand.IntN(len(l.fx.users)-1)] // the first is for the scenario
	switch n := rand.IntN(10); {
	case n == 0 && len(l.stock) > 0:
		l.buy(<-l.stock)
	case n < 4:
		if id := l.hold(user, key); id != "" {
			l.move(user, "/api/credits/holds/"+id+"/capture", "", "")
		}
	default:
		l.move(user, "/api/credits/spend", key, fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user))
	}
}

// hold repeats a request for a hold until it is acknowledged, and returns the id; empty if patience ended.
func (l *load) hold(user int64, key string) string {
	body := l.repeat(l.post("/api/credits/holds", key, fmt.Sprintf(`{"userId":%d,"feature":"job_match"}`, user)))
	var hold struct{ HoldID string }
	_ = json.Unmarshal(body, &hold) // no id either
	return hold.HoldID
}

// move repeats a request until its movement is acknowledged, and records it.
func (l *load) move(user int64, path, key, body string) {
	var moved struct{ TransactionID int64 }
	a := l.persist(l.post(path, key, body))
	if a.body == nil {
		return
	}
	if err := json.Unmarshal(a.body, &moved); err != nil || moved.TransactionID == 0 {
		l.tr.failf("%s: success without a movement: %s", path, a.body)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, ack{user, moved.TransactionID, path, key, body, a.began})
}

// buy sends the event of a payment, and for each second purchase the event of a refund.
func (l *load) buy(p *purchase) {
	events := []stripeEvent{p.paid()}
	if rand.IntN(2) == 0 {
		events = append(events, p.refund(1000))
	}
	for _, n := range events {
		if l.repeat(func(ctx context.Context, to string) (*http.Request, error) { return n.request(ctx, to) }) == nil {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bought = append(l.bought, p)
}

type requestTo func(ctx context.Context, origin string) (*http.Request, error)

func (l *load) post(path, key, body string) requestTo {
	return l.send(http.MethodPost, path, key, body)
}

func (l *load) send(method, path, key, body string) requestTo {
	return func(ctx context.Context, origin string) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, method, origin+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.GetBody = nil // keep the transport from repeating the request
		req.Header.Set("Authorization", "Bearer "+l.key)
		if key != "" {
			req.Header["Idempotency-Key"] = []string{key}
			req.Header.Set("Content-Type", "application/json")
		}
		return req, nil
	}
}

// repeat sends a request to one server after another until it succeeds, and returns the answer's body; nil if patience
// ended.
func (l *load) repeat(build requestTo) []byte { return l.persist(build).body }

// persist is repeat, and returns the answer.
func (l *load) persist(build requestTo) answer {
	answers, unchanged := 0, 0 // those that failed; those that said that nothing was booked
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !l.tr.shownEnough(); {
		began := time.Now()
		a := l.once(build, l.origins[rand.IntN(len(l.origins))])
		if l.count(a); a.status/100 == 2 {
			if answers > 0 && answers == unchanged {
				a.began = began
			}
			return a
		}
		answers++
		if a.unchanged() {
			unchanged++
		}
		<-time.After(time.Duration(20+rand.IntN(60)) * time.Millisecond)
	}
	if !l.tr.shownEnough() {
		l.tr.failf("a request was not acknowledged within %s", patience)
	}
	return answer{}
}

// count counts an answer, and fails the scenario at the first of a kind that it does not allow.
func (l *load) count(a answer) {
	kind := cmp.Or(a.failure, strconv.Itoa(a.status))
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status/100 == 2 {
		kind = "2xx"
		if !l.lastOK.IsZero() {
			l.tr.silence = max(l.tr.silence, time.Since(l.lastOK))
			l.lastOK = time.Now()
		}
	}
	l.answers[kind]++
	l.took = append(l.took, a.took)
	if kind != "2xx" && !slices.Contains(l.allowed, kind) && l.answers[kind] == 1 {
		l.tr.failf("answer %s %.300s", kind, a.body)
	}
}

// requests is how many answers there were.
func (l *load) requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.took)
}

// slowest returns the given quantile of the answers' times.
func (l *load) slowest(quantile float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.took) == 0 {
		return 0
	}
	took := slices.Sorted(slices.Values(l.took))
	return took[int(quantile*float64(len(took)-1))]
}

// report adds what clients saw to the trial.
func (l *load) report() {
	for _, kind := range slices.Sorted(maps.Keys(l.answers)) {
		l.tr.notef("%s × %d", kind, l.answers[kind])
	}
	l.tr.notef("slowest %.1f s", l.slowest(1).Seconds())
}
