package stripe

import (
	"context"
	"errors"
	"strconv"
)

// homeCurrency is the buyers' currency: their cards are German. They pay in it if the price allows it and the session
// does not name another.
const homeCurrency = "eur"

// priceCurrencies are a price's amounts in further currencies. The API shows them on request only.
// Source: https://docs.stripe.com/api/prices/object (currency_options)
type priceCurrencies struct {
	Price   string           `json:"price"`
	Amounts map[string]int64 `json:"amounts"` // by currency, without the price's own
}

func (o *priceCurrencies) ref() (string, string) { return kindPriceCurrencies, backstageID(o.Price) }

// currencyOptionParams are the parameters for further currencies.
func currencyOptionParams() schema {
	params := schema{}
	for _, code := range []string{"chf", "eur", "gbp", "jpy", "usd"} {
		params["currency_options["+code+"][unit_amount]"] = integer(0, maxUnitAmount)
	}
	return params
}

// saveCurrencies stores a price's further currencies from the form.
func (t *txn) saveCurrencies(ctx context.Context, p *price, f form) error {
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

// currencies reads a price's further currencies. Most prices have none.
func (t *txn) currencies(ctx context.Context, priceID string) (*priceCurrencies, error) {
	known := &priceCurrencies{Price: priceID, Amounts: map[string]int64{}}
	err := t.get(ctx, backstageID(priceID), "price", known)
	var unknown *apiError
	if errors.As(err, &unknown) && unknown.code == "resource_missing" {
		return known, nil
	}
	return known, err
}

// expandCurrencies adds all currencies of a price to it, its own included.
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

// chargedIn returns the currency and the amount at which a session sells a price: the session's currency, else the
// buyer's if the price has an amount in it, else the price's own.
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
