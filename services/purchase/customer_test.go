package purchase_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// callsOf returns how often the stand-in received a call, such as "GET /v1/customers/cus_1".
func (s *sandboxFixture) callsOf(call string) int64 {
	count, ok := s.asked.Load(call)
	if !ok {
		return 0
	}
	return count.(*atomic.Int64).Load()
}

func (s *sandboxFixture) start(t *testing.T, key string) {
	t.Helper()
	if _, err := s.Start(t.Context(), s.order(key)); err != nil {
		t.Fatal(err)
	}
}

func (s *sandboxFixture) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if err := s.db.Exec(sql, args...).Error; err != nil {
		t.Fatal(err)
	}
}

// customerOf returns the user's customer from the stand-in.
func (s *sandboxFixture) customerOf(t *testing.T) *stripe.Customer {
	t.Helper()
	var user models.User
	if err := s.db.Take(&user, s.user.ID).Error; err != nil {
		t.Fatal(err)
	}
	c, err := s.Stripe.Customers.Get(user.StripeCustomerID, nil)
	if err != nil {
		t.Fatalf("customer %q: %v", user.StripeCustomerID, err)
	}
	return c
}

func TestObjectsAtStripeCarryOurTag(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	i, err := s.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	if again, err := s.Installation(over); err != nil || again != i {
		t.Errorf("installation = %v, %v; want %v without another question", again, err, i)
	}
	s.start(t, "form")
	var p models.Purchase
	if err := s.db.Take(&p).Error; err != nil {
		t.Fatal(err)
	}
	session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, nil)
	if err != nil {
		t.Fatal(err)
	}
	price, err := s.Stripe.Prices.Get(p.StripePriceID, nil)
	if err != nil {
		t.Fatal(err)
	}
	product, err := s.Stripe.Products.Get(price.Product.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, metadata := range map[string]map[string]string{"session": session.Metadata, "price": price.Metadata,
		"product":  product.Metadata,
		"customer": s.customerOf(t).Metadata, "invoice": session.InvoiceCreation.InvoiceData.Metadata} {
		if metadata[stripeapi.TagKey] != i.ID.String() {
			t.Errorf("the %s carries %v, want %s", what, metadata, i.ID)
		}
	}
	if string(session.Currency) != p.Currency {
		t.Errorf("the session is in %s, want %s", session.Currency, p.Currency)
	}
	t.Run("a price without a tag gets ours", func(t *testing.T) {
		if _, err := s.Stripe.Prices.Update(price.ID,
			&stripe.PriceParams{Metadata: map[string]string{stripeapi.TagKey: ""}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.prices.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Stripe.Prices.Get(price.ID, nil); err != nil || again.Metadata[stripeapi.TagKey] != i.ID.String() {
			t.Errorf("the price carries %v (%v), want our tag", again.Metadata, err)
		}
	})
	t.Run("a price of another installation keeps its tag", func(t *testing.T) {
		const theirs = "00000000-0000-4000-8000-000000000000"
		if _, err := s.Stripe.Prices.Update(price.ID,
			&stripe.PriceParams{Metadata: map[string]string{stripeapi.TagKey: theirs}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.prices.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Stripe.Prices.Get(price.ID, nil); err != nil || again.Metadata[stripeapi.TagKey] != theirs {
			t.Errorf("the price carries %v (%v), want the other installation's tag", again.Metadata, err)
		}
	})
}

func TestCustomerFollowsItsUser(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	s.start(t, "first")
	if c := s.customerOf(t); c.Email != "ada@example.com" {
		t.Fatalf("the new customer has the address %q, want ada's", c.Email)
	}
	update := "POST /v1/customers/" + s.customerOf(t).ID
	s.start(t, "second")
	if n := s.callsOf(update); n != 1 {
		t.Errorf("the customer was updated %d times for two orders of the same user, want once", n)
	}
	s.exec(t, `UPDATE users SET email = 'lovelace@example.com', name = 'Ada Lovelace' WHERE id = ?`, s.user.ID)
	s.start(t, "third")
	if c := s.customerOf(t); c.Email != "lovelace@example.com" || c.Name != "Ada Lovelace" || s.callsOf(update) != 2 {
		t.Errorf("after %d updates the customer is %s <%s>, want the new name and address after one more", s.callsOf(update),
			c.Name, c.Email)
	}
	t.Run("keeps the name where companies give tax ids", func(t *testing.T) {
		s.Tax.IDs = true
		s.exec(t, `UPDATE users SET email = 'countess@example.com', name = 'Countess' WHERE id = ?`, s.user.ID)
		s.start(t, "company")
		if c := s.customerOf(t); c.Email != "countess@example.com" || c.Name != "Ada Lovelace" {
			t.Errorf("the customer is %s <%s>, want the new address and the name that Checkout may have written", c.Name,
				c.Email)
		}
		s.Tax.IDs = false
	})
	t.Run("sends a domain with an umlaut in ASCII", func(t *testing.T) {
		s.exec(t, `UPDATE users SET email = E'ada@b\u00fccher.example' WHERE id = ?`, s.user.ID)
		s.start(t, "umlaut")
		if c := s.customerOf(t); c.Email != "ada@xn--bcher-kva.example" {
			t.Errorf("the customer has the address %q, want its domain in ASCII", c.Email)
		}
	})
	t.Run("removes an address that the user has lost", func(t *testing.T) {
		s.exec(t, `UPDATE users SET email = NULL WHERE id = ?`, s.user.ID)
		s.start(t, "fourth")
		if c := s.customerOf(t); c.Email != "" {
			t.Errorf("the customer has the address %q, want none", c.Email)
		}
	})
	t.Run("does not stop an order when the update fails, and updates with the next order", func(t *testing.T) {
		id := s.customerOf(t).ID
		s.says.Store("/v1/customers/"+id, `{"id":`) // an unreadable answer
		s.exec(t, `UPDATE users SET email = 'ada@example.org' WHERE id = ?`, s.user.ID)
		s.start(t, "fifth")
		s.says.Delete("/v1/customers/" + id)
		s.start(t, "sixth")
		if c := s.customerOf(t); c.Email != "ada@example.org" {
			t.Errorf("after the next order the customer has the address %q, want ada@example.org", c.Email)
		}
	})
}

// A user may have a customer of another product: from a payment link, or from an older release that took it for ours.
func TestCustomersThatWeDidNotMake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metadata map[string]string
		used     bool
	}{
		"another product's is not used":                  {map[string]string{"plan": "gold"}, false},
		"another product's with our user id is not used": {map[string]string{"userId": "USER", "plan": "gold"}, false},
		"another installation's is not used": {map[string]string{"userId": "USER",
			stripeapi.TagKey: "00000000-0000-4000-8000-000000000000"}, false},
		"another user's is not used": {map[string]string{"userId": "4711"}, false},
		"ours without a tag is used": {map[string]string{"userId": "USER"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandboxFixture(t)
			if c.metadata["userId"] == "USER" {
				c.metadata["userId"] = strconv.FormatInt(s.user.ID, 10)
			}
			known, err := s.Stripe.Customers.New(&stripe.CustomerParams{Metadata: c.metadata,
				Email: stripe.String("eve@example.com")})
			if err != nil {
				t.Fatal(err)
			}
			s.exec(t, `UPDATE users SET stripe_customer_id = ? WHERE id = ?`, known.ID, s.user.ID)
			s.exec(t, `INSERT INTO stripe_customers (customer_id, user_id, livemode) VALUES (?, ?, false)`, known.ID, s.user.ID)
			s.start(t, "first")
			s.start(t, "second")
			if used := s.customerOf(t).ID == known.ID; used != c.used {
				t.Errorf("used for Checkout = %t, want %t", used, c.used)
			}
			if n := s.callsOf("GET /v1/customers/" + known.ID); !c.used && n != 1 {
				t.Errorf("Stripe was asked for the customer %d times, want once", n)
			}
			ours := s.customerOf(t).ID
			s.exec(t,
				`UPDATE users SET email = NULL, name = '', locale = '', stripe_customer_id = NULL, deleted_at = now(), delete_after = current_date WHERE id = ?`, s.user.ID)
			if err := s.accounts().EraseDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			for id, want := range map[string]bool{known.ID: c.used, ours: true} {
				if left, err := s.Stripe.Customers.Get(id, nil); err != nil || left.Deleted != want {
					t.Errorf("customer %s deleted with the account = %t (%v), want %t", id, left.Deleted, err, want)
				}
			}
			var alive, named int64
			if err := s.db.Raw(
				`SELECT count(*) FILTER (WHERE deleted_at IS NULL), count(*) FILTER (WHERE email <> '') FROM stripe_customers`).Row().Scan(&alive, &named); err != nil || alive+named != 0 {
				t.Errorf("%d customers of the account are not deleted and %d have an address (%v), want 0 and 0", alive, named, err)
			}
		})
	}
}

func TestTwentyOrdersOfAUserWithAnothersCustomer(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	foreign, err := s.Stripe.Customers.New(&stripe.CustomerParams{Email: stripe.String("eve@example.com")})
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, `UPDATE users SET stripe_customer_id = ? WHERE id = ?`, foreign.ID, s.user.ID)
	dbtest.Concurrently(20, func(i int) {
		if _, err := s.Start(t.Context(), s.order(strconv.Itoa(i))); err != nil {
			t.Errorf("start: %v", err)
		}
	})
	made := 0
	for list := s.Stripe.Customers.List(&stripe.CustomerListParams{}); list.Next(); made++ {
		if c := list.Customer(); c.ID == foreign.ID && c.Email != "eve@example.com" {
			t.Errorf("the address of another product's customer = %s, want it unchanged", c.Email)
		}
	}
	if made != 2 || s.customerOf(t).ID == foreign.ID {
		t.Errorf("Stripe has %d customers, want the other product's and one of ours", made)
	}
}
