package stripe

import (
	"context"
	"errors"
	"strconv"
)

// homeCurrency is what buyers at this Checkout pay in when a price is to be had in it and nobody pinned the session's
// currency: their cards are German.
const homeCurrency = "eur"

// priceCurrencies are a price's amounts in further currencies. Like a session's line items they are shown only when they
// are asked for.
// Source: https://docs.stripe.com/api/prices/object (currency_options)
type priceCurrencies struct {
	Price   string           `json:"price"`
	Amounts map[string]int64 `json:"amounts"` // by currency, without the price's own
}

func (o *priceCurrencies) ref() (string, string) { return kindPriceCurrencies, backstageID(o.Price) }

// currencyOptionParams are the further currencies that this stand-in takes.
func currencyOptionParams() schema {
	params := schema{}
	for _, code := range []string{"chf", "eur", "gbp", "jpy", "usd"} {
		params["currency_options["+code+"][unit_amount]"] = integer(0, maxUnitAmount)
	}
	return params
}

// keepCurrencies stores what a form says of a price's further currencies.
func (t *txn) keepCurrencies(ctx context.Context, p *price, f form) error {
	known, err := t.currencies(ctx, p.ID)
	if err != nil {
		return err
	}
	changed := false
	for name := range currencyOptionParams() {
		code := name[len("currency_options[") : len("currency_options[")+3]
		if f.has(name) && code != p.Currency {
			known.Amounts[code], changed = f.integer(name), true
		}
	}
	if !changed {
		return nil
	}
	return t.put(ctx, known)
}

// currencies reads a price's further currencies, of which most have none.
func (t *txn) currencies(ctx context.Context, priceID string) (*priceCurrencies, error) {
	known := &priceCurrencies{Price: priceID, Amounts: map[string]int64{}}
	err := t.get(ctx, backstageID(priceID), "price", known)
	var unknown *apiError
	if errors.As(err, &unknown) && unknown.code == "resource_missing" {
		return known, nil
	}
	return known, err
}

// expandCurrencies writes a price's currencies out, its own among them.
func (t *txn) expandCurrencies(ctx context.Context, p price) (map[string]any, error) {
	known, err := t.currencies(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	known.Amounts[p.Currency] = p.UnitAmount
	all := map[string]any{}
	for code, amount := range known.Amounts {
		all[code] = map[string]any{"custom_unit_amount": nil, "tax_behavior": p.TaxBehavior, "unit_amount": amount,
			"unit_amount_decimal": strconv.FormatInt(amount, 10)}
	}
	return all, nil
}

// chargedIn is in which currency a session sells a price, and for how much: the session's, else the buyer's where there
// is an amount in it, else the price's own.
func (t *txn) chargedIn(ctx context.Context, p price, pinned string) (currency string, amount int64, err error) {
	known, err := t.currencies(ctx, p.ID)
	if err != nil {
		return "", 0, err
	}
	wanted := pinned
	if wanted == "" {
		wanted = homeCurrency
	}
	if amount, ok := known.Amounts[wanted]; ok && wanted != p.Currency {
		return wanted, amount, nil
	}
	return p.Currency, p.UnitAmount, nil
}
