package handlers

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

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

// pathUUID returns the id in the path.
// Errors: fault.NotFound for anything but a UUID.
func pathUUID(c *fiber.Ctx) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return uuid.Nil, fault.New(fault.NotFound, nil)
	}
	return id, nil
}

// searchText returns a typed text without control characters, cut to most characters; fits is false if that changed it.
func searchText(typed string, most int) (text string, fits bool) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, typed)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most])
	}
	return text, text == typed
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
