package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const (
	creditsPerItem = 120        // of the price in the line items
	centsPerItem   = 100        // what it costs
	historyPrice   = "price_it" // its id
	refundPage     = 2          // refunds on one page of Stripe's list: few, so that there are several
)

// market is one database, one clock and one Stripe for any number of histories.
type market struct {
	*Service
	clock atomic.Int64 // microseconds since 1970
	tag   string       // of the installation
	known sync.Map     // at Stripe: session, payment intent or charge → *payment
}

func newMarket(t *testing.T) *market {
	t.Helper()
	m := &market{}
	m.clock.Store(models.Now().UnixMicro())
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	db := dbtest.New(t)
	m.Service = &Service{DB: db, Secrets: []string{testSecret}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMicro(m.clock.Load()).UTC() }}
	m.Purchase = &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789", server.URL), Now: m.Now, Log: m.Log}
	err := db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES (?, ?, ?)`, historyPrice, creditsPerItem, centsPerItem).Error
	if err != nil {
		t.Fatal(err)
	}
	i, err := m.Purchase.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.tag = i.ID.String()
	return m
}

// ServeHTTP is Stripe's API, which always tells the last state: what a session sold, and what became of a payment's refunds.
func (m *market) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	find := func(id string) *payment {
		p, _ := m.known.Load(id)
		found, _ := p.(*payment)
		return found
	}
	session, items := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/checkout/sessions/"), "/line_items")
	switch p := find(session); {
	case items && p != nil && p.ours():
		fmt.Fprintf(w, `{"object":"list","has_more":false,"data":[{"id":"li_1","object":"item","quantity":%d,"price":{"id":%q,"object":"price"}}]}`, p.quantity, historyPrice)
		return
	case items && p != nil:
		fmt.Fprint(w, `{"object":"list","has_more":false,"data":[{"id":"li_1","object":"item","quantity":1,"price":{"id":"price_shoes","object":"price"}}]}`)
		return
	}
	if p := find(strings.TrimPrefix(r.URL.Path, "/v1/payment_intents/")); p != nil {
		metadata := ""
		if p.begun() {
			metadata = p.metadata()
		}
		fmt.Fprintf(w, `{"id":%q,"object":"payment_intent","metadata":{%s}}`, p.intent(), metadata) //nolint:gosec // JSON to a test
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/v1/disputes/"); ok {
		_, of, _ := strings.Cut(strings.TrimPrefix(id, "dp_"), "_") // dp_0_<payment>
		if p := find("ch_" + of); p != nil {
			for _, d := range p.disputes {
				if d.id == id {
					fmt.Fprint(w, p.dispute(d)) //nolint:gosec // JSON to a test
					return
				}
			}
		}
	}
	query := r.URL.Query()
	if p := find(cmp.Or(query.Get("charge"), query.Get("payment_intent"))); p != nil && r.URL.Path == "/v1/refunds" {
		writeRefunds(w, p, query.Get("starting_after"))
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}`)
}

// writeRefunds answers one page of a payment's refunds, newest first. A refund of another payment is among them, as
// other stand-ins for Stripe have it: nobody may take it for this payment's.
func writeRefunds(w http.ResponseWriter, p *payment, after string) {
	all := []string{fmt.Sprintf(`{"id":"re_stranger","object":"refund","amount":%d,"currency":"eur","status":"succeeded","charge":"ch_stranger","payment_intent":"pi_stranger"}`, p.paid)}
	for _, r := range p.refunds {
		all = append(all, p.refund(r))
	}
	slices.Reverse(all)
	if after != "" {
		at := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, fmt.Sprintf(`{"id":%q`, after)) })
		all = all[at+1:]
	}
	page := all[:min(refundPage, len(all))]
	fmt.Fprintf(w, `{"object":"list","url":"/v1/refunds","has_more":%t,"data":[%s]}`, len(page) < len(all), strings.Join(page, ",")) //nolint:gosec // JSON to a test
}

// purchaseID is our own id of an order.
func purchaseID(p *payment) string { return uuid.NewSHA1(uuid.Nil, []byte(p.id)).String() }

// open writes what was known before the first event: users, their customers, their orders.
func (m *market) open(t *rapid.T, h *history) {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range h.people {
		if p.user {
			must(m.DB.Exec(`INSERT INTO users (email) VALUES (?)`, p.email).Error)
		}
		if p.known {
			must(m.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) SELECT ?, id, false FROM users WHERE email = ?`, p.customer, p.email).Error)
			must(m.DB.Exec(`UPDATE users SET stripe_customer_id = ? WHERE email = ?`, p.customer, p.email).Error)
		}
	}
	for _, p := range h.payments {
		m.known.Store(p.session(), p)
		m.known.Store(p.intent(), p)
		m.known.Store("ch_"+p.id, p)
		if !p.begun() {
			continue
		}
		session := p.session()
		if p.origin == "lost" {
			session = ""
		}
		must(m.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale, idempotency_key, checkout_session_id)
			SELECT ?, id, ?, ?, ?, ?, 'eur', 'de', ?, NULLIF(?, '') FROM users WHERE email = ?`,
			purchaseID(p), historyPrice, p.quantity, p.ordered, p.subtotal, p.id, session, p.buyer.email).Error)
	}
}

// send delivers an event as Stripe does: signed anew at each attempt, and again when it is refused.
func (m *market) send(payload string) error {
	for range 20 {
		err := m.Receive(context.Background(), []byte(payload), sign(payload, testSecret, m.Now()))
		if !fault.Is(err, fault.SignatureInvalid) { // unless the clock was set forward meanwhile
			return err
		}
	}
	return fmt.Errorf("no delivery of %.60s was in time", payload)
}

// tried reports whether every event has had its turn. Some have not when the machine is too busy; none may have failed,
// for nothing was broken.
func (m *market) tried(t *rapid.T) bool {
	var open []struct{ EventID, Status, LastError string }
	err := m.DB.Raw(`SELECT event_id, status, last_error FROM stripe_events WHERE status IN ('received', 'failed')`).Scan(&open).Error
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		if e.Status == "failed" {
			t.Errorf("%s failed: %s", e.EventID, e.LastError)
		}
	}
	return len(open) == 0
}

// settleDown lets the worker do all that is left, however long it takes.
func (m *market) settleDown(t *rapid.T) {
	var open int64
	for range 100 { // 50 events at a time, and six attempts for each
		if err := m.BookDue(context.Background()); err != nil {
			t.Fatalf("book due: %v", err)
		}
		err := m.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status IN ('received', 'deferred', 'failed')`).Scan(&open).Error
		if err != nil {
			t.Fatal(err)
		}
		if open == 0 {
			m.readAgain(t)
			return
		}
		m.clock.Add((25 * time.Hour).Microseconds())
	}
	t.Errorf("%d events are stuck", open)
}

// readAgain lets Stripe be asked for the refunds that the events alone cannot tell apart.
func (m *market) readAgain(t *rapid.T) {
	m.clock.Add((10 * time.Minute).Microseconds())
	for range 100 { // 20 charges at a time
		if err := m.Purchase.RefreshRefundsDue(context.Background()); err != nil {
			t.Fatalf("read refunds again: %v", err)
		}
		var marked int64
		if err := m.DB.Raw(`SELECT count(*) FROM stripe_charges WHERE reread_at IS NOT NULL`).Scan(&marked).Error; err != nil || marked == 0 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Errorf("charges stay marked")
}

// twin is a second event that Stripe makes of the same fact.
func twin(payload, mark string) string {
	var e struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		panic(err) // we wrote it
	}
	return strings.Replace(payload, e.ID, e.ID+mark, 1)
}
