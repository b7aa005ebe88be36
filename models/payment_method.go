package models

import "slices"

// PaymentMethods lists the methods of payment that have a text, under Stripe's names. Wallets on a phone are cards.
//
// Source: https://docs.stripe.com/api/checkout/sessions/object (payment_method_types)
func PaymentMethods() []string {
	return []string{"card", "link", "paypal", "sepa_debit", "customer_balance", "klarna", "amazon_pay", "revolut_pay",
		"ideal", "bancontact", "eps", "p24", "blik", "twint", "multibanco", "mobilepay", "satispay", "billie", "bacs_debit",
		"us_bank_account", "cashapp", "affirm", "afterpay_clearpay", "alipay", "wechat_pay"}
}

// OfferedMethods returns the methods of payment by which every package can be paid. Packages of which Stripe has not
// said so do not count; it returns none if they all are.
func OfferedMethods(offers []Offer) []string {
	var methods []string
	for _, o := range offers {
		switch {
		case len(o.PaymentMethods) == 0:
		case methods == nil:
			methods = slices.Clone(o.PaymentMethods)
		default:
			methods = slices.DeleteFunc(methods, func(m string) bool { return !slices.Contains(o.PaymentMethods, m) })
		}
	}
	return methods
}
