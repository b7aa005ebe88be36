package stripe_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
)

func TestPromotions(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, way := range []struct {
		percent  string
		total    int64
		shown    string
		payment  bool
		status   string
		discount int64
	}{
		{"50", 2000, "20,00 €", true, "paid", 2000},
		{"100", 0, "0,00 €", false, "no_payment_required", 4000},
		{"0", 4000, "40,00 €", true, "paid", 0},
	} {
		t.Run(way.percent, func(t *testing.T) {
			session := s.checkout(t, s.offer(t).ID)
			s.run(t, "sessions/"+session.ID+"/promotion", "percent", "100") // and changed the buyer's mind
			applied := s.post(t, "/control/sessions/"+session.ID+"/promotion",
				url.Values{"percent": {way.percent}, "back": {"/c/pay/" + session.ID}})
			page := s.get(t, applied.Header.Get("Location"))
			if got := page.text("#total"); got != way.shown {
				t.Errorf("total: got %s, want %s", got, way.shown)
			}
			if n := page.doc.Find("#debit").Length(); (n == 1) != way.payment {
				t.Errorf("got %d buttons to pay by debit", n)
			}
			seen := len(s.emitted(t))
			if paid := s.post(t, session.URL, url.Values{"action": {"pay"}}); paid.StatusCode != http.StatusSeeOther {
				t.Fatalf("pay: got %d", paid.StatusCode)
			}
			params := &stripe.CheckoutSessionParams{}
			params.AddExpand("line_items")
			params.AddExpand("payment_intent.latest_charge")
			done, err := s.api.CheckoutSessions.Get(session.ID, params)
			if err != nil {
				t.Fatalf("read session: %v", err)
			}
			line := done.LineItems.Data[0]
			if done.AmountSubtotal != 4000 || done.AmountTotal != way.total ||
				done.TotalDetails.AmountDiscount != way.discount ||
				line.AmountDiscount != way.discount || line.AmountTotal != way.total || line.AmountSubtotal != 4000 ||
				line.Price.UnitAmount != 2000 {
				t.Errorf("session: got %d of %d (%+v), line = %+v", done.AmountTotal, done.AmountSubtotal, done.TotalDetails, line)
			}
			if string(done.PaymentStatus) != way.status || (done.PaymentIntent != nil) != way.payment {
				t.Errorf("session: got %s with payment %+v", done.PaymentStatus, done.PaymentIntent)
			}
			if way.payment && done.PaymentIntent.LatestCharge.Amount != way.total {
				t.Errorf("charge: got %d, want %d", done.PaymentIntent.LatestCharge.Amount, way.total)
			}
			if want := "checkout.session.completed(" + way.status + ")"; !way.payment && s.emittedSince(t, seen) != want {
				t.Errorf("emitted %s, want %s", s.emittedSince(t, seen), want)
			}
			s.wantRefused(t, http.StatusConflict, "session_not_open", "sessions/"+session.ID+"/promotion", "percent", "50")
		})
	}
}

func TestCheckoutAcceptsAnotherAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	session := s.checkout(t, s.offer(t).ID)
	refused := s.post(t, session.URL, url.Values{"action": {"pay"}, "email": {"invalid"}})
	if got := refused.Header.Get("Location"); !strings.HasSuffix(got, "?error=email") {
		t.Errorf("pay without an address: got %s, want ?error=email", got)
	}
	s.post(t, session.URL, url.Values{"action": {"pay"}, "email": {"other@example.com"}})
	done := s.session(t, session.ID)
	if done.CustomerDetails.Email != "other@example.com" || done.Customer.ID != session.Customer.ID {
		t.Errorf("session: got %+v of %+v", done.CustomerDetails, done.Customer)
	}
	if customer, err := s.api.Customers.Get(session.Customer.ID, nil); err != nil ||
		customer.Email != "erika@example.com" {
		t.Errorf("customer: got %+v, %v", customer, err)
	}
}

func TestSessionsAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	price := s.offer(t).ID
	var all []*stripe.CheckoutSession
	for range 3 {
		all = append(all, s.checkout(t, price))
	}
	s.run(t, "sessions/"+all[1].ID+"/pay")
	s.run(t, "sessions/"+all[2].ID+"/expire")
	for name, one := range map[string]struct {
		params *stripe.CheckoutSessionListParams
		want   []string
	}{
		"complete":   {&stripe.CheckoutSessionListParams{Status: stripe.String("complete")}, []string{all[1].ID}},
		"open":       {&stripe.CheckoutSessionListParams{Status: stripe.String("open")}, []string{all[0].ID}},
		"of a buyer": {&stripe.CheckoutSessionListParams{Customer: stripe.String(all[2].Customer.ID)}, []string{all[2].ID}},
		"since then": {&stripe.CheckoutSessionListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: all[0].Created}}, []string{all[2].ID, all[1].ID, all[0].ID}},
		"from later": {&stripe.CheckoutSessionListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: all[2].Created + 1}}, nil},
		"after one": {&stripe.CheckoutSessionListParams{ListParams: stripe.ListParams{StartingAfter: stripe.String(
			all[1].ID)}}, []string{all[0].ID}},
		"page by one": {&stripe.CheckoutSessionListParams{ListParams: stripe.ListParams{Limit: stripe.Int64(1)}},
			[]string{all[2].ID, all[1].ID, all[0].ID}},
	} {
		var found []string
		list := s.api.CheckoutSessions.List(one.params)
		for list.Next() {
			found = append(found, list.CheckoutSession().ID)
		}
		if err := list.Err(); err != nil || !slices.Equal(found, one.want) {
			t.Errorf("%s: %v, %v, want %v", name, found, err, one.want)
		}
	}
}

func TestCatalogEmitsItsChanges(t *testing.T) {
	t.Parallel()
	database := dbtest.Empty(t)
	s := startOn(t, database, newReceiver(t))
	price := s.offer(t)
	if _, err := s.api.Prices.Update(price.ID, &stripe.PriceParams{Active: stripe.Bool(false)}); err != nil {
		t.Fatalf("update price: %v", err)
	}
	for range 2 { // the second changes nothing
		if _, err := s.api.Products.Update(price.Product.ID,
			&stripe.ProductParams{Name: stripe.String("Credits")}); err != nil {
			t.Fatalf("update product: %v", err)
		}
		passTime(t, database)
	}
	if got, want := s.emittedSince(t,
		0), "product.created() price.created() price.updated() product.updated()"; got != want {
		t.Errorf("emitted %s, want %s", got, want)
	}
	if before := s.emitted(t, "price.updated")[0].Data.PreviousAttributes; len(before) != 1 || before["active"] != true {
		t.Errorf("before: got %v, want active alone", before)
	}
	if before := s.emitted(t, "product.updated")[0].Data.PreviousAttributes; before["name"] != "500 Credits" {
		t.Errorf("before: got %v", before)
	}
}

// passTime moves the last change of every product into the past.
func passTime(t *testing.T, database string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(),
		`UPDATE stripe_sandbox.objects SET data = data || '{"updated": 1700000000}' WHERE kind = 'product'`); err != nil {
		t.Fatalf("let time pass: %v", err)
	}
}
