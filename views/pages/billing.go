package pages

import (
	"context"
	"slices"

	"github.com/resume-matcher/credits/locales"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// usageChart shows the balance at the end of each day, and what was added and deducted. It derives the balances
// backwards from today's.
func usageChart(ctx context.Context, balance models.Credits, days []models.DayUsage) components.ChartData {
	var in, out models.Credits
	var slots []components.ChartSlot
	if hasUsage(days) {
		slots = make([]components.ChartSlot, len(days))
	}
	for i := len(slots) - 1; i >= 0; i-- {
		d := days[i]
		slots[i] = components.ChartSlot{Label: components.ShortDay(ctx, d.Begins), Name: components.Day(ctx, d.Begins),
			Values: []int64{int64(balance), int64(d.In), int64(d.Out)}}
		in, out, balance = in+d.In, out+d.Out, balance-d.In+d.Out
	}
	return components.ChartData{ID: "usage", Kind: components.Steps, Slots: slots,
		Title: locales.T(ctx, "billing.usage.heading"),
		Description: locales.T(ctx, "billing.usage.text",
			locales.Args{"in": components.CreditAmount(ctx, in), "out": components.CreditAmount(ctx, out)}),
		Empty: locales.T(ctx, "billing.usage.empty"),
		Series: []components.ChartSeries{{Name: locales.T(ctx, "billing.balance")},
			{Name: locales.T(ctx, "billing.usage.in")}, {Name: locales.T(ctx, "billing.usage.out")}}}
}

// hasUsage reports whether any day has entries.
func hasUsage(days []models.DayUsage) bool {
	return slices.ContainsFunc(days, func(d models.DayUsage) bool { return d.In > 0 || d.Out > 0 })
}

// runsLow reports whether to warn that the balance does not cover the dearest feature, and returns that feature. It
// does not warn users in debt or without history, with credits that are held until a withdrawal period ends, nor buyers
// returning from Stripe.
func runsLow(d BillingData) (bool, Feature) {
	var dearest Feature
	for _, f := range d.Features {
		if f.Credits > dearest.Credits {
			dearest = f
		}
	}
	return len(d.Latest) > 0 && len(d.Held) == 0 && d.Return == nil && d.User.RunsLow(dearest.Credits), dearest
}

// timesText says how often the balance pays for a feature.
func timesText(ctx context.Context, times int64) string {
	return locales.N(ctx, "billing.features.times", times)
}

// debtOffer says what settles a debt and what remains.
func debtOffer(ctx context.Context, d BillingData) string {
	if d.Cover == nil || d.Cover.Credits()+d.User.CreditsBalance < 0 {
		return locales.T(ctx, "billing.debt.next")
	}
	left := d.Cover.Credits() + d.User.CreditsBalance
	return locales.N(ctx, "billing.debt.offer", left,
		locales.Args{"credits": components.CreditAmount(ctx, d.Cover.Credits()), "price": CoverPrice(ctx, *d.Cover)})
}

// firstOffer suggests a first package to users who never had credits.
func firstOffer(ctx context.Context, d BillingData) string {
	if len(d.Latest) > 0 || d.User.CreditsBalance != 0 || d.Cover == nil {
		return ""
	}
	return locales.T(ctx, "billing.first", locales.Args{"credits": components.CreditAmount(ctx, d.Cover.Credits()),
		"price": CoverPrice(ctx, *d.Cover)})
}

// backButton returns the kind of the button that leads back: the main one once the credits are there.
func (s ReturnState) backButton() components.ButtonKind {
	if s.Kind == models.ReturnBooked {
		return components.Primary
	}
	return components.Secondary
}

// wayBackText names the site that sent the buyer.
func wayBackText(ctx context.Context, back WayBack) string {
	if back.Site == "" {
		return locales.T(ctx, "billing.return.back.resume_matcher")
	}
	return locales.T(ctx, "billing.return.back.site", locales.Args{"site": back.Site})
}

// leadsBack reports whether the message to a returning buyer already leads to Resume Matcher.
func (d BillingData) leadsBack() bool {
	return d.Return != nil && d.Return.Back != nil && d.Return.Back.Site == ""
}

// waysOn returns the kinds of the buttons to Resume Matcher and to the packages: the first is the main one while the
// balance pays for a feature.
func (d BillingData) waysOn() (matcher, buy components.ButtonKind) {
	if d.Return != nil && d.Return.Back != nil && d.Return.backButton() == components.Primary {
		return components.Secondary, components.Secondary
	}
	if d.Matcher != "" && slices.ContainsFunc(d.Features, func(f Feature) bool { return f.Times > 0 }) {
		return components.Primary, components.Secondary
	}
	return components.Secondary, components.Primary
}
