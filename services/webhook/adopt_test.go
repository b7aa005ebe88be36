package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// stripeWithLineItems is a Stripe that knows what one session sold: twice 1200 credits. Another sold something else.
func stripeWithLineItems(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		item := func(price string) string {
			return fmt.Sprintf(`{"object":"list","has_more":false,"data":[{"id":"li_1","object":"item","quantity":2,"price":{"id":%q,"object":"price"}}]}`, price)
		}
		session := func(id, status, payment string) string {
			return fmt.Sprintf(`{"id":%q,"object":"checkout.session","status":%q,"payment_status":%q,"payment_intent":"pi_1","currency":"eur",
				"amount_subtotal":3500,"amount_total":3500,"metadata":{"credits":"1200"}}`, id, status, payment)
		}
		switch r.URL.Path {
		case "/v1/checkout/sessions/cs_items/line_items":
			fmt.Fprint(w, item("price_1200"))
		case "/v1/checkout/sessions/cs_shoes/line_items":
			fmt.Fprint(w, item("price_shoes"))
		case "/v1/checkout/sessions/cs_1":
			fmt.Fprint(w, session("cs_1", "complete", "paid"))
		case "/v1/checkout/sessions/cs_open":
			fmt.Fprint(w, session("cs_open", "open", "unpaid"))
		case "/v1/checkout/sessions/cs_down/line_items", "/v1/checkout/sessions/cs_down":
			http.Error(w, `{"error":{"type":"api_error"}}`, http.StatusBadRequest)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":{"type":"invalid_request_error","code":"resource_missing","param":"session"}}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// link is a paid session that was not begun here.
func link(id, session, customer, email, credits string) string {
	return event(id, "checkout.session.completed", fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment","payment_status":"paid","payment_intent":%q,
		"customer":%s,"customer_details":{"email":%s},"currency":"eur","amount_subtotal":3500,"amount_total":3500,"metadata":%s}`,
		session, "pi_"+session, customer, email, credits))
}

func (s *shop) balanceOf(email string) models.Credits {
	s.t.Helper()
	var user models.User
	s.must(s.DB.Take(&user, "email = ?", email).Error)
	return user.CreditsBalance
}

func TestSessionsThatWereNotBegunHere(t *testing.T) {
	t.Parallel()
	const null, sold = "null", `{"credits":"1200"}`
	t.Run("a customer that we know, whatever address was typed", func(t *testing.T) {
		s := newShop(t)
		s.must(s.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`, s.user).Error)
		paid := link("evt_1", "cs_link", `"cus_1"`, `"eve@example.com"`, sold)
		s.deliver(paid)
		s.deliver(paid)
		s.deliver(strings.Replace(paid, "evt_1", "evt_2", 1))
		s.wantBalance(1200)
	})
	t.Run("an address that we know, in any case, and its customer from then on", func(t *testing.T) {
		s := newShop(t)
		s.deliver(link("evt_1", "cs_a", `"cus_2"`, `" ADA@Example.com"`, sold))
		s.wantBalance(1200)
		s.deliver(link("evt_2", "cs_b", `"cus_2"`, `"other@example.com"`, sold))
		s.wantBalance(2400)
	})
	t.Run("a second customer of one address does not replace the first", func(t *testing.T) {
		s := newShop(t)
		s.deliver(link("evt_1", "cs_a", `"cus_2"`, `"ada@example.com"`, sold))
		s.deliver(link("evt_2", "cs_b", `"cus_3"`, `"ada@example.com"`, sold))
		s.wantBalance(2400)
		var user models.User
		s.must(s.DB.Take(&user, "id = ?", s.user).Error)
		if user.StripeCustomerID != "cus_2" {
			t.Errorf("customer is %s, want cus_2", user.StripeCustomerID)
		}
	})
	t.Run("an address that nobody has", func(t *testing.T) {
		s := newShop(t)
		s.deliver(link("evt_1", "cs_a", null, `"new@example.com"`, sold))
		if got := s.balanceOf("new@example.com"); got != 1200 {
			t.Errorf("the new user has %d credits, want 1200", got)
		}
		s.deliver(event("evt_r", "charge.refunded", `{"id":"ch_9","amount":3500,"amount_refunded":3500,"currency":"eur","payment_intent":"pi_cs_a"}`))
		if got := s.balanceOf("new@example.com"); got != 0 {
			t.Errorf("after the refund the new user has %d credits, want 0", got)
		}
	})
	t.Run("an address that somebody claimed without proof is not theirs", func(t *testing.T) {
		s := newShop(t)
		squatter := dbtest.User(t, s.DB, "squatter@example.com")
		s.must(s.DB.Exec(`UPDATE users SET email = NULL WHERE id = ?`, squatter.ID).Error)
		s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email) VALUES ('i', 's', ?, 'oidc', 'owner@example.com')`, squatter.ID).Error)
		s.deliver(link("evt_1", "cs_a", null, `"owner@example.com"`, sold))
		s.must(s.DB.Take(&squatter, "id = ?", squatter.ID).Error)
		if got := s.balanceOf("owner@example.com"); got != 1200 || squatter.CreditsBalance != 0 {
			t.Errorf("the owner has %d credits and the squatter %d, want 1200 and 0", got, squatter.CreditsBalance)
		}
	})
	t.Run("one mailbox is one account, however the buyer spells it", func(t *testing.T) {
		s := newShop(t)
		for i, typed := range []string{"j\u00f6rg@b\u00fccher.example", " J\u00d6RG@b\u00fccher.example ", "jo\u0308rg@bu\u0308cher.example", "j\u00f6rg@xn--bcher-kva.example", "j\u00f6rg@b\u00fccher.example."} {
			s.deliver(link(fmt.Sprintf("evt_%d", i), fmt.Sprintf("cs_typed_%d", i), null, `"`+typed+`"`, sold))
		}
		if got := s.balanceOf("j\u00f6rg@b\u00fccher.example"); got != 5*1200 {
			t.Errorf("the mailbox has %d credits, want %d", got, 5*1200)
		}
	})
	t.Run("an address that lower-casing would make another's is nobody's", func(t *testing.T) {
		s := newShop(t)
		karla := dbtest.User(t, s.DB, "karla@example.org")
		for i, typed := range []string{"\u212aarla@example.org", "karla\u200b@example.org"} {
			s.deliver(link(fmt.Sprintf("evt_%d", i), fmt.Sprintf("cs_typed_%d", i), null, `"`+typed+`"`, sold))
			if got := s.statusOf(fmt.Sprintf("evt_%d", i)); got != models.EventReview {
				t.Errorf("%+q: event is %s, want %s", typed, got, models.EventReview)
			}
		}
		if s.must(s.DB.Take(&karla, "id = ?", karla.ID).Error); karla.CreditsBalance != 0 {
			t.Errorf("karla has %d credits, want 0", karla.CreditsBalance)
		}
	})
	t.Run("a verified address of somebody who has another one is theirs", func(t *testing.T) {
		s := newShop(t)
		user := dbtest.User(t, s.DB, "first@example.com")
		s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) VALUES
			('i', 's', @id, 'oidc', 'first@example.com', true), ('i', 't', @id, 'oidc', 'second@example.com', true)`, map[string]any{"id": user.ID}).Error)
		s.deliver(link("evt_1", "cs_a", null, `"second@example.com"`, sold))
		if got := s.balanceOf("first@example.com"); got != 1200 {
			t.Errorf("the owner of both addresses has %d credits, want 1200", got)
		}
	})
	t.Run("line items by our prices and their quantity when the session does not say", func(t *testing.T) {
		for i, metadata := range []string{`{}`, `{"credits":"many"}`, `{"credits":"0"}`, `{"credits":"1000001"}`} {
			s := newShop(t)
			s.deliver(link(fmt.Sprintf("evt_%d", i), "cs_items", null, `"ada@example.com"`, metadata))
			s.wantBalance(2400)
		}
	})
	for name, c := range map[string]struct {
		payload string
		want    models.StripeEventStatus
	}{
		"line items of another product":              {link("evt_1", "cs_shoes", null, `"ada@example.com"`, `{}`), models.EventIgnored},
		"a session that Stripe does not know":        {link("evt_1", "cs_gone", null, `"ada@example.com"`, `{}`), models.EventIgnored},
		"ours, but neither metadata nor items tell":  {link("evt_1", "cs_shoes", null, `"ada@example.com"`, `{"credits":"x"}`), models.EventReview},
		"nobody to give the credits to":              {link("evt_1", "cs_a", null, null, sold), models.EventReview},
		"an address that is none":                    {link("evt_1", "cs_a", null, `"nobody"`, sold), models.EventReview},
		"Stripe is away, so it is tried again later": {link("evt_1", "cs_down", null, `"ada@example.com"`, `{}`), models.EventFailed},
		"not paid yet":                               {strings.Replace(link("evt_1", "cs_a", null, `"ada@example.com"`, sold), `"paid"`, `"unpaid"`, 1), models.EventIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.deliver(c.payload)
			if got := s.statusOf("evt_1"); got != c.want {
				t.Errorf("event is %s, want %s", got, c.want)
			}
			s.wantBalance(0)
		})
	}
	t.Run("twenty deliveries of two events at once", func(t *testing.T) {
		s := newShop(t)
		dbtest.Together(20, func(i int) {
			payload := link(fmt.Sprintf("evt_%d", i%2), "cs_items", `"cus_9"`, `"new@example.com"`, `{}`)
			if err := s.Receive(context.Background(), []byte(payload), sign(payload, testSecret, s.clock)); err != nil {
				t.Errorf("receive: %v", err)
			}
		})
		if got := s.balanceOf("new@example.com"); got != 2400 {
			t.Errorf("the new user has %d credits, want 2400", got)
		}
		dbtest.CheckLedger(t, s.DB)
	})
}
