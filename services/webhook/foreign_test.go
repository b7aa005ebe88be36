package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stripe/stripe-go/v79/client"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// fakeStripe is a Stripe server with some objects, and the paths that were requested.
type fakeStripe struct {
	url      string
	mu       sync.Mutex
	requests []string
}

func newFakeStripe(t *testing.T, objects map[string]string) *fakeStripe {
	t.Helper()
	k := &fakeStripe{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		k.requests = append(k.requests, r.URL.Path)
		k.mu.Unlock()
		if object := objects[r.URL.Path]; object != "" {
			fmt.Fprint(w, object)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}`)
	}))
	t.Cleanup(server.Close)
	k.url = server.URL
	return k
}

func (k *fakeStripe) client() *client.API { return stripeapi.New("sk_test_0123456789", k.url) }

// runAllAttempts runs the worker at the time of each attempt of a new event.
func (s *fixture) runAllAttempts() {
	s.t.Helper()
	for _, pause := range retryPauses {
		s.clock = s.clock.Add(pause + inlineGrace)
		s.must(s.BookDue(context.Background()))
	}
}

// Another product of the same Stripe account has sales, refunds and disputes. Its events are ignored, without review,
// and Stripe is asked once about each payment and session.
func TestAnotherProductsEvents(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	k := newFakeStripe(t, map[string]string{
		"/v1/payment_intents/pi_shoes":                  `{"id":"pi_shoes","metadata":{"order":"7","purchase_id":"7"}}`,
		"/v1/payment_intents/pi_theirs":                 `{"id":"pi_theirs","metadata":{"credits_installation":"00000000-0000-4000-8000-000000000000"}}`,
		"/v1/checkout/sessions/cs_shoes/line_items":     lineItems("price_shoes x 1"),
		"/v1/checkout/sessions/cs_shoes_two/line_items": lineItems("price_shoes x 1"),
	})
	s.Purchase.Stripe = k.client()
	money := func(id, payment string) []string {
		return []string{
			event("evt_"+id+"_1", "charge.refunded", fmt.Sprintf(`{"id":"ch_%s","amount":900,"amount_refunded":900,
				"currency":"eur","payment_intent":%q}`, id, payment)),
			event("evt_"+id+"_2", "refund.created",
				fmt.Sprintf(`{"id":"re_%s","amount":900,"currency":"eur","status":"succeeded",
				"charge":"ch_%s","payment_intent":%q}`, id, id, payment)),
			event("evt_"+id+"_3", "charge.dispute.created", fmt.Sprintf(`{"id":"dp_%s","amount":900,"currency":"eur",
				"status":"needs_response","charge":"ch_%s","payment_intent":%q}`, id, id, payment)),
		}
	}
	payloads := slices.Concat(money("a", "pi_shoes"), money("b", "pi_theirs"), money("c", "pi_gone"), []string{
		link("evt_s1", "cs_shoes", "null", `"eve@example.com"`, `{"credits":"5000"}`),
		link("evt_s2", "cs_shoes_two", `"cus_theirs"`, `"eve@example.com"`, `{}`),
		event("evt_s3", "checkout.session.expired",
			`{"id":"cs_shoes_three","mode":"payment","payment_status":"unpaid","metadata":{"purchase_id":"7"}}`),
		event("evt_s4", "customer.deleted", `{"id":"cus_theirs"}`),
		event("evt_s5", "checkout.session.completed",
			`{"id":"cs_shoes_four","mode":"payment","payment_status":"unpaid","metadata":{"purchase_id":"7"}}`),
	})
	for _, p := range payloads {
		s.deliver(p)
	}
	s.runAllAttempts()
	for i, p := range payloads { // new events of the same facts
		s.deliver(duplicate(p, fmt.Sprintf("_again%d", i)))
	}
	s.runAllAttempts()
	var statuses []string
	s.must(s.DB.Raw(`SELECT DISTINCT status FROM stripe_events`).Scan(&statuses).Error)
	if !slices.Equal(statuses, []string{string(models.EventIgnored)}) {
		t.Errorf("statuses of the events = %v, want ignored alone", statuses)
	}
	for id, want := range map[string]models.Cause{
		"evt_s1": models.CauseSessionForeign, "evt_s3": models.CauseSessionForeign, "evt_s5": models.CauseSessionUnpaid,
	} {
		if got := s.event(id).LastError; got != want {
			t.Errorf("%s is ignored for %q, want %q", id, got, want)
		}
	}
	slices.Sort(k.requests)
	want := []string{
		"/v1/checkout/sessions/cs_shoes/line_items", "/v1/checkout/sessions/cs_shoes_two/line_items",
		"/v1/payment_intents/pi_gone", "/v1/payment_intents/pi_shoes", "/v1/payment_intents/pi_theirs",
	}
	if !slices.Equal(k.requests, want) {
		t.Errorf("requests to Stripe:\n%s\nwant each once:\n%s", strings.Join(k.requests, "\n"), strings.Join(want, "\n"))
	}
	var accounts int64
	s.must(s.DB.Raw(`SELECT count(*) FROM users WHERE email = 'eve@example.com'`).Scan(&accounts).Error)
	if accounts != 0 {
		t.Errorf("%d accounts of the other product's buyer, want 0", accounts)
	}
	s.wantBalance(0)
}

// A refund of a payment that was considered foreign is booked once the session of the payment turns out to be ours.
func TestRefundLongBeforeItsPurchase(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	k := newFakeStripe(t, map[string]string{"/v1/payment_intents/pi_cs_one": `{"id":"pi_cs_one","metadata":{}}`,
		"/v1/checkout/sessions/cs_one/line_items": lineItems("price_1200 x 1")})
	s.Purchase.Stripe = k.client()
	s.deliver(event("evt_1", "charge.refunded",
		`{"id":"ch_9","amount":3500,"amount_refunded":1750,"currency":"eur","payment_intent":"pi_cs_one"}`))
	s.runAllAttempts()
	if got := s.statusOf("evt_1"); got != models.EventIgnored {
		t.Fatalf("refund of an unknown payment is %s, want ignored", got)
	}
	s.deliver(link("evt_2", "cs_one", "null", `"ada@example.com"`, `{}`))
	s.wantBalance(600)
	s.deliver(event("evt_3", "charge.refunded",
		`{"id":"ch_9","amount":3500,"amount_refunded":3500,"currency":"eur","payment_intent":"pi_cs_one"}`))
	s.wantBalance(0)
}

// A refund fails while Stripe is unavailable, because its payment is unknown. The event of the payment books it.
func TestPurchaseBooksARefundThatFailed(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	_, down := s.serveStripe(nil)
	down.Store(true)
	s.deliver(refunded("evt_1", 1750))
	s.clock = s.clock.Add(retryPauses[0] + inlineGrace)
	s.must(s.BookDue(t.Context()))
	if got := s.statusOf("evt_1"); got != models.EventFailed {
		t.Fatalf("refund is %s while Stripe is unavailable, want failed", got)
	}
	s.deliver(s.completed("evt_2", "cs_1", "paid"))
	if got := s.statusOf("evt_1"); got != models.EventDone {
		t.Errorf("refund is %s once its purchase is paid, want done", got)
	}
	s.wantBalance(600)
}

// A buyer can set the client_reference_id of a payment link in its URL.
func TestPaymentLinkCannotPayAnOrder(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	s.must(s.DB.Exec(`UPDATE purchases SET checkout_session_id = NULL`).Error) // as if Stripe's answer was lost
	spoof := func(id, kind, session, status string) string {
		return event(id, kind, fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":%q,
			"payment_intent":"pi_spoof","payment_link":"plink_1",
			"client_reference_id":%q,"currency":"eur","amount_subtotal":3500,"amount_total":3500,"metadata":{}}`, session, status, s.purchase.ID))
	}
	s.deliver(spoof("evt_1", "checkout.session.completed", "cs_shoes", "paid"))
	s.deliver(spoof("evt_2", "checkout.session.async_payment_failed", "cs_shoes2", "unpaid"))
	s.deliver(spoof("evt_3", "checkout.session.expired", "cs_shoes3", "unpaid"))
	s.wantBalance(0)
	var p models.Purchase
	s.must(s.DB.Take(&p, "id = ?", s.purchase.ID).Error)
	if p.Status != models.PurchasePending || p.CheckoutSessionID != "" {
		t.Errorf("purchase is %s with session %q, want pending without session", p.Status, p.CheckoutSessionID)
	}
	s.deliver(s.completed("evt_4", "cs_real", "paid"))
	s.wantBalance(1200)
}

// The event of a session may arrive before the event of its new price.
func TestPaymentLinkWithANewPrice(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	k := newFakeStripe(t, map[string]string{
		"/v1/checkout/sessions/cs_new/line_items": `{"object":"list","data":[{"id":"li_1","object":"item","quantity":1,
			"price":{"id":"price_new","object":"price","product":"resume_matcher_credits"}}]}`,
		"/v1/prices": `{"object":"list","data":[{"id":"price_new","object":"price","active":true,"type":"one_time",
			"currency":"eur","unit_amount":3500,"product":{"id":"resume_matcher_credits","active":true},
			"metadata":{"credits":"900"}}]}`,
	})
	s.Purchase.Stripe = k.client()
	s.deliver(link("evt_1", "cs_new", "null", `"ada@example.com"`, `{}`))
	s.wantBalance(900)
}

func TestConcurrentEventsOfAMixedSession(t *testing.T) {
	t.Parallel()
	s := newFixture(t)
	dbtest.Concurrently(20, func(i int) {
		s.receive(link(fmt.Sprintf("evt_%d", i), "cs_mixed", `"cus_9"`, `"new@example.com"`, `{}`))
	})
	s.runAllAttempts()
	var purchases int64
	s.must(s.DB.Raw(`SELECT count(*) FROM purchases
		WHERE checkout_session_id = 'cs_mixed' AND status = 'review' AND payment_intent_id = 'pi_cs_mixed'`).Scan(&purchases).Error)
	if got := s.balanceOf("new@example.com"); got != 0 || purchases != 1 {
		t.Errorf("%d credits and %d purchases under review, want 0 and 1", got, purchases)
	}
}
