package outbound

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/services/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var (
	current = []byte("current secret of the test, 32 b")
	older   = []byte("older secret of this test, 32 by")
)

// everything lists the types that an endpoint may ask for.
var everything = models.AllWebhookEvents().Strings()

// fixture is the service of one process, which may send to this machine, and a user.
type fixture struct {
	*Service
	t    *testing.T
	user int64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := dbtest.New(t)
	return &fixture{Service: newService(db), t: t, user: dbtest.User(t, db, "ada@example.com").ID}
}

func newService(db *gorm.DB) *Service {
	s := New(db, seal.Secrets{current}, Networks{Loopback: true}, slog.New(slog.DiscardHandler))
	s.timeout = dbtest.HangTimeout
	return s
}

// replica returns another process on the same database.
func (f *fixture) replica() *fixture {
	return &fixture{Service: newService(f.db), t: f.t, user: f.user}
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	f.must(f.db.Exec(query, args...).Error)
}

func (f *fixture) count(query string, args ...any) (n int64) {
	f.t.Helper()
	f.must(f.db.Raw(query, args...).Scan(&n).Error)
	return n
}

// book books entries by hand, each in a transaction of its own.
func (f *fixture) book(deltas ...models.Credits) {
	f.t.Helper()
	for _, delta := range deltas {
		f.must(postgres.Transaction(f.t.Context(), f.db, func(tx models.Tx) error {
			_, err := ledger.Post(tx, ledger.Entry{UserID: f.user, Delta: delta, Reason: models.ReasonManual})
			return err
		}))
	}
}

// pass sends what is due, and waits for it.
func (f *fixture) pass() {
	f.t.Helper()
	f.must(f.Deliver(f.t.Context()))
}

// delivery returns the newest delivery.
func (f *fixture) delivery() (d models.WebhookDelivery) {
	f.t.Helper()
	f.must(f.db.Raw(`SELECT * FROM webhook_deliveries ORDER BY id DESC LIMIT 1`).Take(&d).Error)
	return d
}

// receiver is an operator's program.
type receiver struct {
	*httptest.Server
	t      *testing.T
	answer func(w http.ResponseWriter, n int) // nil: 204

	mu       sync.Mutex
	requests []request
}

// request is one that the receiver got.
type request struct {
	id      string
	header  http.Header
	body    []byte
	message struct {
		Type      string
		Timestamp time.Time
		Data      map[string]any
	}
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, n int)) *receiver {
	t.Helper()
	r := &receiver{t: t, answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP stores a request, then answers it.
func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	got := request{id: in.Header.Get("Webhook-Id"), header: in.Header.Clone()}
	got.body, _ = io.ReadAll(in.Body)
	if err := json.Unmarshal(got.body, &got.message); err != nil {
		r.t.Errorf("body %q: %v", got.body, err)
	}
	r.mu.Lock()
	r.requests = append(r.requests, got)
	n := len(r.requests)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(w, n)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) received() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]request(nil), r.requests...)
}

// verify reports whether a receiver that knows the secret accepts the request.
func (got request) verify(t *testing.T, secret string) bool {
	t.Helper()
	key, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatalf("secret: %v", err)
	}
	return key.Verify(got.body, got.header) == nil
}

// add adds an endpoint that wants all events.
func (f *fixture) add(url string) (models.WebhookEndpoint, string) {
	f.t.Helper()
	endpoint, secret, err := f.Add(f.t.Context(), Request{URL: url, Events: everything, LowThreshold: 50})
	f.must(err)
	return endpoint, secret
}

// status answers with a status.
func status(code int) func(http.ResponseWriter, int) {
	return func(w http.ResponseWriter, _ int) { w.WriteHeader(code) }
}
