package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/components"
	"github.com/resume-matcher/credits/views/pages"
)

// showHistory is GET /{locale}/history: the user's entries, newest first, optionally filtered. The unfiltered first
// page also lists uncharged holds.
func (h *Handler) showHistory(c *fiber.Ctx) error {
	cursor, err := parseCursor(c)
	if err != nil {
		return err
	}
	query, err := h.parseHistoryQuery(c)
	if f := fault.Of(err); f != nil && f.Code == fault.Invalid {
		period, err := h.Ledger.Period(c.UserContext(), currentUserID(c))
		if err != nil {
			return err
		}
		query.offerMonths(components.Zone(c.UserContext()), period)
		query.shown.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)}
		return h.renderHistory(c, answers[f.Code].status, pages.HistoryData{Filter: query.shown})
	}
	if err != nil {
		return err
	}
	data := pages.HistoryData{Filter: query.shown, Labels: query.labels, CSVURL: query.address(c, "/history.csv", 0)}
	page, err := h.Ledger.HistoryPage(c.UserContext(), currentUserID(c), cursor, entriesPerPage, query.filter)
	if err != nil {
		return err
	}
	query.offerMonths(components.Zone(c.UserContext()), page.Period)
	data.Filter.Months, data.Holds = query.shown.Months, page.Holds
	data.Entries, data.Partly = page.Entries, page.Next != 0 && len(page.Entries) < entriesPerPage
	if cursor != 0 {
		data.FirstURL = query.address(c, "/history", 0)
	}
	if page.Next != 0 {
		data.NextURL = query.address(c, "/history", page.Next)
	}
	return h.renderHistory(c, fiber.StatusOK, data)
}

func (h *Handler) renderHistory(c *fiber.Ctx, status int, data pages.HistoryData) error {
	data.Locale = pageLocale(c)
	return h.render(c, status, "history.title", pages.History(data))
}
