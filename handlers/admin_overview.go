package handlers

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/resume-matcher/credits/services/admin"
	"github.com/resume-matcher/credits/services/fault"
	"github.com/resume-matcher/credits/views/pages"
)

const (
	usersPerPage   = 25
	maxUserSearch  = 320  // characters, as long as an address may be
	ascendingOrder = "up" // in the query string; descending is the default
)

// showAdmin is GET /{locale}/admin: figures, open work and users. A search lists what it finds; an id that names one
// thing leads there.
func (h *Handler) showAdmin(c *fiber.Ctx) error {
	list, query, err := parseUserQuery(c)
	if f := fault.Of(err); f != nil && f.Code == fault.Invalid && f.Field == "q" {
		list.Error = h.message(c.UserContext(), f)
		return h.render(c, answers[f.Code].status, "admin.title",
			pages.Admin(pages.AdminData{Locale: pageLocale(c), ReadOnly: readOnly(c), List: list}))
	}
	if err != nil {
		return err
	}
	hits, only, err := h.findHits(c, list.Query)
	if err != nil {
		return err
	}
	if only != "" {
		return redirect(c, only)
	}
	list.Hits = hits
	users, next, err := h.Admin.Users(c.UserContext(), query)
	if err != nil {
		return err
	}
	data := pages.AdminData{Locale: pageLocale(c), ReadOnly: readOnly(c), List: list}
	data.List.Users = users
	if next != nil {
		data.List.Next = fmt.Sprintf("%d.%d", next.Key, next.ID)
	}
	if data.OpenWithdrawals, err = h.Withdrawal.CountOpen(c.UserContext()); err != nil {
		return err
	}
	if data.UnsentLetters, err = h.Mail.CountUnsent(c.UserContext()); err != nil {
		return err
	}
	if !list.Searched {
		if data.Waiting, data.WaitingTotal, err = h.Admin.Waiting(c.UserContext(), waitingShown); err != nil {
			return err
		}
	}
	if !list.Searched && !data.ReadOnly { // helpers do not see the figures of the business
		overview, err := h.Admin.Overview(c.UserContext(), time.Now(), c.Query("period") == "months")
		if err != nil {
			return err
		}
		data.Overview = &overview
	}
	return h.render(c, fiber.StatusOK, "admin.title", pages.Admin(data))
}

// parseUserQuery parses the search from the query string. Together with fault.Invalid it still returns the form.
func parseUserQuery(c *fiber.Ctx) (pages.UserList, admin.UserQuery, error) {
	list := pages.UserList{Query: strings.TrimSpace(strings.ToValidUTF8(c.Query("q"), "\uFFFD")),
		Sort: c.Query("sort"), Up: c.Query("order") == ascendingOrder}
	list.Searched = list.Query != "" || list.Sort != "" || c.Query("after") != ""
	query := admin.UserQuery{Text: list.Query, Order: admin.UserOrder(list.Sort), Ascending: list.Up, Limit: usersPerPage}
	if !admin.KnownOrder(query.Order) {
		query.Order, list.Sort = admin.ByJoined, string(admin.ByJoined)
	}
	if utf8.RuneCountInString(list.Query) > maxUserSearch {
		list.Query = string([]rune(list.Query)[:maxUserSearch])
		return list, query, fault.Field("q", fault.UserSearchLong)
	}
	if after := c.Query("after"); after != "" {
		key, id, ok := strings.Cut(after, ".")
		var err error
		if query.After.Key, err = strconv.ParseInt(key, 10, 64); err != nil || !ok {
			return list, query, fault.Field("after", fault.CursorInvalid)
		}
		if query.After.ID = parseDigits(id); query.After.ID < 1 {
			return list, query, fault.Field("after", fault.CursorInvalid)
		}
		list.Further = true
	}
	return list, query, nil
}
