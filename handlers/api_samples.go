package handlers

import (
	"github.com/resume-matcher/credits/services/fault"
)

// What the examples are about. The tests make a user, a price, keys and holds of these names.
const (
	sampleUserID  = 42
	sampleEmail   = "ada@example.com"
	samplePriceID = "price_1Q0500credits"
	sampleMoment  = "2026-11-23T09:30:00.000000Z"
)

type object = map[string]any

var sampleMetadata = object{"resume": 4711}

var checkoutSamples = []sample{
	{name: "five_hundred", summary: "One package of 500 credits", caller: schemeSession, status: 201, params: object{headerKey: "checkout-4711"},
		body:   object{"priceId": samplePriceID, "quantity": 1, "locale": "de"},
		answer: checkout{"https://checkout.stripe.com/c/pay/cs_test_a1B2c3", "0190f3a1-b2c3-7d4e-8f60-718293a4b5c6"}},
	{name: "no_such_package", summary: "A package that is not sold", caller: schemeSession, body: object{"priceId": "price_of_nothing", "quantity": 1},
		refusal: fault.Field("priceId", fault.PriceUnknown)},
}

var balanceSamples = []sample{
	{name: "own", summary: "Of the signed-in user", caller: schemeSession, status: 200, answer: balance{490, 15, 475}},
}

var historySamples = []sample{
	{name: "own", summary: "Of the signed-in user", caller: schemeSession, status: 200, params: object{"limit": 2}, answer: movements{Transactions: []movement{
		{TransactionID: 8, DeltaCredits: -10, Reason: "resume_analysis", CreditsBalance: 490, Metadata: anyObject{[]byte(`{"resume":4711}`)}, CreatedAt: sampleMoment},
		{TransactionID: 7, DeltaCredits: 500, Reason: "purchase", CreditsBalance: 500, CreatedAt: sampleMoment},
	}}},
}

var spendSamples = []sample{
	{name: "own", summary: "By the signed-in user", caller: schemeSession, status: 201, params: object{headerKey: "analysis-4711"},
		body: object{"feature": "resume_analysis", "metadata": sampleMetadata}, answer: spent{8, -10, 490}},
	{name: "no_such_feature", summary: "A feature that does not exist", caller: schemeSession, params: object{headerKey: "analysis-4714"},
		body: object{"feature": "cover_letter"}, refusal: fault.Field("feature", fault.FeatureUnknown)},
	{name: "too_few", summary: "More than there is", refusal: fault.New(fault.InsufficientCredits, object{"required": 10, "available": 4, "missing": 6})},
}
