package purchase_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/dbtest"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/purchase"
)

func TestStartRefusesAPriceThatIsArchivedAtStripe(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	wantRefused := func(t *testing.T, order purchase.Order) {
		t.Helper()
		if _, err := s.Start(context.Background(), order); fault.Of(err) == nil ||
			fault.Of(err).Problem != fault.PriceUnknown {
			t.Errorf("error = %v, want price unknown", err)
		}
	}
	archive := func(t *testing.T, price models.Price) {
		t.Helper()
		if _, err := s.Stripe.Prices.Update(price.StripePriceID,
			&stripe.PriceParams{Active: stripe.Bool(false)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("while our table still lists it as active", func(t *testing.T) {
		archive(t, s.price[100])
		order := s.order("archived")
		order.PriceID = s.price[100].StripePriceID
		wantRefused(t, order)
	})
	t.Run("after the next sync", func(t *testing.T) {
		archive(t, s.price[500])
		if _, err := s.prices.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, s.order("old price"))
	})
}

func TestStart(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	ctx := context.Background()
	started, err := s.Start(ctx, s.order("form 1"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Service.Purchase(ctx, s.user.ID, started.PurchaseID.String())
	if err != nil || p.Credits != 1000 || p.AmountCents != 4000 || p.Status != models.PurchasePending ||
		p.CheckoutURL != started.URL {
		t.Fatalf("purchase = %+v, %v; want 1000 credits for 4000 cents, pending", p, err)
	}
	t.Run("sends Stripe everything that booking needs", func(t *testing.T) {
		session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if session.AmountTotal != 4000 || session.ClientReferenceID != p.ID.String() ||
			session.Metadata["credits"] != "1000" ||
			session.Metadata["purchase_id"] != p.ID.String() || session.Locale != "de" {
			t.Errorf("session: total %d, reference %s, metadata %v, locale %s", session.AmountTotal, session.ClientReferenceID,
				session.Metadata, session.Locale)
		}
		if !strings.HasPrefix(session.SuccessURL, "https://credits.example.com/de/billing?success=true") ||
			session.CancelURL != "https://credits.example.com/de/billing?canceled=true" {
			t.Errorf("returns to %s and %s, want the billing page", session.SuccessURL, session.CancelURL)
		}
	})
	t.Run("remembers how the price can be paid", func(t *testing.T) {
		wantMethods := func(want string) {
			t.Helper()
			var got string
			err := s.db.Raw(`SELECT payment_methods FROM prices WHERE stripe_price_id = ?`, p.StripePriceID).Scan(&got).Error
			if err != nil || got != want {
				t.Errorf("payment methods = %s, %v; want %s", got, err, want)
			}
		}
		wantMethods("{card,sepa_debit}")
		s.says.Store("/v1/checkout/sessions", `{"id":"cs_test_silent","object":"checkout.session","url":"https://stripe.example.com"}`)
		if _, err := s.Start(ctx, s.order("form without methods")); err != nil {
			t.Fatal(err)
		}
		wantMethods("{card,sepa_debit}") // an answer without methods says nothing
		s.says.Store("/v1/checkout/sessions", `{"id":"cs_test_other","object":"checkout.session",
			"url":"https://stripe.example.com","payment_method_types":["paypal","card"]}`)
		if _, err := s.Start(ctx, s.order("form with PayPal")); err != nil {
			t.Fatal(err)
		}
		wantMethods("{paypal,card}")
		s.says.Delete("/v1/checkout/sessions")
		dbtest.Concurrently(20, func(i int) {
			if _, err := s.Start(ctx, s.order(fmt.Sprint("at once ", i))); err != nil {
				t.Error(err)
			}
		})
		wantMethods("{card,sepa_debit}")
	})
	t.Run("does not wait for a price that is being changed", func(t *testing.T) {
		pull := s.db.Begin()
		defer pull.Rollback()
		if err := pull.Exec(`UPDATE prices SET updated_at = now()`).Error; err != nil {
			t.Fatal(err)
		}
		s.says.Store("/v1/checkout/sessions", `{"id":"cs_test_pulled","object":"checkout.session",
			"url":"https://stripe.example.com","payment_method_types":["klarna"]}`)
		defer s.says.Delete("/v1/checkout/sessions")
		if _, err := s.Start(ctx, s.order("while prices are pulled")); err != nil {
			t.Error(err)
		}
	})
	t.Run("the same form again is the same purchase", func(t *testing.T) {
		again, err := s.Start(ctx, s.order("form 1"))
		if err != nil || again != started {
			t.Errorf("start again = %+v, %v; want %+v", again, err, started)
		}
		other := s.order("form 1")
		other.Quantity = 3
		if _, err := s.Start(ctx, other); !fault.Is(err, fault.Conflict) {
			t.Errorf("the key with another quantity: %v, want conflict", err)
		}
	})
	t.Run("a form that was paid leads to its purchase", func(t *testing.T) {
		if err := s.db.Exec(`UPDATE purchases SET status = 'paid', paid_at = now() WHERE id = ?`, p.ID).Error; err != nil {
			t.Fatal(err)
		}
		again, err := s.Start(ctx, s.order("form 1"))
		if err != nil || again.URL != "https://credits.example.com/de/purchase/"+p.ID.String() {
			t.Errorf("start again = %+v, %v; want the purchase's page", again, err)
		}
	})
	t.Run("a hundred packages are one order", func(t *testing.T) {
		most := s.order("100")
		most.Quantity = catalog.MaxQuantity
		if _, err := s.Start(ctx, most); err != nil {
			t.Error(err)
		}
	})
	t.Run("another user does not find it", func(t *testing.T) {
		stranger := dbtest.User(t, s.db, "eve@example.com")
		if _, err := s.Service.Purchase(ctx, stranger.ID, p.ID.String()); !fault.Is(err, fault.NotFound) {
			t.Errorf("by id: %v, want not found", err)
		}
		if _, err := s.BySession(ctx, stranger.ID, p.CheckoutSessionID); !fault.Is(err, fault.NotFound) {
			t.Errorf("by session: %v, want not found", err)
		}
	})
}

func TestStartRefusesBadInput(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	for _, c := range []struct {
		name   string
		change func(*purchase.Order)
	}{
		{"quantity 0", func(o *purchase.Order) { o.Quantity = 0 }},
		{"quantity -1", func(o *purchase.Order) { o.Quantity = -1 }},
		{"quantity 101", func(o *purchase.Order) { o.Quantity = 101 }},
		{"unknown price", func(o *purchase.Order) { o.PriceID = "price_unknown" }},
		{"no price", func(o *purchase.Order) { o.PriceID = "" }},
		{"SQL for a price", func(o *purchase.Order) { o.PriceID = "' OR true --" }},
		{"unknown locale", func(o *purchase.Order) { o.Locale = "fr" }},
		{"NUL in the price", func(o *purchase.Order) { o.PriceID = "price\x00" }},
		{"NUL in the key", func(o *purchase.Order) { o.Key = "k\x00" }},
		{"no key", func(o *purchase.Order) { o.Key = "" }},
		{"long key", func(o *purchase.Order) { o.Key = strings.Repeat("k", 256) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := s.order("bad " + c.name)
			c.change(&o)
			if _, err := s.Start(context.Background(), o); fault.Of(err) == nil {
				t.Errorf("error = %v, want a fault", err)
			}
		})
	}
	var rows int64
	if err := s.db.Raw(`SELECT count(*) FROM purchases`).Scan(&rows).Error; err != nil || rows != 0 {
		t.Errorf("%d purchases (%v), want none", rows, err)
	}
}

func TestTwentyStartsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	dbtest.Concurrently(20, func(i int) {
		key := "one form"
		if i%2 == 0 {
			key = fmt.Sprintf("form %d", i)
		}
		if _, err := s.Start(context.Background(), s.order(key)); err != nil {
			t.Errorf("start: %v", err)
		}
	})
	var purchases, customers int64
	err := errors.Join(
		s.db.Raw(`SELECT count(*) FROM purchases`).Scan(&purchases).Error,
		s.db.Raw(`SELECT count(*) FROM stripe_customers`).Scan(&customers).Error)
	if err != nil || purchases != 11 || customers != 1 {
		t.Errorf("%d purchases and %d customers (%v), want 11 and 1", purchases, customers, err)
	}
	made := 0
	for list := s.Stripe.Customers.List(&stripe.CustomerListParams{}); list.Next(); {
		made++
	}
	if made != 1 {
		t.Errorf("Stripe has %d customers, want 1", made)
	}
}

func TestDeletedCustomerIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	ctx := context.Background()
	if _, err := s.Start(ctx, s.order("before")); err != nil {
		t.Fatal(err)
	}
	var before, after models.User
	s.db.Take(&before, s.user.ID)
	if _, err := s.Stripe.Customers.Del(before.StripeCustomerID, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(ctx, s.order("after")); err != nil {
		t.Fatalf("start with a deleted customer: %v", err)
	}
	s.db.Take(&after, s.user.ID)
	if after.StripeCustomerID == "" || after.StripeCustomerID == before.StripeCustomerID {
		t.Errorf("customer = %q, want another than %q", after.StripeCustomerID, before.StripeCustomerID)
	}
	var gone []string
	err := s.db.Raw(`SELECT customer_id FROM stripe_customers WHERE deleted_at IS NOT NULL AND email = ''`).Scan(&gone).Error
	if err != nil || len(gone) != 1 || gone[0] != before.StripeCustomerID {
		t.Errorf("customers %v are known to be deleted (%v), want %s", gone, err, before.StripeCustomerID)
	}
	t.Run("while the user's new name is sent", func(t *testing.T) {
		if _, err := s.Stripe.Customers.Del(after.StripeCustomerID, nil); err != nil {
			t.Fatal(err)
		}
		s.exec(t, `UPDATE users SET name = 'Ada Lovelace' WHERE id = ?`, s.user.ID)
		s.start(t, "renamed")
		if c := s.customerOf(t); c.ID == after.StripeCustomerID || c.Name != "Ada Lovelace" {
			t.Errorf("customer %s is called %q, want another than %s, called Ada Lovelace", c.ID, c.Name, after.StripeCustomerID)
		}
	})
	for what, customer := range map[string]func() string{
		"that Stripe never had": func() string { return "cus_elsewhere" },
		"deleted before we asked whose it is": func() string {
			c, err := s.Stripe.Customers.New(&stripe.CustomerParams{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stripe.Customers.Del(c.ID, nil); err != nil {
				t.Fatal(err)
			}
			return c.ID
		},
	} {
		t.Run(what, func(t *testing.T) {
			id := customer()
			s.exec(t, `UPDATE users SET stripe_customer_id = ? WHERE id = ?`, id, s.user.ID)
			s.start(t, what)
			var recorded bool
			err := s.db.Raw(`SELECT deleted_at IS NOT NULL FROM stripe_customers WHERE customer_id = ?`, id).Scan(&recorded).Error
			if got := s.customerOf(t).ID; err != nil || got == id || !recorded {
				t.Errorf("customer = %s, and %s is recorded as deleted: %v (%v); want another, and true", got, id, recorded, err)
			}
		})
	}
}

func TestStripeAway(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	ctx := context.Background()
	s.down.Store(true)
	if _, err := s.Start(ctx, s.order("form")); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("error = %v, want unavailable", err)
	}
	s.down.Store(false)
	if _, err := s.Start(ctx, s.order("form")); err != nil {
		t.Fatalf("the same form later: %v", err)
	}
	var rows int64
	if err := s.db.Raw(`SELECT count(*) FROM purchases`).Scan(&rows).Error; err != nil || rows != 1 {
		t.Errorf("%d purchases (%v), want 1", rows, err)
	}
}
