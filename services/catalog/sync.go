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

// Sync pushes our packages to Stripe as prices of one product, then pulls the product's prices into our table. A
// replaced price is archived at Stripe and inactive here; Checkout Sessions opened with it are still booked.
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

// syncProduct creates our product at Stripe, or makes it active and tags it.
func (s *Service) syncProduct(ctx context.Context, i models.Installation) error {
	get := &stripe.ProductParams{}
	get.Context = ctx
	product, err := s.Stripe.Products.Get(ProductID, get)
	if err == nil && (!product.Active || product.Metadata[stripeapi.TagKey] == "") {
		update := &stripe.ProductParams{Active: stripe.Bool(true)}
		if product.Metadata[stripeapi.TagKey] == "" {
			update.Metadata = map[string]string{stripeapi.TagKey: i.ID.String()}
		}
		update.Context = ctx
		if _, err := s.Stripe.Products.Update(ProductID, update); err != nil {
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

// alreadyExists reports whether a concurrent sync created the object first.
func alreadyExists(err error) bool {
	var e *stripe.Error
	return errors.As(err, &e) && e.Code == stripe.ErrorCodeResourceAlreadyExists
}

// syncPackage ensures that the package's lookup key belongs to an active price with its amount and credits. The
// amount of a Stripe price is immutable, so a new amount needs a new price, which takes over the key.
func (s *Service) syncPackage(ctx context.Context, p Package, i models.Installation) error {
	list := &stripe.PriceListParams{LookupKeys: []*string{stripe.String(p.LookupKey())}}
	list.Context = ctx
	prices := s.Stripe.Prices.List(list)
	var current *stripe.Price
	for prices.Next() {
		current = prices.Price()
	}
	if err := prices.Err(); err != nil {
		return stripeapi.Fault(err)
	}
	if current != nil && current.Active && current.UnitAmount == int64(p.Cents) && current.Currency == Currency {
		return s.restoreMetadata(ctx, current, p, i)
	}
	create := &stripe.PriceParams{
		Product: stripe.String(ProductID), Currency: stripe.String(Currency), UnitAmount: stripe.Int64(int64(p.Cents)),
		LookupKey: stripe.String(p.LookupKey()), TransferLookupKey: stripe.Bool(true),
		TaxBehavior: stripe.String(string(stripe.PriceTaxBehaviorInclusive)),
		Metadata: map[string]string{
			"credits": strconv.FormatInt(int64(p.Credits), 10), stripeapi.TagKey: i.ID.String(),
		},
	}
	create.Context = ctx
	key := fmt.Sprintf("price:%s:%s:%d", i.ID, p.LookupKey(), p.Cents)
	if current != nil {
		key += ":after:" + current.ID
	}
	create.SetIdempotencyKey(key)
	if _, err := s.Stripe.Prices.New(create); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}

// archiveReplaced archives our replaced prices at Stripe, including those that an interrupted sync left active.
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

// restoreMetadata restores the credits and our tag in the metadata of a price, unless it belongs to another
// installation.
func (s *Service) restoreMetadata(ctx context.Context, price *stripe.Price, p Package, i models.Installation) error {
	credits, has := strconv.FormatInt(int64(p.Credits), 10), price.Metadata
	if has["credits"] == credits && has[stripeapi.TagKey] != "" || stripeapi.Foreign(has, i) {
		return nil
	}
	update := &stripe.PriceParams{Metadata: map[string]string{"credits": credits, stripeapi.TagKey: i.ID.String()}}
	update.Context = ctx
	if _, err := s.Stripe.Prices.Update(price.ID, update); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}
