package handlers

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
)

// pathID returns the numeric id in the path; 0, which no row has, for anything else.
func pathID(c *fiber.Ctx) int64 {
	id := parseDigits(c.Params("id"))
	if id < 0 || id > math.MaxInt32 { // the column's range
		return 0
	}
	return id
}

// parseDigits parses plain digits; it returns -1, which no range allows, for anything else.
func parseDigits(text string) int64 {
	if text == "" || len(text) > 19 {
		return -1
	}
	for _, r := range text {
		if r < '0' || r > '9' {
			return -1
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

const entriesPerPage = 25

// firstPage returns the address of a list's first page; empty on that page.
func firstPage(path string, cursor int64) string {
	if cursor == 0 {
		return ""
	}
	return path
}

// nextPage returns the address of a list's next page; empty on the last.
func nextPage(path string, next int64) string {
	if next == 0 {
		return ""
	}
	return fmt.Sprintf("%s?cursor=%d", path, next)
}

// parseCursor parses the cursor of a list; 0 is the first page.
func parseCursor(c *fiber.Ctx) (int64, error) {
	text := c.Query("cursor")
	if text == "" {
		return 0, nil
	}
	if cursor := parseDigits(text); cursor > 0 {
		return cursor, nil
	}
	return 0, fault.Field("cursor", fault.CursorInvalid)
}
