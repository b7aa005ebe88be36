package catalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Sync pushes our packages to Stripe as prices of one product and then pulls all of its prices into our table. A price
// that is no longer ours is archived at Stripe and inactive here; sessions opened with it still book.
//
// Units: prices pulled. Idempotent. Errors: fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/products-prices/manage-prices#lookup-keys
func (s *Service) Sync(ctx context.Context) (int, error) {
	i, err := stripeapi.ReadInstallation(s.DB.WithContext(ctx))
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
	return s.Pull(ctx)
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

// alreadyExists reports whether another replica created the object first.
func alreadyExists(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Code == stripe.ErrorCodeResourceAlreadyExists
}

// syncPackage makes the package's lookup key name an active price with its amount and credits. The amount of a Stripe price
// never changes, so a new amount is a new price, to which the key moves.
func (s *Service) syncPackage(ctx context.Context, p Package, i models.Installation) error {
	list := &stripe.PriceListParams{LookupKeys: []*string{stripe.String(p.LookupKey())}}
	list.Context = ctx
	prices := s.Stripe.Prices.List(list)
	var old *stripe.Price
	for prices.Next() {
		old = prices.Price()
	}
	if err := prices.Err(); err != nil {
		return stripeapi.Fault(err)
	}
	if old != nil && old.Active && old.UnitAmount == int64(p.Cents) && old.Currency == Currency {
		return s.labelPrice(ctx, old, p, i)
	}
	create := &stripe.PriceParams{
		Product: stripe.String(ProductID), Currency: stripe.String(Currency), UnitAmount: stripe.Int64(int64(p.Cents)),
		LookupKey: stripe.String(p.LookupKey()), TransferLookupKey: stripe.Bool(true),
		TaxBehavior: stripe.String(string(stripe.PriceTaxBehaviorInclusive)),
		Metadata:    map[string]string{"credits": strconv.FormatInt(int64(p.Credits), 10), stripeapi.TagKey: i.ID.String()},
	}
	create.Context = ctx
	key := fmt.Sprintf("price:%s:%s:%d", i.ID, p.LookupKey(), p.Cents)
	if old != nil {
		key += ":after:" + old.ID
	}
	create.SetIdempotencyKey(key)
	if _, err := s.Stripe.Prices.New(create); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}

// archiveReplaced archives prices at Stripe that another price has replaced, including those that an interrupted sync left
// active.
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

// labelPrice restores a price's credits and our tag in its metadata where they were removed. It does not touch a price of
// another installation.
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
