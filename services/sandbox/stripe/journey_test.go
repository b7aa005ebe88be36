package stripe_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestPayJourney(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	if session.PaymentIntent != nil || session.LineItems != nil || session.Status != "open" ||
		session.PaymentStatus != "unpaid" || session.Livemode {
		t.Errorf("new session: got %+v, want it open, unpaid, without payment and lines", session)
	}
	if session.AmountTotal != 4000 || session.Currency != "eur" {
		t.Errorf("total: got %d %s, want 4000 eur", session.AmountTotal, session.Currency)
	}

	checkout := s.get(t, session.URL)
	if got := checkout.text("#total"); got != "40,00 €" {
		t.Errorf("total: got %q, want 40,00 €", got)
	}
	if got := checkout.texts("#items tbody td"); got != "500 Credits | 2 | 40,00 €" {
		t.Errorf("lines: got %q", got)
	}
	if got := checkout.text(".banner"); !strings.Contains(got, "kein echtes Geld") {
		t.Errorf("notice: got %q", got)
	}
	if got := checkout.doc.Find("a#cancel").AttrOr("href", ""); got != *sessionParams("").CancelURL {
		t.Errorf("cancel leads to %q", got)
	}

	form := checkout.fields("form")
	form.Set("action", "pay")
	paid := s.post(t, session.URL, form)
	want := "http://localhost:3000/de/billing?success=true&session_id=" + session.ID
	if paid.StatusCode != http.StatusSeeOther || paid.Header.Get("Location") != want {
		t.Fatalf("pay: got %d to %q, want 303 to %q", paid.StatusCode, paid.Header.Get("Location"), want)
	}
	completed := 0
	for len(s.hooks.events) > 0 { // all that came before the buyer was sent back
		if event := <-s.hooks.events; event.Type == "checkout.session.completed" {
			completed++
			checkCompleted(t, event, session.ID)
		}
	}
	if completed != 1 {
		t.Errorf("got %d events checkout.session.completed before the redirect, want 1", completed)
	}

	t.Run("shows the payment in the session", func(t *testing.T) {
		params := &stripe.CheckoutSessionParams{}
		params.AddExpand("line_items")
		params.AddExpand("payment_intent.latest_charge")
		done, err := s.api.CheckoutSessions.Get(session.ID, params)
		if err != nil {
			t.Fatalf("read session: %v", err)
		}
		if done.Status != "complete" || done.PaymentStatus != "paid" || done.URL != "" {
			t.Errorf("session: got %s, %s, url %q", done.Status, done.PaymentStatus, done.URL)
		}
		if len(done.LineItems.Data) != 1 || done.LineItems.Data[0].Quantity != 2 ||
			done.LineItems.Data[0].Price.Metadata["credits"] != "500" {
			t.Errorf("line items: got %+v", done.LineItems)
		}
		charge := done.PaymentIntent.LatestCharge
		if done.PaymentIntent.Status != "succeeded" || done.PaymentIntent.Metadata["credits"] != "1000" ||
			charge.Metadata["credits"] != "1000" ||
			charge.Amount != 4000 || !charge.Paid || charge.AmountRefunded != 0 ||
			charge.PaymentIntent.ID != done.PaymentIntent.ID {
			t.Errorf("payment: got %+v", done.PaymentIntent)
		}
		if got := s.get(t, charge.ReceiptURL).text("#paid"); got != "€40.00" {
			t.Errorf("receipt: got %q, want €40.00", got)
		}
	})
	t.Run("redirects a form that is sent twice and pays once", func(t *testing.T) {
		if again := s.post(t, session.URL, form); again.StatusCode != http.StatusSeeOther ||
			again.Header.Get("Location") != want {
			t.Errorf("pay again: got %d to %q", again.StatusCode, again.Header.Get("Location"))
		}
	})
	t.Run("refuses another form: it is paid", func(t *testing.T) {
		other := s.post(t, session.URL, url.Values{"action": {"pay"}, "attempt": {"another"}})
		if other.StatusCode != http.StatusConflict || other.doc.Find("a#back").AttrOr("href", "") != want {
			t.Errorf("pay: got %d, back to %q", other.StatusCode, other.doc.Find("a#back").AttrOr("href", ""))
		}
		if shown := s.get(t, "/c/pay/"+session.ID); shown.text("h1") != "Diese Zahlung ist abgeschlossen" {
			t.Errorf("page: got %q", shown.text("h1"))
		}
		if payments := s.payments(t, session.Customer.ID); len(payments) != 1 {
			t.Errorf("got %d payments, want 1", len(payments))
		}
	})
}

// checkCompleted reads the event as the product does.
func checkCompleted(t *testing.T, event stripe.Event, session string) {
	t.Helper()
	var cs stripe.CheckoutSession
	if err := json.Unmarshal(event.Data.Raw, &cs); err != nil {
		t.Fatalf("decode event: %v", err)
	}
	if cs.ID != session || cs.LineItems != nil || cs.PaymentStatus != "paid" || cs.Metadata["credits"] != "1000" ||
		cs.ClientReferenceID != "purchase-1" ||
		cs.CustomerDetails.Email != "erika@example.com" || cs.PaymentIntent == nil {
		t.Errorf("event: got %s", event.Data.Raw)
	}
	if event.APIVersion != "2024-06-20" || event.Livemode || event.Object != "event" || event.PendingWebhooks != 1 ||
		event.Request == nil {
		t.Errorf("event envelope: got %+v", event)
	}
}

func (s *fixture) payments(t *testing.T, customer string) []*stripe.PaymentIntent {
	t.Helper()
	var all []*stripe.PaymentIntent
	list := s.api.PaymentIntents.List(&stripe.PaymentIntentListParams{Customer: stripe.String(customer)})
	for list.Next() {
		all = append(all, list.PaymentIntent())
	}
	if err := list.Err(); err != nil {
		t.Fatalf("list payments: %v", err)
	}
	return all
}

func TestDeclinedCardLeavesTheSessionOpen(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	declined := s.post(t, session.URL, url.Values{"action": {"decline"}})
	if declined.StatusCode != http.StatusSeeOther {
		t.Fatalf("decline: got %d, want 303", declined.StatusCode)
	}
	shown := s.get(t, declined.Header.Get("Location"))
	if shown.doc.Find("#error[role=alert]").Length() != 1 || shown.doc.Find("#pay").Length() != 1 {
		t.Error("no error beside the form")
	}
	again, err := s.api.CheckoutSessions.Get(session.ID, nil)
	if err != nil || again.Status != "open" || again.PaymentIntent != nil {
		t.Errorf("session: got %+v, %v", again, err)
	}
}

func TestTwentyConcurrentPaysMakeOnePayment(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	form := s.get(t, session.URL).fields("form")
	form.Set("action", "pay")
	statuses := make([]int, 20)
	var all sync.WaitGroup
	for i := range statuses {
		mine := url.Values{"action": {"pay"}, "attempt": form["attempt"]}
		if i%2 == 1 { // another tab
			mine.Set("attempt", "tab"+strings.Repeat("x", i))
		}
		all.Go(func() { statuses[i] = s.post(t, session.URL, mine).StatusCode })
	}
	all.Wait()
	paid := 0
	for _, status := range statuses {
		if status == http.StatusSeeOther {
			paid++
		} else if status != http.StatusConflict {
			t.Errorf("pay: got %d, want 303 or 409", status)
		}
	}
	if paid == 0 {
		t.Error("got no redirect to the product")
	}
	if payments := s.payments(t, session.Customer.ID); len(payments) != 1 {
		t.Errorf("got %d payments, want 1", len(payments))
	}
}

func TestGuestEntersAnAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID, func(p *stripe.CheckoutSessionParams) {
		p.Customer, p.Locale = nil, stripe.String("auto")
	})
	form := url.Values{"action": {"pay"}, "email": {"not an address"}}
	if got := s.post(t, session.URL, form).Header.Get("Location"); !strings.HasSuffix(got, "?error=email") {
		t.Errorf("pay with %q leads to %q, want ?error=email", form.Get("email"), got)
	}
	form.Set("email", "max@example.com")
	if got := s.post(t, session.URL, form).StatusCode; got != http.StatusSeeOther {
		t.Fatalf("pay: got %d, want 303", got)
	}
	done, err := s.api.CheckoutSessions.Get(session.ID, nil)
	if err != nil || done.CustomerDetails.Email != "max@example.com" || done.Customer != nil {
		t.Errorf("session: got %+v, %v", done, err)
	}
}

func TestTwoServersShareOneState(t *testing.T) {
	t.Parallel()
	database, hooks := dbtest.Empty(t), newReceiver(t)
	a, b := startOn(t, database, hooks), startOn(t, database, hooks)
	session := a.checkout(t, a.offer(t).ID)
	if got := b.post(t, b.URL()+"/c/pay/"+session.ID,
		url.Values{"action": {"pay"}}).StatusCode; got != http.StatusSeeOther {
		t.Fatalf("pay on the other: got %d, want 303", got)
	}
	done, err := a.api.CheckoutSessions.Get(session.ID, nil)
	if err != nil || done.PaymentStatus != "paid" {
		t.Errorf("session: got %+v, %v", done, err)
	}
	hooks.next(t, "checkout.session.completed")
	seen := map[string]bool{}
	for len(hooks.tries) > 0 {
		one := <-hooks.tries
		if seen[one.event] {
			t.Errorf("event %s delivered twice", one.event)
		}
		seen[one.event] = true
	}
}
