package doctor

import "context"

// checkTax says what invoices will tell of value added tax. Only the operator knows which of it is right.
func (s *SetUp) checkTax(context.Context) []Check {
	const area = area("doctor.area.tax")
	switch {
	case s.Config.SmallBusiness && s.Config.StripeAutomaticTax: // told with the configuration
		return nil
	case s.Config.SmallBusiness:
		return area.ok("doctor.tax.small_business", nil)
	case s.Config.StripeAutomaticTax:
		return area.ok("doctor.tax.automatic", nil)
	case s.strict():
		return area.warning("doctor.tax.none", nil)
	}
	return area.ok("doctor.tax.sandbox", nil)
}
