package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
)

// lineItems is Stripe's list of a session's line items. Each price may have metadata and a quantity: `id metadata x
// n`.
func lineItems(prices ...string) string {
	var items []string
	for i, price := range prices {
		id, quantity, _ := strings.Cut(price, " x ")
		id, metadata, _ := strings.Cut(id, " ")
		items = append(items, fmt.Sprintf(`{"id":"li_%d","object":"item","quantity":%s,
			"price":{"id":%q,"object":"price","metadata":{%s}}}`, i, quantity, id, metadata))
	}
	return `{"object":"list","has_more":false,"data":[` + strings.Join(items, ",") + `]}`
}

// sessionItems are the line items of the sessions that stripeWithLineItems knows.
var sessionItems = map[string]string{
	"cs_items":  lineItems("price_1200 x 2"),
	"cs_one":    lineItems("price_1200 x 1"),
	"cs_two":    lineItems("price_1200 x 1", "price_1200 x 2"),
	"cs_none":   lineItems("price_1200 x 0"),
	"cs_shoes":  lineItems("price_shoes x 1"),
	"cs_mixed":  lineItems("price_1200 x 1", "price_shoes x 1"),
	"cs_theirs": lineItems(`price_1200 "credits_installation":"00000000-0000-4000-8000-000000000000" x 1`),
}

// stripeWithLineItems serves some Checkout Sessions and the line items of others.
func stripeWithLineItems(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, items := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/checkout/sessions/"), "/line_items")
		if list := sessionItems[session]; items && list != "" {
			fmt.Fprint(w, list)
			return
		}
		checkout := func(id, status, payment string) string {
			return fmt.Sprintf(
				`{"id":%q,"object":"checkout.session","status":%q,"payment_status":%q,"payment_intent":"pi_1","currency":"eur",
				"amount_subtotal":3500,"amount_total":3500,"metadata":{"credits":"1200"}}`, id, status, payment)
		}
		switch r.URL.Path {
		case "/v1/checkout/sessions/cs_1":
			fmt.Fprint(w, checkout("cs_1", "complete", "paid"))
		case "/v1/checkout/sessions/cs_open":
			fmt.Fprint(w, checkout("cs_open", "open", "unpaid"))
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

// link is the event of a paid session of a payment link.
func link(id, session, customer, email, credits string) string {
	return event(id, "checkout.session.completed", fmt.Sprintf(`{"id":%q,"object":"checkout.session","mode":"payment",
		"payment_status":"paid","payment_intent":%q,"customer":%s,"customer_details":{"email":%s},
		"currency":"eur","amount_subtotal":3500,"amount_total":3500,"metadata":%s}`, session, "pi_"+session, customer, email, credits))
}

func (s *fixture) balanceOf(email string) models.Credits {
	s.t.Helper()
	var user models.User
	s.must(s.DB.Take(&user, "email = ?", email).Error)
	return user.CreditsBalance
}

// A payment link's session grants credits by our prices and the quantity, or as its metadata says. If they contradict
// each other, the purchase is stored with its payment for review, and nothing is booked.
func TestCreditsOfAPaymentLinkSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, session, metadata string
		credits                 models.Credits
		review                  models.Cause
	}{
		{"the price alone", "cs_one", `{}`, 1200, ""},
		{"the same credits in its metadata", "cs_one", `{"credits":"1200"}`, 1200, ""},
		{"fewer credits in its metadata", "cs_one", `{"credits":"700"}`, 700, ""},
		{"more credits in its metadata", "cs_one", `{"credits":"1201"}`, 0, models.CauseSessionCredits},
		{"quantity two, metadata of one", "cs_items", `{"credits":"1200"}`, 2400, ""},
		{"quantity two, metadata of both", "cs_items", `{"credits":"2400"}`, 2400, ""},
		{"quantity two, metadata of neither", "cs_items", `{"credits":"700"}`, 0, models.CauseSessionCredits},
		{"two line items", "cs_two", `{}`, 3600, ""},
		{"credits and shoes", "cs_mixed", `{}`, 0, models.CauseSessionMixed},
		{"credits and shoes, with metadata", "cs_mixed", `{"credits":"1200"}`, 0, models.CauseSessionMixed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newFixture(t)
			s.deliver(link("evt_1", c.session, "null", `"ada@example.com"`, c.metadata))
			s.deliver(link("evt_2", c.session, "null", `"ada@example.com"`, c.metadata)) // a second event of the same session
			s.wantBalance(c.credits)
			var p models.Purchase
			s.must(s.DB.Take(&p, "checkout_session_id = ?", c.session).Error)
			var cause models.Cause
			s.must(s.DB.Raw(`SELECT last_error FROM stripe_events WHERE event_id = 'evt_1'`).Scan(&cause).Error)
			want := models.PurchasePaid
			if c.review != "" {
				want = models.PurchaseReview
			}
			if p.Status != want || cause != c.review {
				t.Errorf("purchase is %s (%q), want %s (%q)", p.Status, cause, want, c.review)
			}
			s.deliver(event("evt_3", "charge.refunded", fmt.Sprintf(`{"id":"ch_9","amount":3500,"amount_refunded":3500,
				"currency":"eur","payment_intent":"pi_%s"}`, c.session)))
			s.wantBalance(0)
			if got := s.statusOf("evt_3"); got != models.EventDone {
				t.Errorf("its refund is %s, want done", got)
			}
		})
	}
}

func TestSessionsStartedElsewhere(t *testing.T) {
	t.Parallel()
	const null, sold = "null", `{"credits":"1200"}`
	t.Run("finds the user by a known customer, not by the typed address", func(t *testing.T) {
		s := newFixture(t)
		s.must(s.DB.Exec(`INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES ('cus_1', ?, false)`, s.user).
			Error)
		paid := link("evt_1", "cs_link", `"cus_1"`, `"eve@example.com"`, sold)
		s.deliver(paid)
		s.deliver(paid)
		s.deliver(strings.Replace(paid, "evt_1", "evt_2", 1))
		s.wantBalance(1200)
	})
	t.Run("finds the user by address in any case, later by its customer", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(link("evt_1", "cs_a", `"cus_2"`, `" ADA@Example.com"`, sold))
		s.wantBalance(1200)
		s.deliver(link("evt_2", "cs_b", `"cus_2"`, `"other@example.com"`, sold))
		s.wantBalance(2400)
	})
	t.Run("uses no customer that Stripe created", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(link("evt_1", "cs_a", `"cus_2"`, `"ada@example.com"`, sold))
		s.deliver(link("evt_2", "cs_b", `"cus_3"`, `"ada@example.com"`, sold))
		s.wantBalance(2400)
		var user models.User
		s.must(s.DB.Take(&user, "id = ?", s.user).Error)
		var foreign int64
		s.must(s.DB.Raw(`SELECT count(*) FROM stripe_customers WHERE user_id = ? AND NOT created_by_us`, s.user).
			Scan(&foreign).Error)
		if user.StripeCustomerID != "" || foreign != 2 {
			t.Errorf("customer = %q and %d foreign customers, want none and 2", user.StripeCustomerID, foreign)
		}
	})
	t.Run("creates an account for an unknown address", func(t *testing.T) {
		s := newFixture(t)
		s.deliver(link("evt_1", "cs_a", null, `"new@example.com"`, sold))
		if got := s.balanceOf("new@example.com"); got != 1200 {
			t.Errorf("new user has %d credits, want 1200", got)
		}
		s.deliver(event("evt_r", "charge.refunded", `{"id":"ch_9","amount":3500,"amount_refunded":3500,"currency":"eur",
			"payment_intent":"pi_cs_a"}`))
		if got := s.balanceOf("new@example.com"); got != 0 {
			t.Errorf("new user has %d credits after the refund, want 0", got)
		}
	})
	t.Run("ignores unverified addresses of users", func(t *testing.T) {
		s := newFixture(t)
		squatter := dbtest.User(t, s.DB, "squatter@example.com")
		s.must(s.DB.Exec(`UPDATE users SET email = NULL WHERE id = ?`, squatter.ID).Error)
		s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email)
			VALUES ('i', 's', ?, 'oidc', 'owner@example.com')`, squatter.ID).Error)
		s.deliver(link("evt_1", "cs_a", null, `"owner@example.com"`, sold))
		s.must(s.DB.Take(&squatter, "id = ?", squatter.ID).Error)
		if got := s.balanceOf("owner@example.com"); got != 1200 || squatter.CreditsBalance != 0 {
			t.Errorf("owner has %d credits and squatter %d, want 1200 and 0", got, squatter.CreditsBalance)
		}
	})
	t.Run("finds one account for every spelling of a mailbox", func(t *testing.T) {
		s := newFixture(t)
		for i, typed := range []string{
			"j\u00f6rg@b\u00fccher.example", " J\u00d6RG@b\u00fccher.example ", "jo\u0308rg@bu\u0308cher.example",
			"j\u00f6rg@xn--bcher-kva.example", "j\u00f6rg@b\u00fccher.example.",
		} {
			s.deliver(link(fmt.Sprintf("evt_%d", i), fmt.Sprintf("cs_typed_%d", i), null, `"`+typed+`"`, sold))
		}
		if got := s.balanceOf("j\u00f6rg@b\u00fccher.example"); got != 5*1200 {
			t.Errorf("mailbox has %d credits, want %d", got, 5*1200)
		}
	})
	t.Run("reviews an address that only looks like another", func(t *testing.T) {
		s := newFixture(t)
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
	t.Run("finds the user by any verified address", func(t *testing.T) {
		s := newFixture(t)
		user := dbtest.User(t, s.DB, "first@example.com")
		s.must(s.DB.Exec(`INSERT INTO identities (issuer, subject, user_id, provider, email, email_verified) VALUES
			('i', 's', @id, 'oidc', 'first@example.com', true),
			('i', 't', @id, 'oidc', 'second@example.com', true)`, map[string]any{"id": user.ID}).Error)
		s.deliver(link("evt_1", "cs_a", null, `"second@example.com"`, sold))
		if got := s.balanceOf("first@example.com"); got != 1200 {
			t.Errorf("owner of both addresses has %d credits, want 1200", got)
		}
	})
	t.Run("books line items when the metadata has no valid credits", func(t *testing.T) {
		for i, metadata := range []string{`{}`, `{"credits":"many"}`, `{"credits":"0"}`, `{"credits":"1000001"}`} {
			s := newFixture(t)
			s.deliver(link(fmt.Sprintf("evt_%d", i), "cs_items", null, `"ada@example.com"`, metadata))
			s.wantBalance(2400)
		}
	})
	const otherTag = `{"credits_installation":"00000000-0000-4000-8000-000000000000"}`
	for name, c := range map[string]struct {
		payload string
		want    models.StripeEventStatus
	}{
		"line items of another product": {link("evt_1", "cs_shoes", null, `"ada@example.com"`, `{}`),
			models.EventIgnored},
		"a session unknown to Stripe": {link("evt_1", "cs_gone", null, `"ada@example.com"`, `{}`), models.EventIgnored},
		"another product with metadata": {link("evt_1", "cs_shoes", null, `"ada@example.com"`, `{"credits":"1200"}`),
			models.EventIgnored},
		"quantity zero": {link("evt_1", "cs_none", null, `"ada@example.com"`, `{}`), models.EventIgnored},
		"another installation's price": {link("evt_1", "cs_theirs", null, `"ada@example.com"`, `{}`),
			models.EventIgnored},
		"another installation's session": {link("evt_1", "cs_one", null, `"ada@example.com"`, otherTag),
			models.EventIgnored},
		"more credits than the price gives": {link("evt_1", "cs_gone", null, `"ada@example.com"`, `{"credits":"1201"}`),
			models.EventReview},
		"without customer and address": {link("evt_1", "cs_a", null, null, sold), models.EventReview},
		"an invalid address":           {link("evt_1", "cs_a", null, `"invalid"`, sold), models.EventReview},
		"Stripe is unavailable":        {link("evt_1", "cs_down", null, `"ada@example.com"`, `{}`), models.EventFailed},
		"not paid yet": {strings.Replace(link("evt_1", "cs_a", null, `"ada@example.com"`, sold), `"paid"`,
			`"unpaid"`, 1), models.EventIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			s.deliver(c.payload)
			if got := s.statusOf("evt_1"); got != c.want {
				t.Errorf("event is %s, want %s", got, c.want)
			}
			s.wantBalance(0)
		})
	}
	t.Run("books once for concurrent deliveries of two events", func(t *testing.T) {
		s := newFixture(t)
		dbtest.Concurrently(20, func(i int) {
			s.receive(link(fmt.Sprintf("evt_%d", i%2), "cs_items", `"cus_9"`, `"new@example.com"`, `{}`))
		})
		if got := s.balanceOf("new@example.com"); got != 2400 {
			t.Errorf("new user has %d credits, want 2400", got)
		}
		dbtest.CheckLedger(t, s.DB)
	})
}
