package handlers

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/models"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	maxObject       = 255 // characters of a searched id
	findingsPerPage = 50
)

// adminFilter parses a list's filter from the query string. A wrong value gets an error beside its field; the other
// fields stay filled in.
type adminFilter struct {
	h     *Handler
	c     *fiber.Ctx
	shown pages.ListFilter

	from, until time.Time
}

func (h *Handler) parseFilter(c *fiber.Ctx) *adminFilter {
	f := &adminFilter{h: h, c: c, shown: pages.ListFilter{Errors: map[string]string{}}}
	f.shown.From, f.from = f.day("from")
	f.shown.Until, f.until = f.day("until")
	switch {
	case f.until.IsZero():
	case f.until.Before(f.from):
		f.refuse("until", fault.DaysReversed)
	default:
		// the last day is included
		f.until = models.DayBegins(f.until.Year(), f.until.Month(), f.until.Day()+1, f.until.Location())
	}
	f.shown.Object = f.text("q")
	return f
}

// refuse records an error for a field.
func (f *adminFilter) refuse(field string, problem fault.Problem) {
	f.shown.Errors[field] = f.h.message(f.c.UserContext(), fault.Field(field, problem))
}

// status returns 422 when the filter has errors.
func (f *adminFilter) status() int {
	if len(f.shown.Errors) > 0 {
		return answers[fault.Invalid].status
	}
	return fiber.StatusOK
}

// day parses a date in the visitor's time zone.
func (f *adminFilter) day(field string) (string, time.Time) {
	typed := f.text(field)
	if typed == "" {
		return "", time.Time{}
	}
	day, err := time.Parse(time.DateOnly, typed)
	if err != nil || day.Year() < 1970 {
		f.refuse(field, fault.DayInvalid)
		return typed, time.Time{}
	}
	return typed, models.DayBegins(day.Year(), day.Month(), day.Day(), components.Zone(f.c.UserContext()))
}

// text reads a search text. After an error it returns the text without control characters, cut to maxObject.
func (f *adminFilter) text(field string) string {
	text, fits := searchText(strings.TrimSpace(queryValue(f.c, field)), maxObject)
	if !fits {
		f.refuse(field, fault.SearchInvalid)
	}
	return text
}

// choice reads an optional value out of offered.
func (f *adminFilter) choice(field string, offered []string) string {
	typed := f.text(field)
	if typed == "" || slices.Contains(offered, typed) {
		return typed
	}
	f.refuse(field, fault.ChoiceUnknown)
	return ""
}
