package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/stripe/stripe-go/v79"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/stripeapi"
)

// Sync pushes our packages to Stripe, each as a product with one price, then pulls all our prices into our table. A
// replaced price is archived at Stripe and inactive here; Checkout Sessions opened with it are still booked. It also
// stores how prices can be paid before their first order; that Stripe refuses to say so is no error.
//
// Earlier releases sold every package under the shared product. Its prices are left as they are at Stripe while they
// cost the same, so that payment links and a release that is rolled back go on selling them.
//
// Units: prices pulled. Idempotent. Errors: fault.Unavailable when Stripe does not answer.
// Source: https://docs.stripe.com/products-prices/manage-prices#lookup-keys
func (s *Service) Sync(ctx context.Context) (int, error) {
	i, err := stripeapi.ReadInstallation(s.DB.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	if err := s.SyncProducts(ctx); err != nil {
		return 0, err
	}
	for _, p := range packages {
		if err := s.syncPrice(ctx, p, i); err != nil {
			return 0, err
		}
	}
	if err := s.archiveReplaced(ctx, i); err != nil {
		return 0, err
	}
	n, err := s.Pull(ctx)
	if err != nil {
		return 0, err
	}
	return n, s.pullMethods(ctx)
}

// SyncProducts creates the packages' products at Stripe, or makes them active, tags them and corrects their
// descriptions, which depend on the price of a resume analysis. A seller may rename them.
//
// Idempotent. Errors: fault.Unavailable when Stripe does not answer.
func (s *Service) SyncProducts(ctx context.Context) error {
	i, err := stripeapi.ReadInstallation(s.DB.WithContext(ctx))
	if err != nil {
		return err
	}
	for _, p := range packages {
		if err := s.syncProduct(ctx, p, i); err != nil {
			return err
		}
	}
	return nil
}

// ProductText returns the description of a package's product: how many resume analyses it pays for. It is empty while
// these are not offered.
func (s *Service) ProductText(ctx context.Context, p Package) (string, error) {
	var analyses int64
	err := s.DB.WithContext(ctx).Raw(`SELECT ? / credits FROM feature_prices WHERE feature = ? AND active`,
		p.Credits, models.ReasonResumeAnalysis).Scan(&analyses).Error
	if err != nil {
		return "", fmt.Errorf("count the resume analyses of a package: %w", err)
	}
	if analyses == 0 || s.Description == nil {
		return "", nil
	}
	return s.Description(analyses), nil
}

// syncProduct creates or corrects the package's product. That of another installation is only made active.
func (s *Service) syncProduct(ctx context.Context, p Package, i models.Installation) error {
	text, err := s.ProductText(ctx, p)
	if err != nil {
		return err
	}
	get := &stripe.ProductParams{}
	get.Context = ctx
	product, err := s.Stripe.Products.Get(p.ProductID(), get)
	switch {
	case err != nil && stripeapi.MissingParam(err) != "":
		return s.createProduct(ctx, p, i, text)
	case err != nil:
		return stripeapi.Fault(err)
	}
	update, changed := &stripe.ProductParams{}, false
	if !product.Active {
		update.Active, changed = stripe.Bool(true), true
	}
	if s.Description != nil && !stripeapi.Foreign(product.Metadata, i) && product.Description != text {
		update.Description, changed = stripe.String(text), true
	}
	if product.Metadata[stripeapi.TagKey] == "" {
		update.Metadata, changed = map[string]string{stripeapi.TagKey: i.ID.String()}, true
	}
	if !changed {
		return nil
	}
	update.Context = ctx
	if _, err := s.Stripe.Products.Update(p.ProductID(), update); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}

func (s *Service) createProduct(ctx context.Context, p Package, i models.Installation, text string) error {
	create := &stripe.ProductParams{
		ID:       stripe.String(p.ProductID()),
		Name:     stripe.String(p.ProductName()),
		Metadata: map[string]string{"type": "credits", stripeapi.TagKey: i.ID.String()},
	}
	if text != "" {
		create.Description = stripe.String(text)
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

// syncPrice ensures that the package's lookup key belongs to an active price of its product, with its amount and
// credits. Amount and product of a Stripe price are immutable, so a change needs a new price, which takes over the key.
func (s *Service) syncPrice(ctx context.Context, p Package, i models.Installation) error {
	prices, err := s.productPrices(ctx, p.ProductID())
	if err != nil {
		return err
	}
	var fit *stripe.Price
	for _, price := range prices {
		if p.fits(price) && (fit == nil || price.LookupKey == p.LookupKey()) {
			fit = price
		}
	}
	if fit != nil {
		return s.adopt(ctx, fit, p, i)
	}
	create := &stripe.PriceParams{
		Product: stripe.String(p.ProductID()), Currency: stripe.String(Currency), UnitAmount: stripe.Int64(int64(p.Cents)),
		LookupKey: stripe.String(p.LookupKey()), TransferLookupKey: stripe.Bool(true),
		TaxBehavior: stripe.String(string(stripe.PriceTaxBehaviorInclusive)), Metadata: p.metadata(i),
	}
	create.Context = ctx
	key := fmt.Sprintf("price:%s:%s:%d", i.ID, p.LookupKey(), p.Cents)
	if len(prices) > 0 { // else Stripe would answer with the price that the same request created before
		key += ":after:" + prices[0].ID
	}
	create.SetIdempotencyKey(key)
	if _, err := s.Stripe.Prices.New(create); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}

// fits reports whether a price of the package's product sells it for what it costs.
func (p Package) fits(price *stripe.Price) bool {
	return price.Active && price.UnitAmount == int64(p.Cents) && price.Currency == Currency &&
		price.Type == stripe.PriceTypeOneTime
}

// metadata is what a price of the package carries: its credits and our tag.
func (p Package) metadata(i models.Installation) map[string]string {
	return map[string]string{"credits": strconv.FormatInt(int64(p.Credits), 10), stripeapi.TagKey: i.ID.String()}
}

// adopt gives a price the package's lookup key, credits and our tag where it lacks them. The metadata of another
// installation's price stays.
func (s *Service) adopt(ctx context.Context, price *stripe.Price, p Package, i models.Installation) error {
	update, want := &stripe.PriceParams{}, p.metadata(i)
	if price.LookupKey != p.LookupKey() {
		update.LookupKey, update.TransferLookupKey = stripe.String(p.LookupKey()), stripe.Bool(true)
	}
	has := price.Metadata
	if !stripeapi.Foreign(has, i) && (has["credits"] != want["credits"] || has[stripeapi.TagKey] == "") {
		update.Metadata = want
	}
	if update.LookupKey == nil && update.Metadata == nil {
		return nil
	}
	update.Context = ctx
	if _, err := s.Stripe.Prices.Update(price.ID, update); err != nil {
		return stripeapi.Fault(err)
	}
	return nil
}

// archiveReplaced archives our replaced prices at Stripe, including those that an interrupted sync left active.
func (s *Service) archiveReplaced(ctx context.Context, i models.Installation) error {
	prices, err := s.ownPrices(ctx)
	if err != nil {
		return err
	}
	for _, p := range prices {
		if !p.Active || !replaced(p, prices) || shared(p) || stripeapi.Foreign(p.Metadata, i) {
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

// shared reports whether a price of the shared product costs what the package costs now.
func shared(price *stripe.Price) bool {
	row, ok := rowOf(price)
	return ok && price.Product.ID == SharedProduct && slices.ContainsFunc(packages, func(p Package) bool {
		return p.Credits == row.CreditsPerUnit && p.Cents == row.PriceInCents && row.Currency == Currency
	})
}
