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
	"github.com/resume-matcher/credits/services/stripeapi"
)

// ProductID is the one product all packages belong to; Stripe lets us choose it.
const ProductID = "resume_matcher_credits"

// Package is one size in which credits are sold.
type Package struct {
	Credits models.Credits
	Cents   models.Cents   // VAT included
	Bonus   models.Credits // of the credits
}

// packages are what the product sells. `credits prices sync` brings Stripe to this list.
var packages = []Package{{Credits: 100, Cents: 500}, {Credits: 500, Cents: 2000}, {Credits: 1200, Cents: 3500, Bonus: 200}}

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
	i, err := s.Installation(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.syncProduct(ctx, i); err != nil {
		return 0, err
	}
	for _, p := range packages {
		if err := s.syncPackage(ctx, p, i); err != nil {
			return 0, err
		}
	}
	if err := s.archiveReplaced(ctx, i); err != nil {
		return 0, err
	}
	return s.mirrorPrices(ctx)
}

func (s *Service) syncProduct(ctx context.Context, i models.Installation) error {
	get := &stripe.ProductParams{}
	get.Context = ctx
	product, err := s.Stripe.Products.Get(ProductID, get)
	if err == nil && (!product.Active || product.Metadata[stripeapi.TagKey] == "") {
		revive := &stripe.ProductParams{Active: stripe.Bool(true)} // the operator syncs in order to sell
		if product.Metadata[stripeapi.TagKey] == "" {
			revive.Metadata = map[string]string{stripeapi.TagKey: i.ID.String()}
		}
		revive.Context = ctx
		if _, err := s.Stripe.Products.Update(ProductID, revive); err != nil {
			return stripeapi.Fault(err)
		}
	}
	if err == nil {
		return nil
	}
	if stripeapi.MissingParam(err) == "" {
		return stripeapi.Fault(err)
	}
	create := &stripe.ProductParams{
		ID:       stripe.String(ProductID),
		Name:     stripe.String("Resume Matcher Credits"),
		Metadata: map[string]string{"type": "credits", stripeapi.TagKey: i.ID.String()},
	}
	create.Context = ctx
	if _, err := s.Stripe.Products.New(create); err != nil && !alreadyExists(err) {
		return stripeapi.Fault(err)
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
func (s *Service) syncPackage(ctx context.Context, p Package, i models.Installation) error {
	list := &stripe.PriceListParams{LookupKeys: []*string{stripe.String(p.lookupKey())}}
	list.Context = ctx
	prices := s.Stripe.Prices.List(list)
	var old *stripe.Price
	for prices.Next() {
		old = prices.Price()
	}
	if err := prices.Err(); err != nil {
		return stripeapi.Fault(err)
	}
	if old != nil && old.Active && old.UnitAmount == int64(p.Cents) && old.Currency == packageCurrency {
		return s.labelPrice(ctx, old, p, i)
	}
	create := &stripe.PriceParams{
		Product: stripe.String(ProductID), Currency: stripe.String(packageCurrency), UnitAmount: stripe.Int64(int64(p.Cents)),
		LookupKey: stripe.String(p.lookupKey()), TransferLookupKey: stripe.Bool(true),
		TaxBehavior: stripe.String(string(stripe.PriceTaxBehaviorInclusive)),
		Metadata:    map[string]string{"credits": strconv.FormatInt(int64(p.Credits), 10), stripeapi.TagKey: i.ID.String()},
	}
	create.Context = ctx
	key := fmt.Sprintf("price:%s:%s:%d", i.ID, p.lookupKey(), p.Cents)
	if old != nil {
		key += ":after:" + old.ID
	}
	create.SetIdempotencyKey(key)
	if _, err := s.Stripe.Prices.New(create); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}

// archiveReplaced takes off sale at Stripe what another price has replaced: also the prices that an earlier sync left
// when it ended half way.
func (s *Service) archiveReplaced(ctx context.Context, i models.Installation) error {
	prices, err := s.productPrices(ctx)
	if err != nil {
		return err
	}
	for _, p := range prices {
		if !p.Active || !replaced(p, prices) || stripeapi.Foreign(p.Metadata, i) {
			continue
		}
		archive := &stripe.PriceParams{Active: stripe.Bool(false)}
		archive.Context = ctx
		if _, err := s.Stripe.Prices.Update(p.ID, archive); err != nil {
			return stripeapi.Fault(err)
		}
	}
	return nil
}

// labelPrice writes how many credits a price holds, and our tag, when somebody has taken that off it. A price of another
// installation is left as it is.
func (s *Service) labelPrice(ctx context.Context, old *stripe.Price, p Package, i models.Installation) error {
	credits := strconv.FormatInt(int64(p.Credits), 10)
	if old.Metadata["credits"] == credits && old.Metadata[stripeapi.TagKey] != "" || stripeapi.Foreign(old.Metadata, i) {
		return nil
	}
	label := &stripe.PriceParams{Metadata: map[string]string{"credits": credits, stripeapi.TagKey: i.ID.String()}}
	label.Context = ctx
	if _, err := s.Stripe.Prices.Update(old.ID, label); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}
