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
	historyPrice   = "price_it" // the price of the line items
	creditsPerItem = 120
	centsPerItem   = 100
	refundPage     = 2 // refunds per page of Stripe's list, few so that lists have several pages
)

// historyFixture is one database, one clock and one Stripe server for any number of histories.
type historyFixture struct {
	*Service
	clock atomic.Int64 // microseconds since 1970
	tag   string       // of the installation
	known sync.Map     // Stripe's session, payment intent or charge id → *payment
}

func newHistoryFixture(t *testing.T) *historyFixture {
	t.Helper()
	f := &historyFixture{}
	f.clock.Store(models.Now().UnixMicro())
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	db := dbtest.New(t)
	f.Service = &Service{DB: db, Secrets: []string{testSecret}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMicro(f.clock.Load()).UTC() }}
	f.Purchase = &purchase.Service{DB: db, Stripe: stripeapi.New("sk_test_0123456789", server.URL), Now: f.Now, Log: f.Log}
	err := db.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents) VALUES (?, ?, ?)`,
		historyPrice, creditsPerItem, centsPerItem).Error
	if err != nil {
		t.Fatal(err)
	}
	i, err := f.Purchase.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.tag = i.ID.String()
	return f
}

// ServeHTTP serves Stripe's API with the final state of sessions, payments, refunds and disputes.
func (f *historyFixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	find := func(id string) *payment {
		p, _ := f.known.Load(id)
		found, _ := p.(*payment)
		return found
	}
	session, items := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/checkout/sessions/"), "/line_items")
	switch p := find(session); {
	case items && p != nil && p.ours():
		fmt.Fprint(w, lineItems(fmt.Sprintf("%s x %d", historyPrice, p.quantity)))
		return
	case items && p != nil:
		fmt.Fprint(w, lineItems("price_shoes x 1"))
		return
	}
	if p := find(strings.TrimPrefix(r.URL.Path, "/v1/payment_intents/")); p != nil {
		metadata := ""
		if p.startedHere() {
			metadata = p.metadata()
		}
		fmt.Fprintf(w, `{"id":%q,"object":"payment_intent","metadata":{%s}}`, p.intent(), metadata)
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/v1/disputes/"); ok {
		_, of, _ := strings.Cut(strings.TrimPrefix(id, "dp_"), "_") // dp_0_<payment>
		if p := find("ch_" + of); p != nil {
			for _, d := range p.disputes {
				if d.id == id {
					fmt.Fprint(w, p.dispute(d))
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

// writeRefunds writes one page of a payment's refunds, newest first. The list contains a refund of another payment,
// as some Stripe mocks return, which must be ignored.
func writeRefunds(w http.ResponseWriter, p *payment, after string) {
	all := []string{fmt.Sprintf(`{"id":"re_foreign","object":"refund","amount":%d,"currency":"eur","status":"succeeded",
		"charge":"ch_foreign","payment_intent":"pi_foreign"}`, p.paid)}
	for _, r := range p.refunds {
		all = append(all, p.refund(r))
	}
	slices.Reverse(all)
	if after != "" {
		at := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, fmt.Sprintf(`{"id":%q`, after)) })
		all = all[at+1:]
	}
	page := all[:min(refundPage, len(all))]
	fmt.Fprintf(w, `{"object":"list","url":"/v1/refunds","has_more":%t,"data":[%s]}`,
		len(page) < len(all), strings.Join(page, ","))
}

// purchaseID is the id of the payment's purchase.
func purchaseID(p *payment) string { return uuid.NewSHA1(uuid.Nil, []byte(p.id)).String() }

// open inserts the rows that exist before the first event: users, customers and pending purchases.
func (f *historyFixture) open(t *rapid.T, h *history) {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range h.people {
		if p.user {
			must(f.DB.Exec(`INSERT INTO users (email) VALUES (?)`, p.email).Error)
		}
		if p.known {
			must(f.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode)
				SELECT ?, id, false FROM users WHERE email = ?`, p.customer, p.email).Error)
			must(f.DB.Exec(`UPDATE users SET stripe_customer_id = ? WHERE email = ?`, p.customer, p.email).Error)
		}
	}
	for _, p := range h.payments {
		f.known.Store(p.session(), p)
		f.known.Store(p.intent(), p)
		f.known.Store("ch_"+p.id, p)
		if !p.startedHere() {
			continue
		}
		session := p.session()
		if p.origin == "lost" {
			session = ""
		}
		must(
			f.DB.Exec(`INSERT INTO purchases (id, user_id, stripe_price_id, quantity, credits, amount_cents, currency, locale,
				idempotency_key, checkout_session_id)
			SELECT ?, id, ?, ?, ?, ?, 'eur', 'de', ?, NULLIF(?, '') FROM users WHERE email = ?`,
				purchaseID(p), historyPrice, p.quantity, p.ordered, p.subtotal, p.id, session, p.buyer.email).Error)
	}
}

// send delivers an event. It signs each attempt anew, because another goroutine may set the clock forward meanwhile.
func (f *historyFixture) send(payload string) error {
	for range 20 {
		err := f.Receive(context.Background(), []byte(payload), sign(payload, testSecret, f.Now()))
		if !fault.Is(err, fault.SignatureInvalid) {
			return err
		}
	}
	return fmt.Errorf("every signature of %.60s was outdated", payload)
}

// allAttempted reports whether every event was attempted. On a busy machine some are not. None may have failed.
func (f *historyFixture) allAttempted(t *rapid.T) bool {
	var open []struct{ EventID, Status, LastError string }
	err := f.DB.Raw(`SELECT event_id, status, last_error FROM stripe_events WHERE status IN ('received', 'failed')`).
		Scan(&open).Error
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range open {
		if e.Status == "failed" {
			t.Errorf("event %s failed: %s", e.EventID, e.LastError)
		}
	}
	return len(open) == 0
}

// runWorkerToEnd runs the worker until no event is open.
func (f *historyFixture) runWorkerToEnd(t *rapid.T) {
	var open int64
	for range 100 { // 50 events per batch, and six attempts per event
		if err := f.BookDue(context.Background()); err != nil {
			t.Fatalf("book due: %v", err)
		}
		err := f.DB.Raw(`SELECT count(*) FROM stripe_events WHERE status IN ('received', 'deferred', 'failed')`).Scan(&open).
			Error
		if err != nil {
			t.Fatal(err)
		}
		if open == 0 {
			f.refreshRefunds(t)
			return
		}
		f.clock.Add((25 * time.Hour).Microseconds())
	}
	t.Errorf("%d events are still open, want 0", open)
}

// refreshRefunds fetches the refunds of each charge with ambiguous events.
func (f *historyFixture) refreshRefunds(t *rapid.T) {
	f.clock.Add((10 * time.Minute).Microseconds())
	for range 100 { // 20 charges per batch
		if err := f.Purchase.RefreshRefundsDue(context.Background()); err != nil {
			t.Fatalf("refresh refunds: %v", err)
		}
		var marked int64
		if err := f.DB.Raw(`SELECT count(*) FROM stripe_charges WHERE reread_at IS NOT NULL`).Scan(&marked).
			Error; err != nil {
			t.Fatal(err)
		}
		if marked == 0 {
			return
		}
	}
	t.Error("charges are still marked for a refresh, want none")
}

// duplicate is another event of the same fact, with mark appended to its id.
func duplicate(payload, mark string) string {
	var e struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		panic(err) // the tests wrote it
	}
	return strings.Replace(payload, e.ID, e.ID+mark, 1)
}
