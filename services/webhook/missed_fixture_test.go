package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/periodic"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// missedFixture is the fixture and a Stripe that lists events, whether or not it has delivered them.
type missedFixture struct {
	*fixture
	missing atomic.Int64 // events that were counted

	mu     sync.Mutex
	events []json.RawMessage // newest first
	status int               // refuses requests; 0 for none
	asked  int
}

func newMissedFixture(t *testing.T) *missedFixture {
	t.Helper()
	f := &missedFixture{fixture: newFixture(t)}
	f.clock = time.Unix(1_800_000_000, 0).UTC()
	f.OnEventMissing = func() { f.missing.Add(1) }
	server := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(server.Close)
	f.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
	return f
}

// serve lists the events of the requested time by pages. It ignores the types.
func (f *missedFixture) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if r.URL.Path != "/v1/events" || f.status != 0 {
		w.WriteHeader(max(f.status, http.StatusBadRequest))
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error"}}`)
		return
	}
	query := r.URL.Query()
	number := func(name string) int64 { n, _ := strconv.ParseInt(query.Get(name), 10, 64); return n }
	page, more, skip := []json.RawMessage{}, false, query.Get("starting_after")
	for _, raw := range f.events {
		var e struct {
			ID      string
			Created int64
		}
		_ = json.Unmarshal(raw, &e) // the tests write events
		switch {
		case skip != "":
			if e.ID == skip {
				skip = ""
			}
		case e.Created < number("created[gte]") || e.Created > number("created[lte]"):
		case int64(len(page)) == number("limit"):
			more = true
		default:
			page = append(page, raw)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "url": "/v1/events", "has_more": more, "data": page})
}

// lose adds an event of now to Stripe's list, and does not deliver it.
func (f *missedFixture) lose(payload string) string {
	payload = at(f.clock.Unix()-1_800_000_000, payload)
	f.events = slices.Insert(f.events, 0, json.RawMessage(payload))
	return payload
}

// look runs the job of a server.
func (f *missedFixture) look(job periodic.Job) {
	f.t.Helper()
	if err := job.Work(f.t.Context()); err != nil {
		f.t.Errorf("look for missed events: %v", err)
	}
}

func (f *missedFixture) count(sql string) (n int64) {
	f.t.Helper()
	f.must(f.DB.Raw(sql).Scan(&n).Error)
	return n
}

// lostKinds are events that may be lost, what came before them, and the credits after them.
func lostKinds(f *missedFixture) map[string]struct {
	before, lost string
	want         models.Credits
} {
	return map[string]struct {
		before, lost string
		want         models.Credits
	}{
		"a payment": {event("evt_other", "customer.created", `{"id":"cus_1"}`), f.completed("evt_2", "cs_1", "paid"),
			1200},
		"a refund":          {f.completed("evt_1", "cs_1", "paid"), refunded("evt_2", 3500), 0},
		"a dispute":         {f.completed("evt_1", "cs_1", "paid"), dispute("evt_2", "created", "needs_response", 3500), 0},
		"a delayed payment": {f.completed("evt_1", "cs_1", "unpaid"), f.delayed("evt_2"), 1200},
	}
}

func (f *missedFixture) delayed(id string) string {
	return strings.Replace(f.completed(id, "cs_1", "paid"), "session.completed", "session.async_payment_succeeded", 1)
}
