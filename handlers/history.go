package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

// showHistory is GET /{locale}/history: every movement, newest first, or those that a filter wants. With the newest of
// all come the holds that took nothing.
func (h *Handler) showHistory(c *fiber.Ctx) error {
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	asked, err := h.askedOf(c)
	if f := fault.Of(err); f != nil && f.Code == fault.Invalid {
		asked.shown.Errors = map[string]string{f.Field: h.message(c.UserContext(), f)}
		return h.renderHistory(c, answers[f.Code].status, pages.HistoryData{Filter: asked.shown})
	}
	if err != nil {
		return err
	}
	data := pages.HistoryData{Filter: asked.shown, Labels: asked.labels, CSVURL: asked.address(c, "/history.csv", 0)}
	page, err := h.Ledger.Search(c.UserContext(), currentUserID(c), cursor, entriesPerPage, asked.filter)
	if err == nil && cursor == 0 && !asked.shown.Set() {
		data.Holds, err = h.Ledger.Uncharged(c.UserContext(), currentUserID(c))
	}
	if err != nil {
		return err
	}
	data.Entries, data.Partly = page.Entries, page.Next != 0 && len(page.Entries) < entriesPerPage
	if cursor != 0 {
		data.FirstURL = asked.address(c, "/history", 0)
	}
	if page.Next != 0 {
		data.NextURL = asked.address(c, "/history", page.Next)
	}
	return h.renderHistory(c, fiber.StatusOK, data)
}

func (h *Handler) renderHistory(c *fiber.Ctx, status int, data pages.HistoryData) error {
	data.Locale = pageLocale(c)
	return h.render(c, status, "history.title", pages.History(data))
}
