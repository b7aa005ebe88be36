package stripe_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v79"
	"github.com/stripe/stripe-go/v79/webhook"

	"github.com/resume-matcher/credits/models/dbtest"
)

// received is one request, and the result of Stripe's library with the endpoint's secret.
type received struct {
	body   []byte
	header string
	event  stripe.Event
	err    error
}

// recorder is a webhook that records every request and refuses those that Stripe's library refuses.
type recorder struct {
	*httptest.Server
	requests chan received
	gate     atomic.Pointer[chan struct{}] // delays the answers until it is closed
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{requests: make(chan received, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Errorf("read webhook: %v", err)
		}
		one := received{body: body, header: q.Header.Get("Stripe-Signature")}
		one.event, one.err = webhook.ConstructEvent(body, one.header, hookSecret)
		r.requests <- one
		if gate := r.gate.Load(); gate != nil {
			select {
			case <-*gate:
			case <-time.After(patience):
				t.Error("the gate stays closed")
			}
		}
		if one.err != nil {
			out.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) next(t *testing.T) received {
	t.Helper()
	select {
	case one := <-r.requests:
		return one
	case <-time.After(patience):
		t.Fatal("no delivery arrives")
		return received{}
	}
}

// recordedFixture is a stand-in whose webhook is a recorder.
type recordedFixture struct {
	*fixture
	recorder *recorder
}

func startRecorded(t *testing.T) recordedFixture {
	t.Helper()
	r := newRecorder(t)
	o := options(dbtest.Empty(t), r.URL)
	// and none of those that preparing a sale emits
	o.WebhookEvents = []string{"checkout.session.completed", "checkout.session.expired", "charge.refunded",
		"refund.created", "customer.deleted"}
	return recordedFixture{startWith(t, o, nil), r}
}

// control calls a control and decodes its answer.
func (s *fixture) control(t *testing.T, method, path, form string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(form))
	if err != nil {
		t.Fatalf("make request: %v", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := s.browser.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return response.StatusCode, answer
}

// set sends a form that must be accepted.
func (s *fixture) set(t *testing.T, path, form string) map[string]any {
	t.Helper()
	status, answer := s.control(t, http.MethodPost, path, form)
	if status != http.StatusOK {
		t.Fatalf("POST %s %s: got %d %v", path, form, status, answer)
	}
	return answer
}

// state returns the state of the delivery.
func (s *fixture) state(t *testing.T) map[string]any {
	t.Helper()
	status, answer := s.control(t, http.MethodGet, "/control/delivery", "")
	if status != http.StatusOK {
		t.Fatalf("GET /control/delivery: got %d %v", status, answer)
	}
	return answer
}

// emitEvents emits n events customer.deleted and returns their identifiers in order.
func (s *fixture) emitEvents(t *testing.T, n int) []string {
	t.Helper()
	for range n {
		customer, err := s.api.Customers.New(&stripe.CustomerParams{})
		if err != nil {
			t.Fatalf("make customer: %v", err)
		}
		if _, err := s.api.Customers.Del(customer.ID, nil); err != nil {
			t.Fatalf("delete customer: %v", err)
		}
	}
	var ids []string
	for _, event := range s.events(t, nil)[:n] {
		ids = append([]string{event.ID}, ids...)
	}
	return ids
}

// events returns all events, newest first, or only those that are delivered or not.
func (s *fixture) events(t *testing.T, delivered *bool) []*stripe.Event {
	t.Helper()
	var all []*stripe.Event
	list := s.api.Events.List(&stripe.EventListParams{DeliverySuccess: delivered})
	for list.Next() {
		all = append(all, list.Event())
	}
	if err := list.Err(); err != nil {
		t.Fatalf("list events: %v", err)
	}
	return all
}

// waitDelivered waits until all events but these are delivered, and returns these.
func (s *fixture) waitDelivered(t *testing.T, but ...string) []*stripe.Event {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		left := s.events(t, stripe.Bool(false))
		if slices.EqualFunc(left, but, func(e *stripe.Event, id string) bool { return e.ID == id }) {
			return left
		}
	}
	t.Fatalf("others than %v stay undelivered", but)
	return nil
}

// wantNothingMore checks that a new event is the next one to arrive.
func (s recordedFixture) wantNothingMore(t *testing.T) {
	t.Helper()
	id := s.emitEvents(t, 1)[0]
	if one := s.recorder.next(t); one.event.ID != id || one.err != nil {
		t.Errorf("then %s arrives (%v), want %s", one.body, one.err, id)
	}
}
