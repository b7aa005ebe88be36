package purchase

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// mirrorPrices copies the product's prices into our table. Rows are never deleted: purchases point at them.
//
// Locks: none across the network. Of two at once the one that was begun later stands: it has read every change that the
// other was told of.
func (s *Service) mirrorPrices(ctx context.Context) (int, error) {
	var number int64
	if err := s.DB.WithContext(ctx).Raw(`UPDATE price_copies SET begun = begun + 1 RETURNING begun`).Scan(&number).Error; err != nil {
		return 0, fmt.Errorf("begin to mirror prices: %w", err)
	}
	rows, err := s.readPrices(ctx)
	if err != nil {
		return 0, err
	}
	err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		newest := tx.Exec(`UPDATE price_copies SET written = ? WHERE written < ?`, number, number)
		if newest.Error != nil || newest.RowsAffected == 0 {
			return newest.Error
		}
		ids := []string{""} // an empty list would make the SQL below invalid
		for _, r := range rows {
			err := tx.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency, active) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (stripe_price_id) DO UPDATE SET credits_per_unit = excluded.credits_per_unit,
				price_in_cents = excluded.price_in_cents, currency = excluded.currency, active = excluded.active, updated_at = now()`,
				r.StripePriceID, r.CreditsPerUnit, r.PriceInCents, r.Currency, r.Active).Error
			if err != nil {
				return err
			}
			ids = append(ids, r.StripePriceID)
		}
		return tx.Exec(`UPDATE prices SET active = false, updated_at = now() WHERE active AND stripe_price_id NOT IN ?`, ids).Error
	})
	if err != nil {
		return 0, fmt.Errorf("mirror prices: %w", err)
	}
	return len(rows), nil
}

// readPrices reads the product's prices as rows; those that cannot be bought, or that another one has replaced, are not
// active.
func (s *Service) readPrices(ctx context.Context) ([]models.Price, error) {
	onSale, err := s.productOnSale(ctx)
	if err != nil {
		return nil, err
	}
	prices, err := s.productPrices(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.Price
	for _, p := range prices {
		row, ok := mirrored(p)
		if !ok {
			s.Log.WarnContext(ctx, "a Stripe price without usable metadata.credits is not sold", "price_id", p.ID)
			continue
		}
		row.Active = row.Active && onSale && !replaced(p, prices)
		rows = append(rows, row)
	}
	return rows, nil
}

// productPrices lists all prices of the product, active or not.
// Source: https://docs.stripe.com/api/prices/list
func (s *Service) productPrices(ctx context.Context) ([]*stripe.Price, error) {
	list := &stripe.PriceListParams{Product: stripe.String(ProductID)}
	list.Context = ctx
	list.Limit = stripe.Int64(stripeapi.PageSize)
	var all []*stripe.Price
	prices := s.Stripe.Prices.List(list)
	for prices.Next() {
		all = append(all, prices.Price())
	}
	if err := prices.Err(); err != nil {
		return nil, stripeapi.Fault(err)
	}
	return all, nil
}

// replaced reports whether another price is sold for the same credits under its package's lookup key. A package has one
// price, also when the sync that made a new one ended before the old one was archived.
func replaced(p *stripe.Price, all []*stripe.Price) bool {
	row, ok := mirrored(p)
	key := Package{Credits: row.CreditsPerUnit}.lookupKey()
	return ok && p.LookupKey != key && slices.ContainsFunc(all, func(other *stripe.Price) bool {
		by, sold := mirrored(other)
		return sold && by.Active && by.CreditsPerUnit == row.CreditsPerUnit && other.LookupKey == key
	})
}

// productOnSale reports whether our product is there and active: Stripe takes no order for the prices of one that is not.
func (s *Service) productOnSale(ctx context.Context) (bool, error) {
	get := &stripe.ProductParams{}
	get.Context = ctx
	product, err := s.Stripe.Products.Get(ProductID, get)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return false, nil
	case err != nil:
		return false, stripeapi.Fault(err)
	}
	return product.Active && !product.Deleted, nil
}

// BookPrices answers an event about the product or one of its prices by reading all of them: the event itself may be
// older than what we have. Rows are read from Stripe before the transaction, so nothing is left to do in it.
//
// Errors: AskError the first time; ErrNotOurs for another product's.
func BookPrices(product string, told Told) error {
	switch {
	case product != ProductID:
		return ErrNotOurs
	case !told.Prices:
		return &AskError{Prices: true}
	}
	return nil
}

// mirrored reads a Stripe price as a row; false when it does not say how many credits it holds, or has no fixed amount.
func mirrored(p *stripe.Price) (models.Price, bool) {
	credits, ok := parseCredits(p.Metadata["credits"])
	return models.Price{StripePriceID: p.ID, CreditsPerUnit: credits, PriceInCents: models.Cents(p.UnitAmount),
		Currency: string(p.Currency), Active: p.Active}, ok && p.Type == stripe.PriceTypeOneTime && p.UnitAmount > 0
}

// maxCredits is the most that one metadata.credits may say.
const maxCredits = 1_000_000

// parseCredits reads metadata.credits: digits only, 1 to 1,000,000.
func parseCredits(text string) (models.Credits, bool) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return models.Credits(n), err == nil && n >= 1 && n <= maxCredits
}
