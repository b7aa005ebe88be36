package handlers

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/fault"
)

// idOf is the number in the address; 0, which nobody has, when it is not one.
func idOf(c *fiber.Ctx) int64 {
	id := wholeNumber(c.Params("id"))
	if id < 0 || id > math.MaxInt32 { // the column's own range
		return 0
	}
	return id
}

// wholeNumber reads plain digits, as many as an int64 holds; anything else is -1, which no range allows.
func wholeNumber(text string) int64 {
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
