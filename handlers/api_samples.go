package handlers

import (
	"github.com/google/uuid"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
)

// Fixtures of the examples. The tests create a user, a price, a key and holds of these names.
const (
	sampleUserID  = 42
	sampleEmail   = "ada@example.com"
	samplePriceID = "price_1Q0500credits"
	sampleMoment  = "2026-11-23T09:30:00.000000Z"
	sampleExpiry  = "2026-11-23T09:45:00.000000Z"

	sampleOpen     = "0190f3a1-b2c3-7d4e-8f60-000000000001"
	sampleDone     = "0190f3a1-b2c3-7d4e-8f60-000000000002"
	sampleFailed   = "0190f3a1-b2c3-7d4e-8f60-000000000003"
	sampleReleased = "0190f3a1-b2c3-7d4e-8f60-000000000004"
	sampleCaptured = "0190f3a1-b2c3-7d4e-8f60-000000000005"
	samplePart     = "0190f3a1-b2c3-7d4e-8f60-000000000006"
	sampleNoHold   = "0190f3a1-b2c3-7d4e-8f60-0000000000ff"
)

type object = map[string]any

var sampleMetadata = object{"resume": 4711}

func keptMetadata() anyObject { return anyObject{[]byte(`{"resume":4711}`)} }

var unknownUser = fault.Because(fault.NotFound, fault.UserUnknown)

var checkoutSamples = []sample{
	{name: "five_hundred", summary: "One package of 500 credits", caller: schemeSession, status: 201,
		params: object{headerKey: "checkout-4711"},
		body:   object{"priceId": samplePriceID, "quantity": 1, "locale": "de"},
		answer: checkout{"https://checkout.stripe.com/c/pay/cs_test_a1B2c3", "0190f3a1-b2c3-7d4e-8f60-718293a4b5c6"}},
	{name: "with_consent", summary: "With both statements about the withdrawal period", caller: schemeSession, status: 201,
		params: object{headerKey: "checkout-4712"},
		body: object{"priceId": samplePriceID, "quantity": 1, "locale": "de",
			"consent": object{"version": models.ConsentVersion, "earlyStart": true, "compensation": true}},
		answer: checkout{"https://checkout.stripe.com/c/pay/cs_test_d4E5f6", "0190f3a1-b2c3-7d4e-8f60-718293a4b5c7"}},
	{name: "no_such_package", summary: "A package that is not sold", caller: schemeSession,
		body:    object{"priceId": "price_of_nothing", "quantity": 1},
		refusal: fault.Field("priceId", fault.PriceUnknown)},
	{name: "by_a_program", summary: "A service key cannot buy", caller: schemeKey,
		body:    object{"priceId": samplePriceID, "quantity": 1},
		refusal: fault.Because(fault.Forbidden, fault.SessionNeeded)},
}

var balanceSamples = []sample{
	{name: "by_id", summary: "Of a user, by ID", caller: schemeKey, status: 200, params: object{"userId": sampleUserID},
		answer: balance{490, 15, 475}},
	{name: "by_email", summary: "Of a user, by email address", caller: schemeKey, status: 200,
		params: object{"email": sampleEmail}, answer: balance{490, 15, 475}},
	{name: "own", summary: "Of the signed-in user", caller: schemeSession, status: 200, answer: balance{490, 15, 475}},
	{name: "unknown_user", summary: "A user that does not exist", caller: schemeKey, params: object{"userId": 4242},
		refusal: unknownUser},
	{name: "no_user", summary: "A key that does not say whose", caller: schemeKey,
		refusal: fault.Field("userId", fault.UserNotNamed)},
}

var sampleMovements = transactions{Transactions: []transaction{
	{TransactionID: 8, DeltaCredits: -10, Reason: models.ReasonResumeAnalysis, CreditsBalance: 490,
		Metadata: keptMetadata(), CreatedAt: sampleMoment},
	{TransactionID: 7, DeltaCredits: 500, Reason: models.ReasonPurchase, CreditsBalance: 500, CreatedAt: sampleMoment},
}}

var historySamples = []sample{
	{name: "by_id", summary: "Of a user, by ID", caller: schemeKey, status: 200,
		params: object{"userId": sampleUserID, "limit": 2}, answer: sampleMovements},
	{name: "own", summary: "Of the signed-in user", caller: schemeSession, status: 200, params: object{"limit": 2},
		answer: sampleMovements},
	{name: "older", summary: "The page after it", caller: schemeKey, status: 200,
		params: object{"email": sampleEmail, "cursor": 7}, answer: transactions{Transactions: []transaction{}}},
	{name: "unknown_user", summary: "A user that does not exist", caller: schemeKey, params: object{"userId": 4242},
		refusal: unknownUser},
	{name: "no_user", summary: "A key that does not say whose", caller: schemeKey,
		refusal: fault.Field("userId", fault.UserNotNamed)},
}

var spendSamples = []sample{
	{name: "for_a_user", summary: "By a program, for a user", caller: schemeKey, status: 201,
		params: object{headerKey: "analysis-4711"},
		body:   object{"userId": sampleUserID, "feature": "resume_analysis", "metadata": sampleMetadata},
		answer: spent{8, -10, 490}},
	{name: "own", summary: "By the signed-in user", caller: schemeSession, status: 201,
		params: object{headerKey: "match-4711"},
		body:   object{"feature": "job_match"}, answer: spent{9, -5, 485}},
	{name: "no_key", summary: "A program without Idempotency-Key", caller: schemeKey,
		body:    object{"userId": sampleUserID, "feature": "job_match"},
		refusal: fault.Because(fault.Malformed, fault.KeyRequired)},
	{name: "unknown_user", summary: "A user that does not exist", caller: schemeKey,
		params: object{headerKey: "analysis-4712"},
		body:   object{"email": "unknown@example.com", "feature": "job_match"}, refusal: unknownUser},
	{name: "no_such_feature", summary: "A feature that does not exist", caller: schemeKey,
		params: object{headerKey: "analysis-4713"},
		body:   object{"userId": sampleUserID, "feature": "fortune_telling"},
		refusal: fault.Field("feature", fault.FeatureUnknown).With("features",
			[]string{"resume_analysis", "job_match", "resume_improvement"})},
	{name: "too_few", summary: "More than a new user has", caller: schemeKey, params: object{headerKey: "analysis-4714"},
		body:    object{"email": "new@example.com", "createUser": true, "feature": "resume_analysis"},
		refusal: fault.New(fault.InsufficientCredits, object{"required": 10, "available": 0, "missing": 10})},
}

// sampleHold returns a hold as the examples show it.
func sampleHold(id string, status models.HoldStatus, captured models.Credits) hold {
	h := hold{HoldID: uuid.MustParse(id), UserID: sampleUserID, Feature: models.ReasonResumeImprovement, Credits: 15,
		CapturedCredits: captured, Status: status,
		Metadata: keptMetadata(), ExpiresAt: sampleExpiry, CreatedAt: sampleMoment}
	if captured > 0 {
		transaction := int64(9)
		h.TransactionID = &transaction
	}
	return h
}

var holdSamples = []sample{
	{name: "for_work", summary: "For work of ten minutes", caller: schemeKey, status: 201,
		params: object{headerKey: "improvement-4711"},
		body: object{"userId": sampleUserID, "feature": "resume_improvement", "ttlSeconds": 600,
			"metadata": sampleMetadata},
		answer: sampleHold(sampleOpen, models.HoldOpen, 0)},
	{name: "no_key", summary: "Without Idempotency-Key", caller: schemeKey,
		body:    object{"userId": sampleUserID, "feature": "job_match"},
		refusal: fault.Because(fault.Malformed, fault.KeyRequired)},
	{name: "by_a_page", summary: "A session cannot hold", caller: schemeSession,
		params: object{headerKey: "improvement-4712"},
		body:   object{"feature": "job_match"}, refusal: fault.Because(fault.Forbidden, fault.KeyNeeded)},
	{name: "unknown_user", summary: "A user that does not exist", caller: schemeKey,
		params: object{headerKey: "improvement-4713"},
		body:   object{"userId": 4242, "feature": "job_match"}, refusal: unknownUser},
	{name: "no_user", summary: "A key that does not say whose", caller: schemeKey,
		params: object{headerKey: "improvement-4714"},
		body:   object{"feature": "job_match"}, refusal: fault.Field("userId", fault.UserNotNamed)},
	{name: "too_few", summary: "More than a new user has", caller: schemeKey,
		params:  object{headerKey: "improvement-4715"},
		body:    object{"email": "newer@example.com", "createUser": true, "feature": "resume_improvement"},
		refusal: fault.New(fault.InsufficientCredits, object{"required": 15, "available": 0, "missing": 15})},
}

var unknownHold = sample{name: "no_such_hold", summary: "No hold of this key", caller: schemeKey,
	params: object{"id": sampleNoHold}, refusal: fault.New(fault.NotFound, nil)}

var readHoldSamples = []sample{
	{name: "open", summary: "While the work is done", caller: schemeKey, status: 200, params: object{"id": sampleOpen},
		answer: sampleHold(sampleOpen, models.HoldOpen, 0)},
	unknownHold,
}

var captureSamples = []sample{
	{name: "all", summary: "Everything that is held", caller: schemeKey, status: 200, params: object{"id": sampleDone},
		answer: sampleHold(sampleDone, models.HoldCaptured, 15)},
	{name: "part", summary: "Less than is held", caller: schemeKey, status: 200, params: object{"id": samplePart},
		body:   object{"credits": 10},
		answer: sampleHold(samplePart, models.HoldCaptured, 10)},
	{name: "too_much", summary: "More than is held", caller: schemeKey, params: object{"id": sampleOpen},
		body:    object{"credits": 16},
		refusal: fault.Field("credits", fault.CaptureRange)},
	{name: "released", summary: "A hold that was released", caller: schemeKey, params: object{"id": sampleReleased},
		refusal: fault.New(fault.HoldClosed, object{"status": "released"})},
	unknownHold,
}

var releaseSamples = []sample{
	{name: "failed", summary: "The work has failed", caller: schemeKey, status: 200, params: object{"id": sampleFailed},
		answer: sampleHold(sampleFailed, models.HoldReleased, 0)},
	{name: "captured", summary: "A hold that was captured", caller: schemeKey, params: object{"id": sampleCaptured},
		refusal: fault.New(fault.HoldClosed, object{"status": "captured"})},
	unknownHold,
}

var featureSamples = []sample{
	{name: "all", summary: "What can be bought with credits", caller: anyone, status: 200,
		answer: featureList{Features: []featurePrice{{"resume_analysis", "Resume analysis", 10},
			{"job_match", "Job match", 5}, {"resume_improvement", "Resume improvement", 15}}}},
}

var packageSamples = []sample{
	{name: "all", summary: "What is sold", caller: anyone, status: 200,
		answer: packageList{Packages: []packageOffer{
			{samplePriceID, 500, 0, 2000, "eur"}, {"price_1Q01200credits", 1200, 200, 3500, "eur"}}}},
}
