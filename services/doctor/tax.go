package doctor

import (
	"context"

	"github.com/stripe/stripe-go/v79"
)

// checkTax reports what invoices will say about value added tax, for the operator to judge. If Stripe Tax is to compute
// it and is not set up, Checkout refuses every order.
func (s *SetUp) checkTax(ctx context.Context) []Check {
	const area = area("doctor.area.tax")
	switch {
	case s.Config.SmallBusiness && s.Config.StripeAutomaticTax: // checkConfiguration reports it
		return nil
	case s.Config.SmallBusiness:
		return area.ok("doctor.tax.small_business", nil)
	case s.Config.StripeAutomaticTax && s.accepted.IsZero():
		return area.warning("doctor.unchecked.stripe", nil)
	case s.Config.StripeAutomaticTax:
		return s.checkStripeTax(ctx, area)
	case s.Config.Strict():
		return area.warning("doctor.tax.none", nil)
	}
	return area.ok("doctor.tax.sandbox", nil)
}

// checkStripeTax checks whether Stripe Tax is set up.
// Source: https://docs.stripe.com/api/tax/settings/object
func (s *SetUp) checkStripeTax(ctx context.Context, area area) []Check {
	ctx, cancel := limited(ctx)
	defer cancel()
	params := &stripe.TaxSettingsParams{}
	params.Context = ctx
	settings, err := s.Stripe.TaxSettings.Get(params)
	switch {
	case err != nil: // a restricted key may lack the right
		return area.warning("doctor.tax.unseen", nil)
	case settings.Status != stripe.TaxSettingsStatusActive:
		return area.wrong("STRIPE_AUTOMATIC_TAX", "doctor.tax.pending")
	}
	return area.ok("doctor.tax.automatic", nil)
}
