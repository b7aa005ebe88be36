package stripe_test

import (
	"database/sql"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models/dbtest"
)

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
