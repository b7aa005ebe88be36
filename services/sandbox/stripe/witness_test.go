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

// arrival is one delivery as it came, and what Stripe's library makes of it with the endpoint's secret.
type arrival struct {
	body   []byte
	header string
	event  stripe.Event
	err    error
}

// witness is a webhook that refuses what Stripe's library refuses, and shows everything.
type witness struct {
	*httptest.Server
	arrivals chan arrival
	gate     atomic.Pointer[chan struct{}] // what an answer waits for, if anything
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{arrivals: make(chan arrival, 1000)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Errorf("read webhook: %v", err)
		}
		one := arrival{body: body, header: q.Header.Get("Stripe-Signature")}
		one.event, one.err = webhook.ConstructEvent(body, one.header, hookSecret)
		w.arrivals <- one
		if gate := w.gate.Load(); gate != nil {
			select {
			case <-*gate:
			case <-time.After(patience):
				t.Error("nobody opens the gate")
			}
		}
		if one.err != nil {
			out.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *witness) next(t *testing.T) arrival {
	t.Helper()
	select {
	case one := <-w.arrivals:
		return one
	case <-time.After(patience):
		t.Fatal("nothing arrives")
		return arrival{}
	}
}

// moded is a stand-in whose webhook is a witness.
type moded struct {
	*stand
	witness *witness
}

func startModed(t *testing.T) moded {
	t.Helper()
	w := newWitness(t)
	o := options(dbtest.Empty(t), w.URL)
	o.WebhookEvents = []string{"checkout.session.completed", "checkout.session.expired", "charge.refunded", "refund.created", "customer.deleted"} // not what preparing a sale tells
	return moded{startWith(t, o, nil), w}
}

// control calls a control and decodes what it answers.
func (s *stand) control(t *testing.T, method, path, form string) (int, map[string]any) {
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

// set sends a form that must be taken.
func (s *stand) set(t *testing.T, path, form string) map[string]any {
	t.Helper()
	status, answer := s.control(t, http.MethodPost, path, form)
	if status != http.StatusOK {
		t.Fatalf("POST %s %s = %d %v", path, form, status, answer)
	}
	return answer
}

// state is how events are delivered.
func (s *stand) state(t *testing.T) map[string]any {
	t.Helper()
	status, answer := s.control(t, http.MethodGet, "/control/delivery", "")
	if status != http.StatusOK {
		t.Fatalf("GET /control/delivery = %d %v", status, answer)
	}
	return answer
}

// cause makes n events customer.deleted, and returns their identifiers in their order.
func (s *stand) cause(t *testing.T, n int) []string {
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

// events are all of them, newest first; delivered asks for those that are, or are not.
func (s *stand) events(t *testing.T, delivered *bool) []*stripe.Event {
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

// settled waits until these events alone are undelivered, and returns them.
func (s *stand) settled(t *testing.T, but ...string) []*stripe.Event {
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

// nothingMore checks that an ordinary event is the next to arrive.
func (s moded) nothingMore(t *testing.T) {
	t.Helper()
	id := s.cause(t, 1)[0]
	if one := s.witness.next(t); one.event.ID != id || one.err != nil {
		t.Errorf("then %s arrives (%v), want %s", one.body, one.err, id)
	}
}
