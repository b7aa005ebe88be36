package pages

import (
	"context"
	"slices"

	"github.com/resume-matcher/credits/locales"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// usageChart is the picture of credits in and out, and what it says in a sentence.
func usageChart(ctx context.Context, days []models.DayUsage) components.ChartData {
	var in, out models.Credits
	slots := make([]components.ChartSlot, len(days))
	for i, d := range days {
		in, out = in+d.In, out+d.Out
		slots[i] = components.ChartSlot{Label: components.ShortDay(ctx, d.Begins), Name: components.Day(ctx, d.Begins),
			Values: []models.Credits{d.In, d.Out}}
	}
	return components.ChartData{ID: "usage", Kind: components.Opposed, Slots: slots,
		Title:       locales.T(ctx, "billing.usage.heading"),
		Description: locales.T(ctx, "billing.usage.text", locales.Args{"in": components.CreditAmount(ctx, in), "out": components.CreditAmount(ctx, out)}),
		Empty:       locales.T(ctx, "billing.usage.empty"),
		Series:      []string{locales.T(ctx, "billing.usage.in"), locales.T(ctx, "billing.usage.out")}}
}

// moved tells whether any day brought or took anything.
func moved(days []models.DayUsage) bool {
	return slices.ContainsFunc(days, func(d models.DayUsage) bool { return d.In > 0 || d.Out > 0 })
}

// runsLow tells whether the balance is too low for the dearest feature, and which that is. Who owes credits is told of
// that instead, beside the balance; who never had any is told what will be here; and who comes back from Stripe, how that went.
func runsLow(d BillingData) (bool, Feature) {
	var dearest Feature
	for _, f := range d.Features {
		if f.Credits > dearest.Credits {
			dearest = f
		}
	}
	short := len(d.Latest) > 0 && d.User.CreditsBalance >= 0 && d.User.Available() < dearest.Credits
	return short && d.Return == nil, dearest
}
