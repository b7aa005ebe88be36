package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Pull copies the prices of our products from Stripe into our table. It deletes no rows, because purchases reference
// them. If two pulls run concurrently, the one that began later wins, because it has read every change that the other
// has.
//
// Units: prices read. Locks: none across the network. Errors: fault.Unavailable when Stripe does not answer.
func (s *Service) Pull(ctx context.Context) (int, error) {
	var number int64
	err := s.DB.WithContext(ctx).Raw(`UPDATE price_copies SET begun = begun + 1 RETURNING begun`).Scan(&number).Error
	if err != nil {
		return 0, fmt.Errorf("begin to pull prices: %w", err)
	}
	rows, err := s.readPrices(ctx)
	if err != nil {
		return 0, err
	}
	err = postgres.Transaction(ctx, s.DB, func(tx models.Tx) error {
		newest := tx.Exec(`UPDATE price_copies SET written = ? WHERE written < ?`, number, number)
		if newest.Error != nil || newest.RowsAffected == 0 {
			return newest.Error
		}
		ids := []string{""} // an empty list would make the SQL below invalid
		for _, r := range rows {
			err := tx.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency, active)
				VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (stripe_price_id) DO UPDATE SET credits_per_unit = excluded.credits_per_unit,
					price_in_cents = excluded.price_in_cents, currency = excluded.currency, active = excluded.active,
					updated_at = now()`,
				r.StripePriceID, r.CreditsPerUnit, r.PriceInCents, r.Currency, r.Active).Error
			if err != nil {
				return err
			}
			ids = append(ids, r.StripePriceID)
		}
		return tx.Exec(`UPDATE prices SET active = false, updated_at = now() WHERE active AND stripe_price_id NOT IN ?`, ids).
			Error
	})
	if err != nil {
		return 0, fmt.Errorf("pull prices: %w", err)
	}
	s.Shown.Forget()
	return len(rows), nil
}

// readPrices reads the prices of our products as rows. A price that Stripe would not sell, or that another price
// replaced, is inactive.
func (s *Service) readPrices(ctx context.Context) ([]models.Price, error) {
	prices, err := s.ownPrices(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.Price
	for _, p := range prices {
		row, ok := rowOf(p)
		if !ok {
			s.Log.WarnContext(ctx, "price skipped: no valid metadata.credits", "price_id", p.ID)
			continue
		}
		row.Active = row.Active && p.Product.Active && !replaced(p, prices)
		rows = append(rows, row)
	}
	return rows, nil
}

// ownPrices lists all prices of the shared product and of each package's, active or not, with their products.
func (s *Service) ownPrices(ctx context.Context) ([]*stripe.Price, error) {
	var all []*stripe.Price
	for _, product := range Products() {
		prices, err := s.productPrices(ctx, product)
		if err != nil {
			return nil, err
		}
		all = append(all, prices...)
	}
	return all, nil
}

// productPrices lists all prices of a product with the product; none when Stripe does not know it.
// Source: https://docs.stripe.com/api/prices/list
func (s *Service) productPrices(ctx context.Context, product string) ([]*stripe.Price, error) {
	list := &stripe.PriceListParams{Product: stripe.String(product)}
	list.Context = ctx
	list.Limit = stripe.Int64(stripeapi.PageSize)
	list.AddExpand("data.product")
	var all []*stripe.Price
	prices := s.Stripe.Prices.List(list)
	for prices.Next() {
		if p := prices.Price(); p.Product != nil && p.Product.ID == product {
			all = append(all, p)
		}
	}
	if err := prices.Err(); err != nil && stripeapi.MissingParam(err) == "" {
		return nil, stripeapi.Fault(err)
	}
	return all, nil
}

// replaced reports whether an active price for the same credits holds the package's lookup key. It keeps a package at
// one price: after a sync that was interrupted before it archived the old price, and beside the shared product's.
func replaced(p *stripe.Price, all []*stripe.Price) bool {
	row, ok := rowOf(p)
	key := Package{Credits: row.CreditsPerUnit}.LookupKey()
	return ok && p.LookupKey != key && slices.ContainsFunc(all, func(other *stripe.Price) bool {
		newer, ok := rowOf(other)
		return ok && newer.Active && newer.CreditsPerUnit == row.CreditsPerUnit && other.LookupKey == key
	})
}

// rowOf converts a Stripe price into a row; ok is false when it has no valid metadata.credits or no fixed amount.
func rowOf(p *stripe.Price) (row models.Price, ok bool) {
	credits, ok := ParseCredits(p.Metadata["credits"])
	return models.Price{
		StripePriceID: p.ID, CreditsPerUnit: credits, PriceInCents: models.Cents(p.UnitAmount),
		Currency: string(p.Currency), Active: p.Active,
	}, ok && p.Type == stripe.PriceTypeOneTime && p.UnitAmount > 0
}
