package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// answering points the shop at a Stripe that answers these paths; down makes it answer nothing.
func (s *shop) answering(paths map[string]string, watch ...func()) (asked *atomic.Int64, down *atomic.Bool) {
	s.t.Helper()
	asked, down = new(atomic.Int64), new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		for _, look := range watch {
			look()
		}
		body, ok := paths[r.URL.Path]
		switch {
		case down.Load():
			http.Error(w, `{"error":{"type":"invalid_request_error"}}`, http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}}`)
		default:
			fmt.Fprint(w, body)
		}
	}))
	s.t.Cleanup(server.Close)
	s.Purchase.Stripe = stripeapi.New("sk_test_0123456789", server.URL)
	s.Catalog.Stripe = s.Purchase.Stripe
	return asked, down
}

// chargeDisputed is a dispute that names no payment.
func chargeDisputed(id, charge string) string {
	return event(id, "charge.dispute.created", fmt.Sprintf(`{"id":"dp_1","object":"dispute","amount":3500,"currency":"eur","status":"needs_response","charge":%q,"payment_intent":null}`, charge))
}

func TestWhatNamesItsChargeAloneFindsItsPayment(t *testing.T) {
	t.Parallel()
	const charge = `{"id":"ch_1","object":"charge","amount":3500,"amount_refunded":0,"currency":"eur","payment_intent":"pi_1"}`
	t.Run("by asking Stripe, once", func(t *testing.T) {
		s := newShop(t)
		asked, _ := s.answering(map[string]string{"/v1/charges/ch_1": charge})
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(chargeDisputed("evt_2", "ch_1"))
		s.wantBalance(0)
		s.deliver(at(1, strings.Replace(chargeDisputed("evt_3", "ch_1"), "needs_response", "won", 1)))
		s.wantBalance(1200)
		if asked.Load() != 1 {
			t.Errorf("Stripe was asked %d times, want once", asked.Load())
		}
	})
	t.Run("before its purchase is known", func(t *testing.T) {
		s := newShop(t)
		s.answering(map[string]string{"/v1/charges/ch_1": charge})
		s.deliver(strings.Replace(refund("evt_1", "re_1", 3500), `"payment_intent":"pi_1"`, `"payment_intent":null`, 1))
		s.deliver(s.completed("evt_2", "cs_1", "paid"))
		s.wantBalance(0)
	})
	t.Run("later, when Stripe is away", func(t *testing.T) {
		s := newShop(t)
		_, down := s.answering(map[string]string{"/v1/charges/ch_1": charge})
		down.Store(true)
		s.deliver(s.completed("evt_1", "cs_1", "paid"))
		s.deliver(chargeDisputed("evt_2", "ch_1"))
		s.wantBalance(1200)
		if got := s.statusOf("evt_2"); got != models.EventFailed {
			t.Errorf("event is %s, want failed and to be tried again", got)
		}
		down.Store(false)
		s.clock = s.clock.Add(pauses[0])
		s.must(s.BookDue(t.Context()))
		s.wantBalance(0)
	})
	t.Run("never, when Stripe does not know it either", func(t *testing.T) {
		s := newShop(t)
		s.answering(nil)
		s.deliver(chargeDisputed("evt_1", "ch_elsewhere"))
		if got := s.statusOf("evt_1"); got != models.EventDeferred {
			t.Errorf("event is %s, want it to wait for a purchase", got)
		}
	})
}

func TestPriceEventsKeepOurTableFresh(t *testing.T) {
	t.Parallel()
	product := func(active bool) string {
		return fmt.Sprintf(`{"id":"resume_matcher_credits","object":"product","active":%t}`, active)
	}
	const prices = `{"object":"list","has_more":false,"data":[
		{"id":"price_new","object":"price","active":true,"currency":"eur","type":"one_time","unit_amount":900,"product":"resume_matcher_credits","metadata":{"credits":"200"}},
		{"id":"price_odd","object":"price","active":true,"currency":"eur","type":"one_time","unit_amount":900,"product":"resume_matcher_credits","metadata":{"credits":"many"}}]}`
	paths := map[string]string{"/v1/products/resume_matcher_credits": product(true), "/v1/prices": prices}
	onSale := func(s *shop) string {
		var ids []string
		s.must(s.DB.Raw(`SELECT stripe_price_id FROM prices WHERE active ORDER BY 1`).Scan(&ids).Error)
		return strings.Join(ids, " ")
	}
	priceEvent := func(id, product string) string {
		return event(id, "price.updated", fmt.Sprintf(`{"id":"price_1200","object":"price","active":false,"product":%q}`, product))
	}
	t.Run("a changed price", func(t *testing.T) {
		s := newShop(t)
		s.answering(paths)
		s.deliver(priceEvent("evt_1", "resume_matcher_credits"))
		if got := onSale(s); got != "price_new" {
			t.Errorf("on sale are %q, want price_new alone", got)
		}
		s.deliver(s.completed("evt_2", "cs_1", "paid")) // begun with the price that is gone
		s.wantBalance(1200)
	})
	t.Run("a product that is no longer sold", func(t *testing.T) {
		s := newShop(t)
		s.answering(map[string]string{"/v1/products/resume_matcher_credits": product(false), "/v1/prices": prices})
		s.deliver(event("evt_1", "product.updated", product(false)))
		if got := onSale(s); got != "" {
			t.Errorf("on sale are %q, want nothing", got)
		}
	})
	t.Run("another product's are no business of ours", func(t *testing.T) {
		s := newShop(t)
		asked, _ := s.answering(paths)
		s.deliver(priceEvent("evt_1", "prod_shoes"))
		s.deliver(event("evt_2", "product.created", `{"id":"prod_shoes","object":"product"}`))
		if asked.Load() != 0 || onSale(s) != "price_1200" || s.statusOf("evt_1") != models.EventIgnored {
			t.Errorf("asked %d times, on sale are %q, event is %s", asked.Load(), onSale(s), s.statusOf("evt_1"))
		}
	})
	t.Run("Stripe away", func(t *testing.T) {
		s := newShop(t)
		_, down := s.answering(paths)
		down.Store(true)
		s.deliver(priceEvent("evt_1", "resume_matcher_credits"))
		if onSale(s) != "price_1200" {
			t.Errorf("on sale are %q, want what was", onSale(s))
		}
		down.Store(false)
		s.clock = s.clock.Add(pauses[0])
		s.must(s.BookDue(t.Context()))
		if onSale(s) != "price_new" {
			t.Errorf("on sale are %q, want price_new", onSale(s))
		}
	})
}
