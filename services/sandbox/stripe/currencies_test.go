package stripe_test

import (
	"testing"

	"github.com/stripe/stripe-go/v79"
)

// A price with further currencies is charged in the buyer's, unless the session names one.
func TestPriceWithFurtherCurrencies(t *testing.T) {
	t.Parallel()
	s := start(t)
	product := s.offer(t).Product.ID
	price, err := s.api.Prices.New(&stripe.PriceParams{Product: stripe.String(product), Currency: stripe.String("usd"),
		UnitAmount: stripe.Int64(2000),
		CurrencyOptions: map[string]*stripe.PriceCurrencyOptionsParams{"eur": {UnitAmount: stripe.Int64(1800)},
			"jpy": {UnitAmount: stripe.Int64(3400)}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pinned, currency string
		total            int64
	}{{"", "eur", 3600}, {"usd", "usd", 4000}, {"jpy", "jpy", 6800}} {
		params := sessionParams(price.ID)
		if c.pinned != "" {
			params.Currency = stripe.String(c.pinned)
		}
		session, err := s.api.CheckoutSessions.New(params)
		if err != nil || string(session.Currency) != c.currency || session.AmountTotal != c.total {
			t.Errorf("pinned to %q it costs %d %s (%v), want %d %s", c.pinned, session.AmountTotal, session.Currency, err,
				c.total, c.currency)
		}
	}
	refused := sessionParams(price.ID)
	refused.Currency = stripe.String("gbp")
	if _, err := s.api.CheckoutSessions.New(refused); err == nil {
		t.Error("a session was opened in a currency that the price is not to be had in")
	}
	plain, err := s.api.Prices.Get(price.ID, nil)
	if err != nil || len(plain.CurrencyOptions) != 0 {
		t.Errorf("without being asked the price shows %v (%v), want no currencies", plain.CurrencyOptions, err)
	}
	params := &stripe.PriceParams{}
	params.AddExpand("currency_options")
	shown, err := s.api.Prices.Get(price.ID, params)
	if err != nil || len(shown.CurrencyOptions) != 3 || shown.CurrencyOptions["usd"].UnitAmount != 2000 ||
		shown.CurrencyOptions["jpy"].UnitAmount != 3400 {
		t.Errorf("the price is to be had in %v (%v), want usd, eur and jpy", shown.CurrencyOptions, err)
	}
}
