package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/locales"
	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/services/ledger"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	maxSearch = 100 // characters
	maxMonths = 240 // offered; the query string accepts any
	monthForm = "2006-01"
)

// historyQuery is the parsed filter of a history page: for the form and for the ledger.
type historyQuery struct {
	shown  pages.HistoryFilter
	filter ledger.Filter
	labels map[models.Reason]string
}

// parseHistoryQuery parses the query string. Together with fault.Invalid it still returns the form. The form has no
// months yet.
func (h *Handler) parseHistoryQuery(c *fiber.Ctx) (historyQuery, error) {
	var a historyQuery
	features, err := h.Spend.AllFeatures(c.UserContext())
	if err != nil {
		return a, err
	}
	a.offerKinds(c, features)
	for field, into := range map[string]*string{"kind": &a.shown.Kind, "month": &a.shown.Month, "q": &a.shown.Text} {
		*into = strings.TrimSpace(queryValue(c, field))
	}
	if err := a.parseText(); err != nil {
		return a, err
	}
	if err := a.parseKind(); err != nil {
		return a, err
	}
	return a, a.parseMonth(components.Zone(c.UserContext()))
}

// offerKinds fills in the kinds to choose from.
func (a *historyQuery) offerKinds(c *fiber.Ctx, features []models.FeaturePrice) {
	ctx := c.UserContext()
	for _, kind := range []models.Reason{models.ReasonPurchase, models.ReasonRefund, models.ReasonDispute,
		models.ReasonManual} {
		a.shown.Kinds = append(a.shown.Kinds, components.Option{Value: string(kind),
			Label: locales.T(ctx, "history.kind."+string(kind))})
	}
	a.labels = map[models.Reason]string{}
	for _, f := range features {
		a.labels[f.Feature] = f.Label(pageLocale(c))
		a.shown.Kinds = append(a.shown.Kinds, components.Option{Value: string(f.Feature),
			Label: components.ReasonName(ctx, f.Feature, a.labels[f.Feature])})
	}
}

// offerMonths fills in the months to choose from: those of the user's entries, and the chosen one.
func (a *historyQuery) offerMonths(zone *time.Location, entries ledger.Period) {
	chosen := a.filter.From
	if !entries.First.IsZero() {
		first, month := monthOf(entries.First.In(zone), 0), monthOf(entries.Last.In(zone), 0)
		for ; !month.Before(first) && len(a.shown.Months) < maxMonths; month = monthOf(month, -1) {
			a.shown.Months = append(a.shown.Months, month)
		}
	}
	if !chosen.IsZero() && !slices.ContainsFunc(a.shown.Months, chosen.Equal) {
		a.shown.Months = append([]time.Time{chosen}, a.shown.Months...)
	}
}

// monthOf returns the start of the month that is later months after t.
func monthOf(t time.Time, later int) time.Time {
	return models.DayBegins(t.Year(), t.Month()+time.Month(later), 1, t.Location())
}

// parseText searches the text, also among the localized names of the kinds.
func (a *historyQuery) parseText() error {
	text, fits := searchText(a.shown.Text, maxSearch)
	a.shown.Text = text
	if !fits {
		return fault.Field("q", fault.SearchInvalid)
	}
	a.filter.Text = text
	for _, kind := range a.shown.Kinds {
		if text != "" && strings.Contains(strings.ToLower(kind.Label), strings.ToLower(text)) {
			a.filter.TextReasons = append(a.filter.TextReasons, models.Reason(kind.Value))
		}
	}
	return nil
}

// parseKind parses the kind of entry.
func (a *historyQuery) parseKind() error {
	for _, kind := range a.shown.Kinds {
		if kind.Value == a.shown.Kind {
			a.filter.Reason = models.Reason(kind.Value)
		}
	}
	if string(a.filter.Reason) != a.shown.Kind {
		a.shown.Kind = ""
		return fault.Field("kind", fault.KindUnknown)
	}
	return nil
}

// parseMonth parses a month in the visitor's time zone.
func (a *historyQuery) parseMonth(zone *time.Location) error {
	if a.shown.Month == "" {
		return nil
	}
	typed, err := time.Parse(monthForm, a.shown.Month)
	if err != nil || typed.Year() < 1970 {
		a.shown.Month = ""
		return fault.Field("month", fault.MonthInvalid)
	}
	month := models.DayBegins(typed.Year(), typed.Month(), 1, zone)
	a.filter.From, a.filter.Until = month, monthOf(month, 1)
	return nil
}

// address returns a page of the same filter, from an entry on.
func (a *historyQuery) address(c *fiber.Ctx, path string, cursor int64) string {
	query := url.Values{}
	for field, value := range map[string]string{"kind": a.shown.Kind, "month": a.shown.Month, "q": a.shown.Text} {
		if value != "" {
			query.Set(field, value)
		}
	}
	if cursor != 0 {
		query.Set("cursor", strconv.FormatInt(cursor, 10))
	}
	address := "/" + pageLocale(c) + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}
