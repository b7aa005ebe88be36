package pages

import (
	"context"
	"time"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/views/components"
)

// overviewSlots labels the days or months of a chart.
func overviewSlots(ctx context.Context, o models.Overview,
	values func(models.OverviewSlot) []int64) []components.ChartSlot {
	slots := make([]components.ChartSlot, len(o.Slots))
	for i, s := range o.Slots {
		slots[i] = components.ChartSlot{Label: components.ShortDay(ctx, s.Begins), Name: components.Day(ctx, s.Begins),
			Values: values(s)}
		if o.Monthly {
			slots[i].Name = monthYear(ctx, s.Begins)
			slots[i].Label = s.Begins.Format("01/2006")
		}
	}
	return slots
}

// flowChart shows credits sold, used and taken back, each on its own scale.
func flowChart(ctx context.Context, o models.Overview) components.ChartData {
	var sold, used, returned models.Credits
	for _, s := range o.Slots {
		sold, used, returned = sold+s.Sold, used+s.Used, returned+s.Returned
	}
	return components.ChartData{ID: "flow", Kind: components.Bars, Title: locales.T(ctx, "admin.overview.flow"),
		Description: locales.T(ctx, "admin.overview.flow_text", locales.Args{"sold": components.CreditAmount(ctx, sold),
			"used": components.CreditAmount(ctx, used), "returned": components.CreditAmount(ctx, returned)}),
		Empty: locales.T(ctx, "admin.overview.flow_empty"),
		Series: []components.ChartSeries{{Name: locales.T(ctx, "admin.overview.sold")},
			{Name: locales.T(ctx, "admin.overview.used")}, {Name: locales.T(ctx, "admin.overview.returned")}},
		Slots: overviewSlots(ctx, o, func(s models.OverviewSlot) []int64 {
			return []int64{int64(s.Sold), int64(s.Used), int64(s.Returned)}
		})}
}

// outstandingChart shows the credits that users can still spend.
func outstandingChart(ctx context.Context, o models.Overview) components.ChartData {
	return components.ChartData{ID: "outstanding", Kind: components.Steps,
		Title: locales.T(ctx, "admin.overview.outstanding_over_time"),
		Description: locales.T(ctx, "admin.overview.outstanding_text",
			locales.Args{"outstanding": components.CreditAmount(ctx, o.Totals.Outstanding)}),
		Empty:  locales.T(ctx, "admin.overview.outstanding_empty"),
		Series: []components.ChartSeries{{Name: locales.T(ctx, "admin.overview.outstanding")}},
		Slots: overviewSlots(ctx, o,
			func(s models.OverviewSlot) []int64 { return []int64{int64(s.Outstanding)} })}
}

// revenueChart shows what was paid for each package, each on its own scale.
func revenueChart(ctx context.Context, o models.Overview) components.ChartData {
	series := make([]components.ChartSeries, len(o.Packages))
	for i, p := range o.Packages {
		series[i] = components.ChartSeries{Name: components.CreditAmount(ctx, p.Credits), Currency: p.Currency}
	}
	slots := overviewSlots(ctx, o, func(models.OverviewSlot) []int64 { return make([]int64, len(o.Packages)) })
	for i, p := range o.Packages {
		for slot, paid := range p.Paid {
			slots[slot].Values[i] = int64(paid)
		}
	}
	return components.ChartData{ID: "packages", Kind: components.Bars, Title: locales.T(ctx, "admin.overview.packages"),
		Description: locales.T(ctx, "admin.overview.packages_text"), Empty: locales.T(ctx, "admin.overview.packages_empty"),
		Series: series, Slots: slots}
}

// unchargedChart shows how many holds ended without a charge.
func unchargedChart(ctx context.Context, o models.Overview) components.ChartData {
	return components.ChartData{ID: "uncharged", Kind: components.Bars, Title: locales.T(ctx, "admin.overview.uncharged"),
		Description: locales.T(ctx, "admin.overview.uncharged_text"), Empty: locales.T(ctx, "admin.overview.uncharged_empty"),
		Series: []components.ChartSeries{{Name: locales.T(ctx, "admin.overview.released")},
			{Name: locales.T(ctx, "admin.overview.expired")}},
		Slots: overviewSlots(ctx, o, func(s models.OverviewSlot) []int64 { return []int64{s.Released, s.Expired} })}
}

// age says how long ago something was, in the largest whole unit.
func age(ctx context.Context, ago time.Duration) string {
	unit, n := "minutes", int64(max(ago, 0)/time.Minute)
	switch {
	case n >= 2*24*60:
		unit, n = "days", n/(24*60)
	case n >= 2*60:
		unit, n = "hours", n/60
	}
	return locales.N(ctx, "admin.overview.ago."+unit, n)
}
