package purchase_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
)

// When the seller adds a currency to a price in Stripe's dashboard, Checkout still charges the currency of the order.
func TestCheckoutStaysInTheCurrencyOfTheOrder(t *testing.T) {
	t.Parallel()
	s := newSandboxFixture(t)
	ours, err := s.Stripe.Prices.Get(s.price[500].StripePriceID, nil)
	if err != nil {
		t.Fatal(err)
	}
	dollars, err := s.Stripe.Prices.New(&stripe.PriceParams{Product: stripe.String(ours.Product.ID),
		Currency: stripe.String("usd"), UnitAmount: stripe.Int64(2000),
		Metadata:        map[string]string{"credits": "500"},
		CurrencyOptions: map[string]*stripe.PriceCurrencyOptionsParams{"eur": {UnitAmount: stripe.Int64(1800)}}})
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t,
		`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency) VALUES (?, 500, 2000, 'usd')`,
		dollars.ID)
	order := s.order("form")
	order.PriceID = dollars.ID
	started, err := s.Start(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	var p models.Purchase
	if err := s.db.Take(&p, "id = ?", started.PurchaseID).Error; err != nil {
		t.Fatal(err)
	}
	session, err := s.Stripe.CheckoutSessions.Get(p.CheckoutSessionID, nil)
	if err != nil || string(session.Currency) != "usd" || session.AmountSubtotal != 4000 {
		t.Errorf("Checkout asks for %d %s (%v), want the 4000 usd of the order", session.AmountSubtotal, session.Currency,
			err)
	}
}
