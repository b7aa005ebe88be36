package handlers

import (
	"fmt"
	"strconv"
	"strings"
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
	page, err := h.Admin.StartPage(c.UserContext(), admin.StartPageQuery{Users: query, Searched: list.Searched,
		Business: !readOnly(c), Monthly: c.Query("period") == "months", Waiting: waitingShown})
	if err != nil {
		return err
	}
	if page.ByID && len(page.Hits) == 1 {
		if path := pages.HitPath(pageLocale(c), page.Hits[0], readOnly(c)); path != "" {
			return redirect(c, path)
		}
	}
	list.Request, list.Hits, list.Users = requestIDs.MatchString(list.Query), page.Hits, page.Users
	list.Short = admin.MatchesBeginnings(list.Query)
	if page.Next != nil {
		list.Next = fmt.Sprintf("%d.%d", page.Next.Key, page.Next.ID)
	}
	data := pages.AdminData{Locale: pageLocale(c), ReadOnly: readOnly(c), List: list, Waiting: page.Waiting,
		WaitingTotal: page.WaitingTotal, OpenWithdrawals: page.OpenWithdrawals, UnsentLetters: page.UnsentLetters,
		Overview: page.Overview}
	return h.renderTitled(c, fiber.StatusOK, list.Title(c.UserContext()), pages.Admin(data))
}

// parseUserQuery parses the search from the query string. Together with fault.Invalid it still returns the form.
func parseUserQuery(c *fiber.Ctx) (pages.UserList, admin.UserQuery, error) {
	list := pages.UserList{Query: strings.TrimSpace(queryValue(c, "q")),
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
