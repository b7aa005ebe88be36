package purchase

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// productID is the one product all packages belong to; Stripe lets us choose it.
const productID = "resume_matcher_credits"

// Package is one size in which credits are sold.
type Package struct {
	Credits models.Credits
	Cents   models.Cents // VAT included
}

// packages are what the product sells. `credits prices sync` brings Stripe to this list.
var packages = []Package{{100, 500}, {500, 2000}, {1200, 3500}}

const packageCurrency = "eur"

// lookupKey names a package at Stripe, whatever price object stands for it today.
func (p Package) lookupKey() string { return fmt.Sprintf("resume_matcher_credits_%d", p.Credits) }

func activePrice(tx *gorm.DB, id string) (models.Price, error) {
	var price models.Price
	err := tx.Where("stripe_price_id = ? AND active", id).Take(&price).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return price, fault.Field("price_id", fault.PriceUnknown)
	}
	if err != nil {
		return price, fmt.Errorf("look up price: %w", err)
	}
	return price, nil
}

// Prices returns the packages on sale, smallest first.
func (s *Service) Prices(ctx context.Context) ([]models.Price, error) {
	var prices []models.Price
	if err := s.DB.WithContext(ctx).Where("active").Order("credits_per_unit, stripe_price_id").Find(&prices).Error; err != nil {
		return nil, fmt.Errorf("prices on sale: %w", err)
	}
	return prices, nil
}

// SyncPrices brings Stripe's product and prices to our packages and our table to Stripe's prices.
// A price that is no longer ours is archived at Stripe and inactive here; sessions opened with it still book.
//
// Units: prices mirrored. Idempotent. Errors: fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/products-prices/manage-prices#lookup-keys
func (s *Service) SyncPrices(ctx context.Context) (int, error) {
	if err := s.syncProduct(ctx); err != nil {
		return 0, err
	}
	for _, p := range packages {
		if err := s.syncPackage(ctx, p); err != nil {
			return 0, err
		}
	}
	return s.mirrorPrices(ctx)
}

func (s *Service) syncProduct(ctx context.Context) error {
	get := &stripe.ProductParams{}
	get.Context = ctx
	product, err := s.Stripe.Products.Get(productID, get)
	if err == nil && !product.Active { // the operator syncs in order to sell
		revive := &stripe.ProductParams{Active: stripe.Bool(true)}
		revive.Context = ctx
		if _, err := s.Stripe.Products.Update(productID, revive); err != nil {
			return stripeFault(err)
		}
	}
	if err == nil {
		return nil
	}
	if missingParam(err) == "" {
		return stripeFault(err)
	}
	create := &stripe.ProductParams{
		ID:       stripe.String(productID),
		Name:     stripe.String("Resume Matcher Credits"),
		Metadata: map[string]string{"type": "credits"},
	}
	create.Context = ctx
	if _, err := s.Stripe.Products.New(create); err != nil && !alreadyExists(err) {
		return stripeFault(err)
	}
	return nil
}

// alreadyExists says that another replica was faster.
func alreadyExists(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Code == stripe.ErrorCodeResourceAlreadyExists
}

// syncPackage makes sure that the package's lookup key names an active price with its amount and credits. Amounts of a
// Stripe price never change, so another amount is another price, to which the key moves.
func (s *Service) syncPackage(ctx context.Context, p Package) error {
	list := &stripe.PriceListParams{LookupKeys: []*string{stripe.String(p.lookupKey())}}
	list.Context = ctx
	prices := s.Stripe.Prices.List(list)
	var old *stripe.Price
	for prices.Next() {
		old = prices.Price()
	}
	if err := prices.Err(); err != nil {
		return stripeFault(err)
	}
	if old != nil && old.Active && old.UnitAmount == int64(p.Cents) && old.Currency == packageCurrency {
		return s.labelPrice(ctx, old, p)
	}
	create := &stripe.PriceParams{
		Product: stripe.String(productID), Currency: stripe.String(packageCurrency), UnitAmount: stripe.Int64(int64(p.Cents)),
		LookupKey: stripe.String(p.lookupKey()), TransferLookupKey: stripe.Bool(true),
		TaxBehavior: stripe.String(string(stripe.PriceTaxBehaviorInclusive)),
		Metadata:    map[string]string{"credits": strconv.FormatInt(int64(p.Credits), 10)},
	}
	create.Context = ctx
	key := fmt.Sprintf("price:%s:%d", p.lookupKey(), p.Cents)
	if old != nil {
		key += ":after:" + old.ID
	}
	create.SetIdempotencyKey(key)
	if _, err := s.Stripe.Prices.New(create); err != nil {
		return stripeFault(err)
	}
	if old == nil || !old.Active {
		return nil
	}
	archive := &stripe.PriceParams{Active: stripe.Bool(false)}
	archive.Context = ctx
	if _, err := s.Stripe.Prices.Update(old.ID, archive); err != nil {
		return stripeFault(err)
	}
	return nil
}

// labelPrice writes how many credits a price holds when somebody has taken that off it.
func (s *Service) labelPrice(ctx context.Context, old *stripe.Price, p Package) error {
	credits := strconv.FormatInt(int64(p.Credits), 10)
	if old.Metadata["credits"] == credits {
		return nil
	}
	label := &stripe.PriceParams{Metadata: map[string]string{"credits": credits}}
	label.Context = ctx
	if _, err := s.Stripe.Prices.Update(old.ID, label); err != nil {
		return stripeFault(err)
	}
	return nil
}

// mirrorPrices copies the product's prices into our table. Rows are never deleted: purchases point at them.
func (s *Service) mirrorPrices(ctx context.Context) (int, error) {
	onSale, err := s.productOnSale(ctx)
	if err != nil {
		return 0, err
	}
	list := &stripe.PriceListParams{Product: stripe.String(productID)}
	list.Context = ctx
	list.Limit = stripe.Int64(100)
	var rows []models.Price
	ids := []string{""} // an empty list would make the SQL below invalid
	for prices := s.Stripe.Prices.List(list); ; {
		if !prices.Next() {
			if err := prices.Err(); err != nil {
				return 0, stripeFault(err)
			}
			break
		}
		row, ok := mirrored(prices.Price())
		if !ok {
			s.Log.WarnContext(ctx, "a Stripe price without usable metadata.credits is not sold", "price_id", prices.Price().ID)
			continue
		}
		row.Active = row.Active && onSale
		rows, ids = append(rows, row), append(ids, row.StripePriceID)
	}
	err = models.Transaction(ctx, s.DB, func(tx *gorm.DB) error {
		for _, r := range rows {
			err := tx.Exec(`INSERT INTO prices (stripe_price_id, credits_per_unit, price_in_cents, currency, active) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (stripe_price_id) DO UPDATE SET credits_per_unit = excluded.credits_per_unit,
				price_in_cents = excluded.price_in_cents, currency = excluded.currency, active = excluded.active, updated_at = now()`,
				r.StripePriceID, r.CreditsPerUnit, r.PriceInCents, r.Currency, r.Active).Error
			if err != nil {
				return err
			}
		}
		return tx.Exec(`UPDATE prices SET active = false, updated_at = now() WHERE active AND stripe_price_id NOT IN ?`, ids).Error
	})
	if err != nil {
		return 0, fmt.Errorf("mirror prices: %w", err)
	}
	return len(rows), nil
}

// productOnSale reports whether our product is there and active: Stripe takes no order for the prices of one that is not.
func (s *Service) productOnSale(ctx context.Context) (bool, error) {
	get := &stripe.ProductParams{}
	get.Context = ctx
	product, err := s.Stripe.Products.Get(productID, get)
	switch {
	case err != nil && missingParam(err) != "":
		return false, nil
	case err != nil:
		return false, stripeFault(err)
	}
	return product.Active && !product.Deleted, nil
}

// BookPrices answers an event about the product or one of its prices by reading all of them: the event itself may be
// older than what we have. Rows are read from Stripe before the transaction, so nothing is left to do in it.
//
// Errors: AskError the first time; ErrNotOurs for another product's.
func BookPrices(product string, told Told) error {
	switch {
	case product != productID:
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
