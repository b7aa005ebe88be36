package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe/stripe-go/v79"
	"gorm.io/gorm"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/models/postgres"
	"github.com/resume-matcher/credits/services/catalog"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/stripeapi"
)

const pricesArea = area("doctor.area.prices")

// checkPrices compares our packages with Stripe's prices and with our table, and synchronizes all three.
func (s *SetUp) checkPrices(ctx context.Context) []Check {
	switch {
	case s.accepted.IsZero():
		return pricesArea.warning("doctor.unchecked.stripe", nil)
	case !s.migrated:
		return pricesArea.warning("doctor.unchecked.database", nil)
	}
	db, err := postgres.Open(s.Config.ServerDatabaseURL().Reveal(), s.Log)
	if err != nil {
		return pricesArea.warning("doctor.unchecked.database", nil)
	}
	defer func() { _ = postgres.Close(db) }() // only read
	checks, err := s.comparePrices(ctx, db)
	if err == nil && checks[0].Level != OK && s.mends() {
		if _, err = s.catalog(db).Sync(ctx); err == nil {
			checks, err = s.comparePrices(ctx, db)
		}
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "check prices failed", "err", reason(err))
		return pricesArea.red("doctor.prices.failed", facts{"reason": reason(err)})
	}
	return checks
}

func (s *SetUp) catalog(db *gorm.DB) *catalog.Service {
	return &catalog.Service{DB: db, Stripe: s.Stripe, Log: s.Log, Description: s.Description}
}

func (s *SetUp) comparePrices(ctx context.Context, db *gorm.DB) ([]Check, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	packages := catalog.Packages()
	params := &stripe.PriceListParams{}
	params.Context = ctx
	params.AddExpand("data.product")
	for _, p := range packages {
		params.LookupKeys = append(params.LookupKeys, stripe.String(p.LookupKey()))
	}
	theirs := map[string]*stripe.Price{}
	list := s.Stripe.Prices.List(params)
	for list.Next() {
		theirs[list.Price().LookupKey] = list.Price()
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	var ours []models.Price
	if err := db.WithContext(ctx).Where("active").Find(&ours).Error; err != nil {
		return nil, fmt.Errorf("prices on sale: %w", err)
	}
	checks, err := s.checkStripesPrices(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		about := facts{"credits": int64(p.Credits), "key": p.LookupKey()}
		text := wrongPrice(p, theirs[p.LookupKey()], ours)
		switch {
		case text == "doctor.prices.missing" && sells(p, ours),
			text == "" && theirs[p.LookupKey()].Product.ID != p.ProductID():
			checks = append(checks, pricesArea.warning("doctor.prices.unnamed", about)...)
		case text != "":
			checks = append(checks, pricesArea.red(text, about)...)
		default:
			buys, err := s.catalog(db).ProductText(ctx, p)
			if err != nil {
				return nil, err
			}
			if theirs[p.LookupKey()].Product.Description != buys {
				checks = append(checks, pricesArea.warning("doctor.prices.description", about)...)
			}
		}
	}
	for _, row := range ours {
		if row.Currency != catalog.Currency {
			checks = append(checks, pricesArea.red("doctor.prices.currencies", facts{"price": row.StripePriceID})...)
		}
	}
	unpayable, err := s.checkMethods(ctx, db)
	if err != nil {
		return nil, err
	}
	checks = append(checks, unpayable...)
	if len(checks) == 0 {
		return pricesArea.ok("doctor.prices.ok",
			facts{"count": len(packages), "currency": strings.ToUpper(catalog.Currency)}), nil
	}
	return checks, nil
}

// checkMethods checks whether the order form names the methods of payment, which the law requires in the EU.
func (s *SetUp) checkMethods(ctx context.Context, db *gorm.DB) ([]Check, error) {
	offers, err := s.catalog(db).CurrentOffers(ctx)
	known := func(o models.Offer) bool { return len(o.PaymentMethods) > 0 }
	if err != nil || len(offers) == 0 || slices.ContainsFunc(offers, known) {
		return nil, err
	}
	if _, err := s.catalog(db).ConfiguredMethods(ctx); err != nil {
		return pricesArea.warning("doctor.prices.methods_unread", facts{"reason": reason(err)}), nil
	}
	return pricesArea.warning("doctor.prices.methods", nil), nil
}

// sells reports whether our table sells a package at its price. Without one at Stripe for the package alone, that price
// is of the product that all packages share, and Checkout does not say what is bought.
func sells(p catalog.Package, ours []models.Price) bool {
	return slices.ContainsFunc(ours, func(row models.Price) bool {
		return row.CreditsPerUnit == p.Credits && row.PriceInCents == p.Cents && row.Currency == catalog.Currency
	})
}

// checkStripesPrices checks every active price of our products, including those of payment links: it must have no other
// currencies and belong to this installation.
func (s *SetUp) checkStripesPrices(ctx context.Context, db *gorm.DB) ([]Check, error) {
	i, err := stripeapi.ReadInstallation(db.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	var checks []Check
	others := false
	for _, product := range catalog.Products() {
		prices, err := s.activePrices(ctx, product)
		if err != nil {
			return nil, err
		}
		for _, price := range prices {
			if hasFurtherCurrency(price) {
				checks = append(checks, pricesArea.red("doctor.prices.further_currencies", facts{"price": price.ID})...)
			}
			others = others || stripeapi.Foreign(price.Metadata, i)
		}
	}
	if others {
		checks = append(checks, pricesArea.warning("doctor.prices.other_installation", facts{"tag": stripeapi.TagKey})...)
	}
	return checks, nil
}

// activePrices lists a product's active prices with their currencies; none of a product that Stripe does not know,
// which comparePrices reports.
func (s *SetUp) activePrices(ctx context.Context, product string) ([]*stripe.Price, error) {
	params := &stripe.PriceListParams{Product: stripe.String(product), Active: stripe.Bool(true)}
	params.Context = ctx
	params.AddExpand("data.currency_options")
	var prices []*stripe.Price
	list := s.Stripe.Prices.List(params)
	for list.Next() {
		prices = append(prices, list.Price())
	}
	if err := list.Err(); err != nil && stripeapi.MissingParam(err) == "" {
		return nil, err
	}
	return prices, nil
}

func hasFurtherCurrency(price *stripe.Price) bool {
	for currency := range price.CurrencyOptions {
		if currency != string(price.Currency) {
			return true
		}
	}
	return false
}

// wrongPrice returns the text about a package's price at Stripe or in our table, "" if it is right.
func wrongPrice(p catalog.Package, theirs *stripe.Price, ours []models.Price) string {
	switch {
	case theirs == nil:
		return "doctor.prices.missing"
	case !theirs.Active:
		return "doctor.prices.inactive"
	case string(theirs.Currency) != catalog.Currency:
		return "doctor.prices.currency"
	case theirs.UnitAmount != int64(p.Cents), theirs.Metadata["credits"] != strconv.FormatInt(int64(p.Credits), 10):
		return "doctor.prices.differs"
	}
	for _, row := range ours {
		if row.StripePriceID == theirs.ID {
			if row.PriceInCents != p.Cents || row.CreditsPerUnit != p.Credits || row.Currency != catalog.Currency {
				return "doctor.prices.table"
			}
			return ""
		}
	}
	return "doctor.prices.unmirrored"
}

// reason returns why a call failed, without quoting request or answer.
func reason(err error) string {
	var answer *stripe.Error
	switch {
	case fault.Of(err) != nil: // redacted already
		return fault.Of(err).Error()
	case errors.As(err, &answer):
		return fmt.Sprintf("Stripe: %d %s %s", answer.HTTPStatusCode, answer.Type, answer.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded.Error()
	}
	return fmt.Sprintf("%T", err)
}
