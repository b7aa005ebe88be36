package handlers

import (
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

const entriesPerPage = 25

// showHistory is GET /{locale}/history: every movement, newest first.
func (h *Handler) showHistory(c *fiber.Ctx) error {
	cursor, err := cursorOf(c)
	if err != nil {
		return err
	}
	page, err := h.Ledger.History(c.UserContext(), currentUserID(c), cursor, entriesPerPage)
	if err != nil {
		return err
	}
	here := "/" + pageLocale(c) + "/history"
	return h.render(c, fiber.StatusOK, "history.title", pages.History(pages.HistoryData{
		Locale: pageLocale(c), Entries: page.Entries, FirstURL: firstPage(here, cursor), NextURL: nextPage(here, page.Next),
	}))
}

// firstPage leads back to the newest; nowhere from there.
func firstPage(path string, cursor int64) string {
	if cursor == 0 {
		return ""
	}
	return path
}

// nextPage leads to what is older; nowhere at the end.
func nextPage(path string, next int64) string {
	if next == 0 {
		return ""
	}
	return fmt.Sprintf("%s?cursor=%d", path, next)
}

// cursorOf reads where a page of a list begins; 0 is the newest.
func cursorOf(c *fiber.Ctx) (int64, error) {
	text := c.Query("cursor")
	if text == "" {
		return 0, nil
	}
	if cursor := wholeNumber(text); cursor > 0 {
		return cursor, nil
	}
	return 0, fault.Field("cursor", fault.CursorInvalid)
}
